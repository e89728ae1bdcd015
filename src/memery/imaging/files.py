"""Reading of files: once, as a whole, and without blocking."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

from memery.errors import ImageError
from memery.imaging.formats import media_type
from memery.text.plurals import counted
from memery.types import FileEntry, ImageFile

_TICK_NS, _COARSE_TICK_NS = 20_000_000, 2_000_000_000
"""Resolution of file systems' clocks: usually a few milliseconds, 1 or 2 s on some."""
_SECOND_NS = 1_000_000_000
_EARLIEST_NS, _LATEST_NS = -(1 << 63) + 2, (1 << 63) - 1
"""The range of 64 bits, 1677 to 2262; minus 1 ns must be possible."""
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not block
)


def read_file(path: str, entry: FileEntry, max_bytes: int) -> tuple[FileEntry, bytes]:
    """Read a file, and its size and modification time at that moment.

    Args:
        path: path of the file.
        entry: the file as found in the scan.
        max_bytes: larger files are rejected.

    Returns:
        The updated entry and the file's bytes.

    Raises:
        ImageError: the file is missing, not a regular file, too large, or cannot be read.
    """
    try:
        with open(path, "rb", opener=lambda name, _: _open(name)) as file:
            descriptor = file.fileno()
            before = os.fstat(descriptor)
            if before.st_size > max_bytes:
                raise ImageError(
                    "too large", f"{counted(before.st_size, 'byte')}; the limit is {max_bytes}"
                )
            data = file.read(before.st_size + 1)
            mtime_ns = _trusted_mtime(before, os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError("vanished", "there is no such file") from None
    except PermissionError as error:
        raise ImageError("forbidden", error.strerror or "") from None
    except ValueError as error:  # a NUL in the name
        raise ImageError("vanished", str(error)) from None
    except MemoryError:
        raise ImageError("too large", "it does not fit into memory") from None
    except OSError as error:
        long = error.errno == errno.ENAMETOOLONG
        reason = "name too long" if long else "input/output error"
        raise ImageError(reason, error.strerror or "") from None
    return replace(entry, size=before.st_size, mtime_ns=mtime_ns), data


def open_inside(root: Path, path: str) -> tuple[BufferedReader, str]:
    """Open an image file below a folder.

    Args:
        root: the folder; symbolic links may lead anywhere inside it.
        path: path relative to it.

    Returns:
        The open file and its media type.

    Raises:
        ImageError: the file is missing, outside the folder, or not a supported image.
    """
    try:
        place = (root / path).resolve(strict=True)
        if not place.is_relative_to(root.resolve()):
            raise ImageError("forbidden", "it lies outside the folder")
        flags = _OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0)  # it may have been replaced by a link
        file = os.fdopen(_open(os.fspath(place), flags), "rb")
    except PermissionError as error:
        raise ImageError("forbidden", error.strerror or "") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise ImageError("vanished", getattr(error, "strerror", "") or str(error)) from None
    try:
        kind = media_type(file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, kind


def modified_ns(facts: os.stat_result) -> int:
    """Return the modification time in nanoseconds since the epoch, clamped to 64 bits.

    File systems support times before 1677 and after April 2262, archives do not.
    """
    return min(max(facts.st_mtime_ns, _EARLIEST_NS), _LATEST_NS)


def is_unchanged(file: BufferedReader, image: ImageFile) -> bool:
    """Whether an open file still has the content that was indexed; hash it if its time differs.

    Args:
        file: opened for reading, at its beginning.
        image: the indexed image.
    """
    facts = os.fstat(file.fileno())
    if facts.st_size != image.size:
        return False
    if modified_ns(facts) == image.mtime_ns:
        return True
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest == image.digest


def stat_if_unchanged(path: str, image: ImageFile) -> os.stat_result | None:
    """Stat a file, following links; None unless it is readable and has its indexed content."""
    try:
        with os.fdopen(_open(path), "rb") as file:
            return os.fstat(file.fileno()) if is_unchanged(file, image) else None
    except (ImageError, OSError, ValueError):
        return None


def _open(path: str, flags: int = _OPEN_FLAGS) -> int:
    """Open a regular file, without blocking on pipes."""
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageError("not an image", "it is not a regular file")
    return descriptor


def _trusted_mtime(before: os.stat_result, after: os.stat_result) -> int:
    """Return the time to store; 1 ns less if the file may have changed without a new time.

    A file changed twice within one tick of the file system's clock looks unchanged the second time.
    Storing a time that the file does not have makes the next scan read it again (compare git's
    "racily clean" entries).
    """
    mtime_ns = modified_ns(before)
    tick = _TICK_NS if mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    if same and abs(time.time_ns() - mtime_ns) > tick:
        return mtime_ns
    return mtime_ns - 1
