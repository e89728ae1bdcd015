"""Background indexing jobs, one at a time: start, watch, cancel."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from memery.errors import ArchiveLocked, MemeryError
from memery.gateway.collections import Collections
from memery.imaging.exclusions import describe_excluded
from memery.types import Progress

logger = logging.getLogger(__name__)

ACTIVE_STATES = ("waiting", "indexing", "reading")
_RETRY_SECONDS = 1.0
"""Interval of checks whether another process still writes the archive."""
_LOCKED = "Another process is writing the archive. The job starts when that has finished."


@dataclass(frozen=True, slots=True)
class Job:
    """The indexing of one collection.

    Attributes:
        collection: name of the collection.
        state: "idle", "waiting", "indexing", "reading" (OCR), "done", "failed" or "cancelled".
        done: files processed in this stage.
        total: files to process in this stage.
        skipped: skipped files.
        searchable: images that a search finds.
        started: start of the stage, seconds of `time.monotonic`.
        ended: end of the job, seconds of `time.monotonic`.
        message: why the job failed or waits.
        excluded: messages about files that the last scan excluded.
    """

    collection: str
    state: str = "idle"
    done: int = 0
    total: int = 0
    skipped: int = 0
    searchable: int = 0
    started: float = 0.0
    ended: float = 0.0
    message: str = ""
    excluded: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Duration of this stage so far, seconds."""
        if not self.started:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @property
    def eta_seconds(self) -> float | None:
        """Estimated remaining time of this stage, seconds; None if unknown."""
        if self.state not in ACTIVE_STATES or not self.done:
            return None
        return self.seconds / self.done * (self.total - self.done)


class _CancelledError(Exception):
    """Raised in the progress callback to stop the indexing flow between two batches."""


class IndexJobs:
    """Runs the indexing flow of collections in one thread.

    Args:
        collections: what to index.
    """

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._mutex = threading.Condition()
        self._jobs = {c.name: Job(c.name, searchable=c.memery.count()) for c in collections}
        self._waiting: deque[str] = deque()
        self._cancelled: set[str] = set()
        self._closing = False
        self._thread: threading.Thread | None = None

    def __getitem__(self, name: str) -> Job:
        with self._mutex:
            return self._jobs[self._collections[name].name]

    def all(self) -> Sequence[Job]:
        """Every collection's job, in their order."""
        with self._mutex:
            return list(self._jobs.values())

    @property
    def is_running(self) -> bool:
        """Whether any job is running or waiting."""
        return any(job.state in ACTIVE_STATES for job in self.all())

    def begin(self, names: Sequence[str]) -> list[Job]:
        """Start indexing collections, except those that are being indexed.

        Args:
            names: names of the collections.

        Returns:
            Their jobs.
        """
        searchable = {name: self._collections[name].memery.count() for name in names}
        with self._mutex:
            for name in names:
                if self._jobs[name].state not in ACTIVE_STATES and not self._closing:
                    excluded = self._jobs[name].excluded
                    self._set(Job(name, "waiting", searchable=searchable[name], excluded=excluded))
                    self._waiting.append(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memery-index", daemon=True)
                self._thread.start()
            self._mutex.notify()
            return [self._jobs[name] for name in names]

    def cancel(self, names: Sequence[str]) -> list[Job]:
        """Cancel jobs after the current batch; committed work is kept.

        Args:
            names: names of the collections.

        Returns:
            Their jobs.
        """
        names = [self._collections[name].name for name in names]
        with self._mutex:
            for name in names:
                if name in self._waiting:
                    self._waiting.remove(name)
                    self._set(replace(self._jobs[name], state="cancelled", message=""))
                elif self._jobs[name].state in ACTIVE_STATES:
                    self._cancelled.add(name)
            return [self._jobs[name] for name in names]

    def close(self) -> None:
        """Cancel all jobs, and wait for the current batch."""
        self.cancel([job.collection for job in self.all()])
        with self._mutex:
            self._closing = True
            self._mutex.notify()
        if self._thread is not None:
            self._thread.join()

    def _set(self, job: Job) -> None:
        self._jobs[job.collection] = job

    def _run(self) -> None:
        while True:
            with self._mutex:
                self._mutex.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                name = self._waiting.popleft()
            if self._collections[name].memery.archive.holder() is None:
                self._index(name)
            else:  # the lock shows it before the folder is scanned
                self._requeue(name)

    def _requeue(self, name: str) -> None:
        """Requeue: another process holds the lock."""
        searchable, excluded = self._jobs[name].searchable, self._jobs[name].excluded
        with contextlib.suppress(MemeryError):  # what the other process has committed is searchable
            searchable = self._collections[name].memery.count()
        with self._mutex:
            if name in self._cancelled or self._closing:
                self._cancelled.discard(name)
                cancelled = replace(self._jobs[name], state="cancelled", message="")
                self._set(replace(cancelled, ended=time.monotonic()))
                return
            waiting = Job(
                name, "waiting", searchable=searchable, message=_LOCKED, excluded=excluded
            )
            self._set(waiting)
            self._waiting.append(name)
            self._mutex.wait_for(lambda: self._closing, _RETRY_SECONDS)

    def _index(self, name: str) -> None:
        state, message = "done", ""
        with self._mutex:
            before = self._jobs[name]
            excluded = before.excluded
            running = Job(name, "indexing", searchable=before.searchable, excluded=excluded)
            self._set(replace(running, started=time.monotonic()))
        try:
            report = self._collections.build(
                name, lambda progress: self._on_progress(name, progress)
            )
            excluded = tuple(describe_excluded(report.excluded))
        except ArchiveLocked:
            self._requeue(name)
            return
        except _CancelledError:
            state = "cancelled"
        except MemeryError as error:
            state, message = "failed", str(error)
            logger.warning("%s", error)
        except Exception:
            state, message = "failed", "Internal error; see the server log."
            logger.exception("Indexing %s failed.", name)
        with self._mutex:
            self._cancelled.discard(name)
            job = replace(self._jobs[name], state=state, message=message, ended=time.monotonic())
            job = replace(job, excluded=excluded)
        with contextlib.suppress(MemeryError):  # whatever was committed is searchable
            job = replace(job, searchable=self._collections[name].memery.count())
        with self._mutex:
            self._set(job)

    def _on_progress(self, name: str, progress: Progress) -> None:
        with self._mutex:
            if name in self._cancelled or self._closing:
                raise _CancelledError
            job = self._jobs[name]
            state = "reading" if progress.stage == "text" else "indexing"
            started = job.started if job.state == state else time.monotonic()
            self._set(
                replace(
                    job,
                    state=state,
                    started=started,
                    done=progress.done,
                    total=progress.total,
                    skipped=progress.skipped,
                    searchable=progress.searchable,
                )
            )
