"""Indexing flows that run beside searches, one at a time: begun, watched, cancelled."""

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

RUNNING = ("waiting", "indexing", "reading")
_AGAIN_SECONDS = 1.0
"""Between two looks at an archive that another process writes."""
_HELD = "Another process is writing the archive: the job begins when that has finished."


@dataclass(frozen=True, slots=True)
class Job:
    """The indexing of one collection.

    Attributes:
        collection: its name.
        state: "idle", "waiting", "indexing", "reading", "done", "failed" or "cancelled".
        done: files dealt with in this stage.
        total: files to deal with.
        skipped: files that had to be skipped.
        searchable: images that a search finds.
        started: when the stage began, seconds of `time.monotonic`.
        ended: when the job did, likewise.
        message: what went wrong, or what is waited for, for people.
        excluded: what the last scan left out, and what helps, for people.
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
        """How long this stage has run."""
        if not self.started:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    @property
    def eta_seconds(self) -> float | None:
        """How long it will still run, going by what is done; None where that cannot be said."""
        if self.state not in RUNNING or not self.done:
            return None
        return self.seconds / self.done * (self.total - self.done)


class _CancelledError(Exception):
    """Thrown through the indexing flow between two batches."""


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
        """Whether any collection is being indexed, or waits for it."""
        return any(job.state in RUNNING for job in self.all())

    def begin(self, names: Sequence[str]) -> list[Job]:
        """Index collections, unless that is under way."""
        found = {name: self._collections[name].memery.count() for name in names}
        with self._mutex:
            for name in names:
                if self._jobs[name].state not in RUNNING and not self._closing:
                    excluded = self._jobs[name].excluded
                    self._set(Job(name, "waiting", searchable=found[name], excluded=excluded))
                    self._waiting.append(name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="memery-index", daemon=True)
                self._thread.start()
            self._mutex.notify()
            return [self._jobs[name] for name in names]

    def cancel(self, names: Sequence[str]) -> list[Job]:
        """Stop jobs after the batch under way; what was committed stays."""
        names = [self._collections[name].name for name in names]
        with self._mutex:
            for name in names:
                if name in self._waiting:
                    self._waiting.remove(name)
                    self._set(replace(self._jobs[name], state="cancelled", message=""))
                elif self._jobs[name].state in RUNNING:
                    self._cancelled.add(name)
            return [self._jobs[name] for name in names]

    def close(self) -> None:
        """Cancel everything and wait for the batch under way."""
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
            else:  # known without looking through the folder
                self._postpone(name)

    def _postpone(self, name: str) -> None:
        """Stand in line again: nobody is turned away for coming while another process writes."""
        searchable, excluded = self._jobs[name].searchable, self._jobs[name].excluded
        with contextlib.suppress(MemeryError):  # what the other has committed is found already
            searchable = self._collections[name].memery.count()
        with self._mutex:
            if name in self._cancelled or self._closing:
                self._cancelled.discard(name)
                cancelled = replace(self._jobs[name], state="cancelled", message="")
                self._set(replace(cancelled, ended=time.monotonic()))
                return
            waiting = Job(name, "waiting", searchable=searchable, message=_HELD, excluded=excluded)
            self._set(waiting)
            self._waiting.append(name)
            self._mutex.wait_for(lambda: self._closing, _AGAIN_SECONDS)

    def _index(self, name: str) -> None:
        state, message = "done", ""
        with self._mutex:
            before = self._jobs[name]
            excluded = before.excluded
            fresh = Job(name, "indexing", searchable=before.searchable, excluded=excluded)
            self._set(replace(fresh, started=time.monotonic()))
        try:
            report = self._collections.build(name, lambda progress: self._note(name, progress))
            excluded = tuple(describe_excluded(report.excluded))
        except ArchiveLocked:
            self._postpone(name)
            return
        except _CancelledError:
            state = "cancelled"
        except MemeryError as error:
            state, message = "failed", str(error)
            logger.warning("%s", error)
        except Exception:
            state, message = "failed", "Something unforeseen happened: see the server's log."
            logger.exception("The index of %s could not be brought up to date.", name)
        with self._mutex:
            self._cancelled.discard(name)
            job = replace(self._jobs[name], state=state, message=message, ended=time.monotonic())
            job = replace(job, excluded=excluded)
        with contextlib.suppress(MemeryError):  # whatever was committed, by whomever, is found
            job = replace(job, searchable=self._collections[name].memery.count())
        with self._mutex:
            self._set(job)

    def _note(self, name: str, progress: Progress) -> None:
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
