"""Loader: scans the folder and compares it with the store: new, changed and removed files."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import ConfigError
from memery.executors.types import Changes
from memery.imaging.exclusions import NO_MEDIA, UNSUPPORTED_EXTENSIONS, system_folder
from memery.imaging.files import modified_ns
from memery.imaging.formats import EXTENSIONS
from memery.query.filters import Filter
from memery.stores.interface import Store
from memery.stores.records import Space
from memery.text.files import read_text
from memery.types import Excluded, FileEntry, Skip

if TYPE_CHECKING:
    import pathspec

logger = logging.getLogger(__name__)

IGNORE_FILE = ".memeryignore"


class Loader:
    """Scans a folder by its directory entries; it opens no file except `.memeryignore`.

    Args:
        archive: the archive of the folder.
        store: its store.
        decoder_fingerprint: the current decoders and limits; files that were skipped with others
            are tried again.
        follow_links: follow symbolic links to files and folders.
    """

    def __init__(
        self, archive: Archive, store: Store, decoder_fingerprint: str, *, follow_links: bool
    ) -> None:
        self._archive = archive
        self._store = store
        self._decoder_fingerprint = decoder_fingerprint
        self._follow_links = follow_links

    def load(self, space: Space, *, everything: bool = False) -> Changes:
        """Compare the folder with the store.

        Args:
            space: the space that must have an embedding of each image.
            everything: report unchanged files as changed.
        """
        scan = _Scan(self._archive, follow_links=self._follow_links)
        within = Filter(self._archive.scope)
        with self._store.snapshot() as snapshot:
            stamps = snapshot.scan_state(space, within, self._decoder_fingerprint)
        new, changed, unchanged = [], [], 0
        for path, size, mtime_ns in scan.files():
            if path not in stamps:
                new.append(FileEntry(path, size, mtime_ns))
            elif stamps.pop(path) != (size, mtime_ns) or everything:
                changed.append(FileEntry(path, size, mtime_ns))
            else:
                unchanged += 1
        unseen = {skip.path for skip in scan.skips}
        return Changes(
            new=tuple(new),
            changed=tuple(changed),
            gone=tuple(path for path in stamps if not (unseen and _is_within(path, unseen))),
            unchanged=unchanged,
            links=scan.links,
            excluded=Excluded(scan.folders, scan.unreadable),
            skips=tuple(scan.skips),
        )


class _Scan:
    """One scan of the directory entries below a folder."""

    def __init__(self, archive: Archive, *, follow_links: bool) -> None:
        self._root = os.fspath(archive.root)
        self._start = archive.scope
        inside = archive.folder.is_relative_to(archive.root)
        self._archive = archive.folder.relative_to(archive.root).as_posix() if inside else None
        self._follow_links = follow_links
        self._rule = _ignore_rules(archive.root)
        self._visited: set[tuple[int, int]] = set()
        self.links = 0
        self.folders: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.skips: list[Skip] = []

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Path, size and mtime_ns of the files that may be images, in no particular order.

        Links to folders are followed last, so that a folder below the root keeps its own path.
        """
        waiting = [self._start]
        links: list[str] = []
        while waiting or links:
            folder = waiting.pop() if waiting else links.pop()
            prefix = f"{folder}/" if folder else ""
            for entry in self._entries(folder):
                path = prefix + entry.name
                try:
                    if entry.is_dir(follow_symlinks=self._follow_links):
                        if path != self._archive and self._is_included(entry.name, path):
                            (links if entry.is_symlink() else waiting).append(path)
                    elif self._is_candidate(entry, path):
                        stat = entry.stat(follow_symlinks=self._follow_links)
                        yield path, stat.st_size, modified_ns(stat)
                except OSError as error:
                    self._skip(path, error)

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Entries of a folder, without hidden ones and links that are not followed.

        A folder with a `.nomedia` file has no entries, unless it is the scanned folder itself or
        `.memeryignore` includes it.
        """
        place = f"{self._root}/{folder}" if folder else self._root
        try:
            with os.scandir(place) as entries:
                if self._follow_links and not self._first_visit(place):
                    return
                found = list(entries)
                if any(entry.name == NO_MEDIA for entry in found) and not self._is_explicit(folder):
                    self.folders[NO_MEDIA] += 1
                    return
                for entry in found:
                    if entry.name.startswith("."):
                        if system_folder(entry.name) and entry.is_dir(follow_symlinks=False):
                            self.folders[entry.name] += 1
                        continue
                    if not self._follow_links and entry.is_symlink():
                        self.links += 1
                        continue
                    yield entry
        except OSError as error:
            self._skip(folder, error)

    def _skip(self, path: str, error: OSError) -> None:
        """Record a path that cannot be scanned; ignore one that has just been deleted."""
        if not isinstance(error, FileNotFoundError):
            self.skips.append(Skip(path, _reason(error), error.strerror or ""))

    def _is_explicit(self, folder: str) -> bool:
        """Whether a folder is the scanned one, or a line of `.memeryignore` includes it."""
        return folder == self._start or bool(self._rule and self._rule(f"{folder}/") is False)

    def _is_included(self, name: str, path: str) -> bool:
        """Whether to scan a folder: `.memeryignore` decides, or else its name."""
        ignored = self._rule and self._rule(f"{path}/")
        if ignored is None and (system := system_folder(name)):
            self.folders[system] += 1
            return False
        return not ignored

    def _is_candidate(self, entry: os.DirEntry[str], path: str) -> bool:
        _, dot, extension = entry.name.rpartition(".")
        extension = extension.lower()
        readable = not dot or extension in EXTENSIONS
        if (
            not (readable or extension in UNSUPPORTED_EXTENSIONS)
            or not entry.is_file(follow_symlinks=self._follow_links)
            or (self._rule and self._rule(path))
        ):
            return False
        if not readable:
            self.unreadable[extension] += 1
        return readable

    def _first_visit(self, place: str) -> bool:
        """Whether a folder has not been scanned yet; this ends loops of links."""
        stat = Path(place).stat()
        key = (stat.st_dev, stat.st_ino)
        if key in self._visited:
            return False
        self._visited.add(key)
        return True


def _is_within(path: str, places: set[str]) -> bool:
    """Whether a path is one of these places or below one; "" is the root."""
    parts = path.split("/")
    return any("/".join(parts[:count]) in places for count in range(len(parts) + 1))


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "forbidden"
    return "name too long" if error.errno == errno.ENAMETOOLONG else "input/output error"


def _ignore_rules(root: Path) -> Callable[[str], bool | None] | None:
    """Load `.memeryignore` from the archive's root; None without such a file.

    Returns:
        A function of a path: True if it is ignored, False if a line with `!` includes it, else
        None.
    """
    file = root / IGNORE_FILE
    try:
        if not file.is_file():
            return None
        lines = read_text(file, errors="surrogateescape")
    except OSError:
        return None
    except ValueError as error:  # never index files that the user wants to exclude
        raise ConfigError(f"{file} cannot be read: {error}.") from None
    import pathspec

    valid = []
    for line in lines.splitlines():
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error):  # git ignores such lines too
            logger.warning("%s: ignoring the invalid pattern %r.", file, line)
        else:
            valid.append(line)
    rules: pathspec.GitIgnoreSpec = pathspec.GitIgnoreSpec.from_lines(valid)
    return lambda path: rules.check_file(path).include
