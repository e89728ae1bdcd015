"""Confine file operations to a folder: neither a name nor a symbolic link leads out of it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

_BY_DESCRIPTOR = os.open in os.supports_dir_fd
"""False on Windows, where names are joined to the path and only their validation protects."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = {"rb": os.O_RDONLY, "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND}


class ConfinedFolder:
    """A folder, created if it is missing and held open until `close`.

    Names are relative, with "/" between their parts. They are resolved from the open folder, part
    by part, without following symbolic links, so that no operation leaves the folder. Every method
    raises OSError.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = _open_folder(path) if _BY_DESCRIPTOR else None

    def close(self) -> None:
        """Close the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def size(self, name: str) -> int | None:
        """Return the size of a file in bytes, or None if no regular file has that name."""
        with self._parent(name) as (last, parent):
            try:
                facts = os.stat(last, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def open(self, name: str, mode: Literal["rb", "ab"]) -> BinaryIO:
        """Open a file for reading, or for appending to it."""
        with self._parent(name) as (last, parent):
            # The default of os.open, 0o777, would make the file executable; open() uses 0o666.
            descriptor = os.open(last, _FLAGS[mode] | _NO_LINKS, 0o666, dir_fd=parent)
        return os.fdopen(descriptor, mode)

    def delete(self, name: str) -> None:
        """Delete a file or a link, if it exists."""
        with self._parent(name) as (last, parent), contextlib.suppress(FileNotFoundError):
            os.unlink(last, dir_fd=parent)

    def rename(self, name: str, new: str) -> None:
        """Rename a file, replacing any file with the new name."""
        with self._parent(name) as (last, parent), self._parent(new) as (new_last, new_parent):
            os.replace(last, new_last, src_dir_fd=parent, dst_dir_fd=new_parent)

    def link(self, name: str, to: str) -> None:
        """Create a symbolic link to another file of this folder, replacing any file of that name.

        Raises:
            OSError: the link cannot be created, for example because the system does not support it.
        """
        target = os.path.relpath(to, os.path.dirname(name))  # noqa: PTH120 - names, not paths
        with self._parent(name) as (last, parent):
            with contextlib.suppress(OSError):
                if os.readlink(last, dir_fd=parent) == target:
                    return
            self.delete(name)
            os.symlink(target, last, dir_fd=parent)

    @contextlib.contextmanager
    def _parent(self, name: str) -> Iterator[tuple[str, int | None]]:
        """Yield the last part of a name and its parent folder, created if it is missing."""
        *folders, last = name.split("/")
        if self._descriptor is None:
            parent = self.path.joinpath(*folders)
            parent.mkdir(parents=True, exist_ok=True)
            yield os.fspath(parent / last), None
            return
        with contextlib.ExitStack() as stack:
            at = self._descriptor
            for folder in folders:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=at)
                at = _open_folder(folder, at)
                stack.callback(os.close, at)
            yield last, at


def _open_folder(path: str | Path, parent: int | None = None) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY
    if parent is not None:
        flags |= _NO_LINKS
    return os.open(path, flags, dir_fd=parent)
