"""A folder that nothing written or deleted by name can leave."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

_BY_DESCRIPTOR = os.open in os.supports_dir_fd
"""False on Windows: there names are joined to the path, and only their form protects."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS = {"rb": os.O_RDONLY, "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND}


class ConfinedFolder:
    """A folder, made if it is missing and held open until `close`.

    Names are relative, with "/" between their parts. They are looked up from the open folder, part
    by part, and no link is followed: neither a name nor what lies in the folder leads out of it.
    Every method raises OSError.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = _open_folder(path) if _BY_DESCRIPTOR else None

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None where there is none or something else."""
        with self._parent(name) as (last, parent):
            try:
                facts = os.stat(last, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    def open(self, name: str, mode: Literal["rb", "ab"]) -> BinaryIO:
        """Open a file for reading, or for appending to it."""
        with self._parent(name) as (last, parent):
            # An executable bit that a umask leaves would be odd: 0o666 is what open() asks for.
            descriptor = os.open(last, _FLAGS[mode] | _NO_LINKS, 0o666, dir_fd=parent)
        return os.fdopen(descriptor, mode)

    def delete(self, name: str) -> None:
        """Delete a file or a link, if it is there."""
        with self._parent(name) as (last, parent), contextlib.suppress(FileNotFoundError):
            os.unlink(last, dir_fd=parent)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, in the place of what has it."""
        with self._parent(name) as (last, parent), self._parent(new) as (new_last, new_parent):
            os.replace(last, new_last, src_dir_fd=parent, dst_dir_fd=new_parent)

    def link(self, name: str, to: str) -> None:
        """Make a symbolic link to another file of this folder, in the place of what is there.

        Raises:
            OSError: or the system knows no links.
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
        """The last part of a name, and the folder that it is in, made if it is missing."""
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
