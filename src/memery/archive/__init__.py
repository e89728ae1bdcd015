"""Where the archive of a folder lies, and what memery keeps in it."""

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
"""Folders of the search index, drafts among them."""
GENERATION_FILES = ("vectors.faiss", "ids.i64")
_THUMBNAIL = re.compile(r"[0-9a-f]{64}-\d{2,4}(-\d{1,4})?\.webp|\.[0-9a-f]{32}")
"""Thumbnails by the digest, the side and the decoder's version, drafts among them."""
APPLICATION_ID = 0x6D656D72  # "memr"
_APPLICATION_ID_AT = 68
"""Where a database's header has it: https://www.sqlite.org/fileformat.html"""


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive that answers for a folder.

    Attributes:
        root: the folder of images that the archive describes, absolute.
        folder: where the archive's own files lie, absolute.
        scope: the folder asked for, relative to root, with `/`; empty if it is root itself.
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
        """The files in that folder which are memery's; a link to another folder has none."""
        if stat.S_ISDIR(_mode(self.thumbnails)):
            for place in self.thumbnails.iterdir():
                if _THUMBNAIL.fullmatch(place.name) and stat.S_ISREG(_mode(place)):
                    yield place

    @property
    def searched(self) -> Path:
        """The folder asked for."""
        return self.root / self.scope if self.scope else self.root

    def exists(self) -> bool:
        """Whether there is a database.

        Raises:
            ArchiveError: it cannot be looked at, or a part of it is not of the kind that memery
                makes. Following a stranger's link it would write outside the folder, reading a
                stranger's pipe it would hang.
        """
        try:
            for name, is_kind in _OWN_PARTS.items():
                part = self.folder / name
                if (mode := _mode(part)) and not is_kind(mode):
                    raise ArchiveError(
                        f"{part} is not a {_KIND_NAMES[is_kind]}, as memery makes it (symbolic"
                        " links are not followed): delete it, or name another place with --archive."
                    )
            return bool(_mode(self.store))
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def create(self) -> None:
        """Make the archive's folder, invisible to git.

        Raises:
            ArchiveError: it cannot be made, or the folder named for it holds other things.
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
        """A folder that somebody named must be new, empty, or left by a memery that was killed."""
        if self._is_own_place or not _mode(self.folder):
            return
        try:
            foreign = [path for path in self.folder.iterdir() if not _is_leftover(path)]
        except OSError as error:
            raise unwritable(self.folder, error) from error
        if foreign:
            raise ArchiveError(
                f"The folder {self.folder} holds other things, {foreign[0].name!r} for one:"
                " name a new or an empty folder with --archive."
            )

    @property
    def _is_own_place(self) -> bool:
        """Whether the folder's name or place is memery's own choice."""
        own = self.root / FOLDER_NAME
        return self.folder == own or self.folder == _cache_folder(self.root)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the archive's one writer.

        Raises:
            ArchiveLocked: another process is; the message names it.
        """
        self.create()
        with WriterLock(self.folder).hold():
            yield

    def holder(self) -> int | None:
        """The process id of the one that is writing now, or None."""
        return WriterLock(self.folder).holder()

    @property
    def reading(self) -> Path:
        """The file that names the images whose text is being recognised."""
        return self.folder / _READING_NAME

    @property
    def is_marked(self) -> bool:
        """Whether the last one who decoded in its own process never came to the end."""
        with contextlib.suppress(OSError):
            return bool(_mode(self.folder / _MARK_NAME))
        return False

    def mark(self) -> None:
        """Note that this process decodes images itself, in case that it dies of one."""
        with contextlib.suppress(OSError):  # a full disk must not keep anyone from decoding
            (self.folder / _MARK_NAME).open("x").close()

    def unmark(self) -> None:
        """All went well."""
        with contextlib.suppress(OSError):
            (self.folder / _MARK_NAME).unlink(missing_ok=True)

    def purge(self) -> None:
        """Delete what memery wrote into the archive's folder; the folder too if that was all.

        Raises:
            ArchiveError: it lies in a folder above the one asked for, is not memery's, or cannot be
                deleted.
        """
        if self.scope:
            raise ArchiveError(
                f"The archive of {self.searched} belongs to {self.root} as a whole."
                f" To delete it, run: memery purge {self.root}"
            )
        if not self._is_own_place and not self._has_own_store():
            raise ArchiveError(
                f"{self.store} is not a store that memery wrote: nothing was deleted."
                " If it was one, delete the folder yourself."
            )
        with self.lock():
            try:
                self._delete_files()
            except OSError as error:
                raise unwritable(self.folder, error) from error
        (self.folder / LOCK_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something that is not memery's is in it: it stays
            self.folder.rmdir()

    def _has_own_store(self) -> bool:
        """Whether the database says in its header that it is memery's."""
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
        """Files that memery 0.1 left beside the images; they are ignored."""
        return [path for name in _SEED_NAMES if _is_file(path := self.root / name)]


def find_archive(path: str | os.PathLike[str], override: Path | None = None) -> Archive:
    """Find the archive that answers for a folder, as git finds a repository.

    Raises:
        FolderError: the folder is missing, is no folder or cannot be read, or has no name.
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
    """The archive of a folder that is gone, where it was kept elsewhere; None if there is none."""
    try:
        folder = Path(path).expanduser().resolve()
        if not os.fspath(path) or _mode(folder):
            return None
    except (OSError, RuntimeError, ValueError):
        return None
    archive = Archive(folder, _override(override) if override else _cache_folder(folder))
    return archive if archive.exists() else None


def _mode(path: Path) -> int:
    """What a path is, links not followed; 0 if there is nothing."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_leftover(path: Path) -> bool:
    """Whether a file is one that memery leaves beside its store, to the letter."""
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
    """Whether there is a file; what cannot be looked at counts as none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _override(place: Path) -> Path:
    try:
        place = Path(place).expanduser().absolute()
        if place.exists() and not place.is_dir():
            raise ArchiveError(f"The archive {place} is a file: name a folder for it.")
    except OSError as error:
        raise unwritable(place, error) from error
    except (RuntimeError, ValueError) as error:
        raise ArchiveError(f"There can be no archive at {place}: {error}.") from None
    return place


def _existing_folder(path: Path) -> Path:
    try:
        folder = path.expanduser().resolve(strict=True)
        if not folder.is_dir():
            raise FolderError(f"{path} is a file, not a folder: name the folder that it lies in.")
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise FolderError(f"There is no folder {path}: check the spelling.") from None
    except PermissionError:
        raise FolderError(
            f"The folder {path} cannot be read: ask its owner for permission to read it."
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderError(f"The folder {path!s} cannot be read: {error}.") from None
    return folder


def _own_ancestors(folder: Path) -> Iterator[Path]:
    """The folder and those above it, up to a mount point or a folder of another owner."""
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
    """Whether SQLite can write safely below this folder."""
    place = root / FOLDER_NAME
    writable = os.access(place if os.path.lexists(place) else root, os.W_OK | os.X_OK)
    return writable and not is_on_network(root)


def _cache_folder(folder: Path) -> Path:
    import platformdirs

    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    return platformdirs.user_cache_path("memery") / "archives" / key
