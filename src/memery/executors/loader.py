"""Loader: walks the folder, compares it with the store, says what is new, changed and gone."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.decoding import EXTENSIONS
from memery.executors.interface import Changes
from memery.stores.interface import Record, Space, Store
from memery.types import FileEntry, Filter, Skip

if TYPE_CHECKING:
    import pathspec

IGNORE_FILE = ".memeryignore"
_TRY_AGAIN = frozenset({"forbidden", "input/output error"})


class Loader:
    """Reads directory entries only; no file is opened except `.memeryignore`.

    Args:
        archive: whose folder to walk.
        store: what to compare with.
        circumstances: the decoders and limits in force; a file skipped under others is new again.
        follow_links: follow symbolic links to files and folders.
    """

    def __init__(
        self, archive: Archive, store: Store, circumstances: str, *, follow_links: bool
    ) -> None:
        self._archive = archive
        self._store = store
        self._circumstances = circumstances
        self._follow_links = follow_links

    def load(self, space: Space, *, everything: bool = False) -> Changes:
        """Compare folder and store."""
        scan = _Scan(self._archive, follow_links=self._follow_links)
        known = {
            record.entry.path: record
            for record in self._store.records(space, Filter(self._archive.scope))
        }
        new, changed, unchanged = [], [], 0
        for entry in scan.files():
            record = known.pop(entry.path, None)
            if record is None:
                new.append(entry)
            elif everything or record.entry != entry or self._is_due(record):
                changed.append(entry)
            else:
                unchanged += 1
        unseen = tuple(f"{skip.path}/" if skip.path else "" for skip in scan.skips)
        return Changes(
            new=tuple(new),
            changed=tuple(changed),
            gone=tuple(path for path in known if not (unseen and path.startswith(unseen))),
            unchanged=unchanged,
            links=scan.links,
            skips=tuple(scan.skips),
        )

    def _is_due(self, record: Record) -> bool:
        """Whether a file that did not change is worth opening all the same."""
        if record.skip is None:
            return not record.encoded
        return record.skip.reason in _TRY_AGAIN or record.circumstances != self._circumstances


class _Scan:
    """One walk through the directory entries below a folder."""

    def __init__(self, archive: Archive, *, follow_links: bool) -> None:
        self._root = os.fspath(archive.root)
        self._start = archive.scope
        self._follow_links = follow_links
        self._is_ignored = _ignore_rules(archive.root)
        self._visited: set[tuple[int, int]] = set()
        self.links = 0
        self.skips: list[Skip] = []

    def files(self) -> Iterator[FileEntry]:
        """Candidates below the folder, in no order."""
        waiting = [self._start]
        while waiting:
            folder = waiting.pop()
            try:
                for entry in self._entries(folder):
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=self._follow_links):
                        if not (self._is_ignored and self._is_ignored(f"{path}/")):
                            waiting.append(path)
                    elif _is_candidate(entry.name):
                        yield from self._candidate(entry, path)
            except OSError as error:
                self.skips.append(Skip(folder, _reason(error), error.strerror or ""))

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Entries that are neither hidden nor links that are not followed."""
        place = f"{self._root}/{folder}" if folder else self._root
        with os.scandir(place) as entries:
            if self._follow_links and not self._first_visit(place):
                return
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not self._follow_links and entry.is_symlink():
                    self.links += 1
                    continue
                yield entry

    def _first_visit(self, place: str) -> bool:
        """False in a folder that links have led to before: loops end."""
        stat = Path(place).stat()
        key = (stat.st_dev, stat.st_ino)
        if key in self._visited:
            return False
        self._visited.add(key)
        return True

    def _candidate(self, entry: os.DirEntry[str], path: str) -> Iterator[FileEntry]:
        if self._is_ignored and self._is_ignored(path):
            return
        try:
            if entry.is_file(follow_symlinks=self._follow_links):
                stat = entry.stat(follow_symlinks=self._follow_links)
                yield FileEntry(path, stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:  # vanished while the folder was being read
            return
        except OSError as error:
            self.skips.append(Skip(path, _reason(error), error.strerror or ""))


def _is_candidate(name: str) -> bool:
    _, dot, extension = name.rpartition(".")
    return not dot or extension.lower() in EXTENSIONS


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "forbidden"
    if isinstance(error, FileNotFoundError):
        return "vanished"
    return "name too long" if error.errno == errno.ENAMETOOLONG else "input/output error"


def _ignore_rules(root: Path) -> Callable[[str], bool] | None:
    """What `.memeryignore` in the archive's root leaves out, or None without one."""
    try:
        lines = (root / IGNORE_FILE).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    import pathspec

    rules: pathspec.GitIgnoreSpec = pathspec.GitIgnoreSpec.from_lines(lines.splitlines())
    return rules.match_file
