"""The lock that lets one process at a time write to an archive."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import ArchiveError, ArchiveLocked, unwritable

if TYPE_CHECKING:
    from filelock import FileLock

LOCK_NAME = "lock"
HOLDER_NAME = "lock.pid"


class WriterLock:
    """An advisory lock in the folder of an archive, with the process id of its holder.

    Args:
        folder: the folder of the archive; it exists when the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock as the only writer.

        Raises:
            ArchiveLocked: another process holds it; the message names the process.
        """
        lock = self._acquire()
        if lock is None:
            raise self._locked()
        holder = self._folder / HOLDER_NAME
        try:
            with contextlib.suppress(OSError):  # informational, not the lock itself
                holder.write_text(str(os.getpid()), encoding="ascii")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def _acquire(self) -> FileLock | None:
        """Acquire the lock; return None if another process holds it."""
        import filelock

        lock = filelock.FileLock(self._folder / LOCK_NAME, blocking=False, mode=0o600)
        try:
            lock.acquire()
        except filelock.Timeout:
            return None
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return lock

    def _locked(self) -> ArchiveLocked:
        pid = self._recorded_pid()
        who = f"process {pid}" if pid else "another process"
        return ArchiveLocked(
            f"The archive {self._folder} is being written by {who}. Wait until it has finished.",
            pid,
        )

    def holder(self) -> int | None:
        """Return the process id of the current writer, or None."""
        pid = self._recorded_pid()
        if pid is None:
            return None
        with contextlib.suppress(ArchiveError):  # no permission to lock: trust the recorded pid
            if (lock := self._acquire()) is not None:  # the recorded process was killed
                lock.release()
                return None
        return pid

    def _recorded_pid(self) -> int | None:
        try:
            text = (self._folder / HOLDER_NAME).read_text(encoding="ascii")[:20]
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdecimal() else None
