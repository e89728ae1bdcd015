"""Files are read once, whole, without waiting for anyone."""

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
"""A file system's clock: usually a few milliseconds a tick, on some 1 or 2 s."""
_SECOND_NS = 1_000_000_000
_EARLIEST_NS, _LATEST_NS = -(1 << 63) + 2, (1 << 63) - 1
"""What 64 bits hold, 1677 to 2262, and one less than the earliest."""
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe with an image's name must not hold the flow up
)


def read_file(path: str, entry: FileEntry, max_bytes: int) -> tuple[FileEntry, bytes]:
    """The file's bytes, and its facts as they were then.

    Args:
        path: where it lies.
        entry: what the directory said.
        max_bytes: larger files are refused.

    Raises:
        ImageError: it is gone, no regular file, too large, or the system refuses.
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
    """A file below a folder, and its media type, if it is an image.

    Args:
        root: the folder; symbolic links may lead anywhere inside it.
        path: relative to it.

    Raises:
        ImageError: it is gone, lies elsewhere, or is no image that memery opens.
    """
    try:
        place = (root / path).resolve(strict=True)
        if not place.is_relative_to(root.resolve()):
            raise ImageError("forbidden", "it lies outside the folder")
        flags = _OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0)  # nobody changed it into a link since
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
    """Time of last modification, nanoseconds since the epoch, in 64 bits.

    File systems hold times that archives cannot: before 1677 and after April 2262. They count as
    the first and the last moment that can be stored.
    """
    return min(max(facts.st_mtime_ns, _EARLIEST_NS), _LATEST_NS)


def is_unchanged(file: BufferedReader, image: ImageFile) -> bool:
    """Whether an open file still holds what was indexed; it is hashed where only its time differs.

    Args:
        file: opened for reading, at its beginning.
        image: what was indexed.
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
    """Stat a file, links followed; None unless it can be read and holds what was indexed."""
    try:
        with os.fdopen(_open(path), "rb") as file:
            return os.fstat(file.fileno()) if is_unchanged(file, image) else None
    except (ImageError, OSError, ValueError):
        return None


def _open(path: str, flags: int = _OPEN_FLAGS) -> int:
    """Open a regular file and nothing else, without waiting for anyone."""
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageError("not an image", "it is not a regular file")
    return descriptor


def _trusted_mtime(before: os.stat_result, after: os.stat_result) -> int:
    """The time to store; off by 1 ns if the file may have changed without its time telling.

    A file changed twice within one tick of the file system's clock looks unchanged the second time.
    Storing a time that it never has makes the next scan read it once more (as git does with its
    "racily clean" entries).
    """
    mtime_ns = modified_ns(before)
    tick = _TICK_NS if mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    if same and abs(time.time_ns() - mtime_ns) > tick:
        return mtime_ns
    return mtime_ns - 1
