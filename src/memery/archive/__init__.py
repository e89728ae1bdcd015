"""Location and files of a folder's archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memery.archive.network_mounts import is_on_network
from memery.archive.writer_lock import HOLDER_NAME, LOCK_NAME, WriterLock
from memery.errors import ArchiveError, FolderError, unwritable

FOLDER_NAME = ".memery"
STORE_NAME = "store.sqlite3"
INDEX_NAME = "index"
THUMBNAILS_NAME = "thumbnails"
_MARK_NAME = "decoding"
_READING_NAME = "reading"
_IGNORE_NAME = ".gitignore"
_SEED_NAMES = ("memery.pt", "memery.ann")
_IGNORE_ALL = "*\n"
_KIND_NAMES = {stat.S_ISREG: "regular file", stat.S_ISDIR: "folder"}
_OWN_PARTS = {
    "": stat.S_ISDIR,
    INDEX_NAME: stat.S_ISDIR,
    THUMBNAILS_NAME: stat.S_ISDIR,
    STORE_NAME: stat.S_ISREG,
    f"{STORE_NAME}-wal": stat.S_ISREG,
    f"{STORE_NAME}-shm": stat.S_ISREG,
    LOCK_NAME: stat.S_ISREG,
    HOLDER_NAME: stat.S_ISREG,
    _MARK_NAME: stat.S_ISREG,
    _READING_NAME: stat.S_ISREG,
    _IGNORE_NAME: stat.S_ISREG,
}
GENERATION_NAME = re.compile(r"\.?[0-9a-f]{32}-\d+-\d+(-[0-9a-f]{32})?")
"""Names of the search index's folders, including drafts."""
GENERATION_FILES = ("vectors.faiss", "ids.i64")
_THUMBNAIL = re.compile(r"[0-9a-f]{64}-\d{2,4}(-\d{1,4})?\.webp|\.[0-9a-f]{32}")
"""Names of thumbnails: digest, side and decoder version; or drafts."""
APPLICATION_ID = 0x6D656D72  # "memr"
_APPLICATION_ID_AT = 68
"""Its offset in a database file: https://www.sqlite.org/fileformat.html"""


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of a folder.

    Attributes:
        root: the folder of images that the archive covers, absolute.
        folder: the folder with the archive's files, absolute.
        scope: the requested folder, relative to root, with `/`; empty if it is root itself.
    """

    root: Path
    folder: Path
    scope: str = ""

    @property
    def store(self) -> Path:
        """The database file."""
        return self.folder / STORE_NAME

    @property
    def index(self) -> Path:
        """The folder of the search index."""
        return self.folder / INDEX_NAME

    @property
    def thumbnails(self) -> Path:
        """The folder of thumbnails."""
        return self.folder / THUMBNAILS_NAME

    def kept_thumbnails(self) -> Iterator[Path]:
        """Yield the files in that folder that memery wrote; none if it is a symbolic link."""
        if stat.S_ISDIR(_mode(self.thumbnails)):
            for place in self.thumbnails.iterdir():
                if _THUMBNAIL.fullmatch(place.name) and stat.S_ISREG(_mode(place)):
                    yield place

    @property
    def searched(self) -> Path:
        """The requested folder: root, or the folder below it that is in scope."""
        return self.root / self.scope if self.scope else self.root

    def exists(self) -> bool:
        """Whether there is a database.

        Raises:
            ArchiveError: it cannot be checked, or one of its parts is not a regular file or folder
                as expected. Following a link could write outside the folder; reading a pipe hangs.
        """
        try:
            for name, is_kind in _OWN_PARTS.items():
                part = self.folder / name
                if (mode := _mode(part)) and not is_kind(mode):
                    raise ArchiveError(
                        f"{part} is not a {_KIND_NAMES[is_kind]}, as expected in an archive"
                        " (symbolic links are not followed). Delete it, or choose another folder"
                        " with --archive."
                    )
            return bool(_mode(self.store))
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def create(self) -> None:
        """Create the archive's folder, ignored by git.

        Raises:
            ArchiveError: it cannot be created, or the folder chosen for it contains other files.
        """
        if not self.exists():
            self._refuse_foreign_folder()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            ignore = self.folder / _IGNORE_NAME
            with contextlib.suppress(FileExistsError), ignore.open("x", encoding="ascii") as file:
                file.write(_IGNORE_ALL)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def _refuse_foreign_folder(self) -> None:
        """Reject a folder given by the user unless it is new, empty, or left by a killed memery."""
        if self._is_own_place or not _mode(self.folder):
            return
        try:
            foreign = [path for path in self.folder.iterdir() if not _is_leftover(path)]
        except OSError as error:
            raise unwritable(self.folder, error) from error
        if foreign:
            raise ArchiveError(
                f"The folder {self.folder} contains other files, for example {foreign[0].name!r}."
                " Choose a new or empty folder with --archive."
            )

    @property
    def _is_own_place(self) -> bool:
        """Whether memery chose the folder, rather than the user."""
        own = self.root / FOLDER_NAME
        return self.folder == own or self.folder == _cache_folder(self.root)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the archive's writer lock.

        Raises:
            ArchiveLocked: another process holds it; the message names the process.
        """
        self.create()
        with WriterLock(self.folder).hold():
            yield

    def holder(self) -> int | None:
        """Return the process id of the current writer, or None."""
        return WriterLock(self.folder).holder()

    @property
    def reading(self) -> Path:
        """The file that names the images whose text is being recognised."""
        return self.folder / _READING_NAME

    @property
    def is_marked(self) -> bool:
        """Whether the last process that decoded images itself did not finish."""
        with contextlib.suppress(OSError):
            return bool(_mode(self.folder / _MARK_NAME))
        return False

    def mark(self) -> None:
        """Record that this process decodes images itself, in case an image crashes it."""
        with contextlib.suppress(OSError):  # a full disk must not prevent decoding
            (self.folder / _MARK_NAME).open("x").close()

    def unmark(self) -> None:
        """Record that decoding finished."""
        with contextlib.suppress(OSError):
            (self.folder / _MARK_NAME).unlink(missing_ok=True)

    def purge(self) -> None:
        """Delete the files that memery wrote, and the archive's folder if it is empty then.

        Raises:
            ArchiveError: the archive belongs to a parent of the requested folder, was not written
                by memery, or cannot be deleted.
        """
        if self.scope:
            raise ArchiveError(
                f"The archive of {self.searched} belongs to {self.root} as a whole."
                f" To delete it, run: memery purge {self.root}"
            )
        if not self._is_own_place and not self._has_own_store():
            raise ArchiveError(
                f"{self.store} was not written by memery, or is damaged. Nothing was deleted."
                " If it is an archive of memery, delete the folder yourself."
            )
        with self.lock():
            try:
                self._delete_files()
            except OSError as error:
                raise unwritable(self.folder, error) from error
        (self.folder / LOCK_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it stays if it contains other files
            self.folder.rmdir()

    def _has_own_store(self) -> bool:
        """Whether the database's header has memery's application id."""
        try:
            with self.store.open("rb") as file:
                file.seek(_APPLICATION_ID_AT)
                return file.read(4) == APPLICATION_ID.to_bytes(4, "big")
        except OSError:
            return False

    def _delete_files(self) -> None:
        for name in (
            STORE_NAME,
            f"{STORE_NAME}-wal",
            f"{STORE_NAME}-shm",
            _MARK_NAME,
            _READING_NAME,
        ):
            (self.folder / name).unlink(missing_ok=True)
        ignore = self.folder / _IGNORE_NAME
        if _is_leftover(ignore):
            ignore.unlink()
        for thumbnail in self.kept_thumbnails():
            thumbnail.unlink(missing_ok=True)
        _remove_if_empty(self.thumbnails)
        if not _mode(self.index):
            return
        for generation in self.index.iterdir():
            if GENERATION_NAME.fullmatch(generation.name) and stat.S_ISDIR(_mode(generation)):
                for name in GENERATION_FILES:
                    (generation / name).unlink(missing_ok=True)
                _remove_if_empty(generation)
        _remove_if_empty(self.index)

    def seed_files(self) -> list[Path]:
        """List files that memery 0.1 left next to the images; they are ignored."""
        return [path for name in _SEED_NAMES if _is_file(path := self.root / name)]


def find_archive(path: str | os.PathLike[str], override: Path | None = None) -> Archive:
    """Find the archive of a folder, in it or above it, as git finds a repository.

    Raises:
        FolderError: the path is empty, does not exist, is not a folder or cannot be read.
    """
    if not os.fspath(path):
        raise FolderError("The name of the folder is empty. Use . for the current folder.")
    folder = _existing_folder(Path(path))
    if override is not None:
        return Archive(folder, _override(override))
    for root in _own_ancestors(folder):
        if _is_file(root / FOLDER_NAME / STORE_NAME) and _is_usable(root):
            scope = folder.relative_to(root).as_posix()
            return Archive(root, root / FOLDER_NAME, "" if scope == "." else scope)
    if _is_usable(folder):
        return Archive(folder, folder / FOLDER_NAME)
    return Archive(folder, _cache_folder(folder))


def find_orphan(path: str | os.PathLike[str], override: Path | None = None) -> Archive | None:
    """Find the archive of a deleted folder, if the archive is in another folder; else None."""
    try:
        folder = Path(path).expanduser().resolve()
        if not os.fspath(path) or _mode(folder):
            return None
    except (OSError, RuntimeError, ValueError):
        return None
    archive = Archive(folder, _override(override) if override else _cache_folder(folder))
    return archive if archive.exists() else None


def _mode(path: Path) -> int:
    """Return the mode of a path, without following links; 0 if it does not exist."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_leftover(path: Path) -> bool:
    """Whether a file is exactly one of those that memery writes next to its store."""
    try:
        text = path.read_bytes()[:20] if stat.S_ISREG(_mode(path)) else b"?"
    except OSError:
        return False
    return {
        _IGNORE_NAME: text == _IGNORE_ALL.encode(),
        LOCK_NAME: not text,
        _MARK_NAME: not text,
        HOLDER_NAME: text.isdigit(),
    }.get(path.name, False)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _is_file(path: Path) -> bool:
    """Whether a file exists; False if that cannot be checked."""
    try:
        return path.is_file()
    except OSError:
        return False


def _override(place: Path) -> Path:
    try:
        place = Path(place).expanduser().absolute()
        if place.exists() and not place.is_dir():
            raise ArchiveError(f"The archive {place} is a file. Choose a folder with --archive.")
    except OSError as error:
        raise unwritable(place, error) from error
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"{place} cannot be an archive: {error}.") from None
    return place


def _existing_folder(path: Path) -> Path:
    try:
        folder = path.expanduser().resolve(strict=True)
        if not folder.is_dir():
            raise FolderError(f"{path} is a file, not a folder. Name the folder that contains it.")
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise FolderError(f"The folder {path} does not exist. Check the spelling.") from None
    except PermissionError:
        raise FolderError(
            f"The folder {path} cannot be read. Ask its owner for permission."
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(f"The folder {path!s} cannot be read: {error}.") from None
    return folder


def _own_ancestors(folder: Path) -> Iterator[Path]:
    """Yield the folder and its parents, up to a mount point or a folder of another owner."""
    owner = folder.stat().st_uid
    for ancestor in (folder, *folder.parents):
        try:
            if ancestor.stat().st_uid != owner:
                return
        except OSError:
            return
        yield ancestor
        if os.path.ismount(ancestor):
            return


def _is_usable(root: Path) -> bool:
    """Whether SQLite can safely write an archive in this folder."""
    place = root / FOLDER_NAME
    writable = os.access(place if os.path.lexists(place) else root, os.W_OK | os.X_OK)
    return writable and not is_on_network(root)


def _cache_folder(folder: Path) -> Path:
    import platformdirs

    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    return platformdirs.user_cache_path("memery") / "archives" / key
