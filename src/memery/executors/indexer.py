"""Indexer: commits embeddings and texts batch by batch, and refreshes the search index."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import ArchiveMissing, ModelMismatch
from memery.executors.progress import ProgressTracker
from memery.executors.types import Batch, Changes, LoadedImage, OcrBatch
from memery.imaging.thumbnails import Thumbnails
from memery.query.filters import Filter
from memery.stores.derived import count
from memery.stores.interface import Store, Writer
from memery.stores.records import Content, IndexRecord, Space, StoreState
from memery.types import FileEntry, IndexReport, Progress, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Indexer:
    """Writes the archive of one folder.

    Args:
        archive: the archive to write.
        store: its store.
        space: the space of the embeddings.
        thumbnails: thumbnails of the archive; those of removed images are deleted.
    """

    def __init__(
        self, archive: Archive, store: Store, space: Space, thumbnails: Thumbnails | None = None
    ) -> None:
        self._archive = archive
        self._store = store
        self._space = space
        self._thumbnails = thumbnails

    @contextmanager
    def run(
        self, scan: Callable[[], Changes], *, rebuild: bool = False, activate: bool = True
    ) -> Iterator[_IndexRun]:
        """Index a folder as its only writer; lock the archive only for changes."""
        started = time.monotonic()
        version = self._state().version
        changes = scan()
        activate = activate and not self._is_active()
        begin = partial(_IndexRun, self._archive, self._store, self._space, started, rebuild)
        if changes or activate:
            with self._store.writing() as writer:
                if self._state().version != version:  # another process wrote before the lock
                    changes = scan()
                run = begin(writer, changes, writer.remove(changes.gone) if changes.gone else ())
                yield run
                if rebuild:
                    writer.prune()
                if activate:
                    writer.activate(self._space)
        else:
            run = begin(None, changes, ())
            yield run
        self._store.refresh(self._space)
        if self._thumbnails is not None:
            for digest in run.gone_digests():
                self._thumbnails.forget(digest)

    @contextmanager
    def ocr_run(self, report: IndexReport, *, everything: bool = False) -> Iterator[_OcrRun]:
        """Commit recognised texts as the only writer; lock the archive only for pending images."""
        started = time.monotonic()
        scope = Filter(self._archive.scope)
        if not _pending_ocr(self._store, scope, everything=everything):
            yield _OcrRun(None, (), report, started)
            return
        with self._store.writing() as writer:
            pending = _pending_ocr(self._store, scope, everything=everything)
            yield _OcrRun(writer, pending, report, started)

    def ensure_indexed(self) -> None:
        """Raise an error if the space is not indexed."""
        indexed = [info.space for info in self._state().spaces]
        if not indexed:
            raise ArchiveMissing(
                f"Nothing is indexed in {self._archive.searched} yet."
                f" Index it first: memery build {self._archive.searched}"
            )
        if self._space not in indexed:
            raise ModelMismatch(
                f"{self._archive.searched} is not indexed with {self._space.model_id}, but with"
                f" {', '.join(space.model_id for space in indexed)}. First run:"
                f" memery build {self._archive.root} --model {self._space.model_id}"
            )

    def _is_active(self) -> bool:
        """Whether the space is active.

        A run on part of the folder does not change the active space, because the other images have
        no embeddings in it.
        """
        return bool(self._archive.scope) or self._state().active_space in (None, self._space)

    def _state(self) -> StoreState:
        with self._store.snapshot() as snapshot:
            return snapshot.state()


class _IndexRun:
    def __init__(
        self,
        archive: Archive,
        store: Store,
        space: Space,
        started: float,
        rebuild: bool,
        writer: Writer | None,
        changes: Changes,
        removed: Sequence[str],
    ) -> None:
        self._archive = archive
        self._store = store
        self._space = space
        self._writer = writer
        self._changes = changes
        self._started = started
        self._encoded = self._reused = self._moved = 0
        self._skips: list[Skip] = []
        self._removed = len(removed)
        # A removed file whose content appears under another path was moved.
        self._gone_digests = Counter(removed)
        self.pending_files: Sequence[FileEntry] = changes.pending_files
        self.known: Container[str] = set()
        self.undated: Container[str] = set()
        self.outdated: Container[str] = set()
        if self.pending_files:
            with store.snapshot() as snapshot:
                stored = snapshot.digests(space)
            self.known = set() if rebuild else stored.known
            self.undated, self.outdated = stored.undated, stored.outdated
        self._tracker = ProgressTracker("images", len(self.pending_files), self._searchable)

    def progress(self) -> Progress:
        return self._tracker.progress()

    def commit(self, batch: Batch, embeddings: NDArray[np.float32]) -> Progress:
        rows = iter(embeddings)
        assert self._writer is not None  # only changes are committed
        records = [_record(image, rows) for image in batch.images]
        self._writer.commit(self._space, records, batch.skips)
        encoded = sum(image.decoded is not None for image in batch.images)
        self._encoded += encoded
        self._reused += len(batch.images) - encoded
        for image in batch.images:
            if self._gone_digests[image.digest] > 0:
                self._gone_digests[image.digest] -= 1
                self._moved += 1
        skips = [*(skip.skip for skip in batch.skips), *batch.vanished]
        self._skips += skips
        return self._tracker.advance(len(batch.images) + len(skips), len(skips))

    def gone_digests(self) -> Sequence[str]:
        """Digests of removed files that have not been found under another path so far."""
        return [digest for digest, files in self._gone_digests.items() if files > 0]

    def report(self) -> IndexReport:
        return IndexReport(
            archive=self._archive.folder,
            index=self._archive.index,
            model_id=self._space.model_id,
            searchable=self._searchable(),
            encoded=self._encoded,
            reused=self._reused,
            moved=self._moved,
            unchanged=self._changes.unchanged,
            removed=self._removed - self._moved,
            skips=(*self._changes.skips, *self._skips),
            excluded=self._changes.excluded,
            seconds=time.monotonic() - self._started,
        )

    def _searchable(self) -> int:
        with self._store.snapshot() as snapshot:
            return count(snapshot, self._space, Filter(self._archive.scope))


class _OcrRun:
    def __init__(
        self,
        writer: Writer | None,
        pending: Sequence[tuple[FileEntry, str]],
        report: IndexReport,
        started: float,
    ) -> None:
        self._writer = writer
        self._report = report
        self._started = started
        self.pending_images = pending
        self._tracker = ProgressTracker("text", len(pending), lambda: report.searchable)

    def commit(self, batch: OcrBatch) -> Progress:
        assert self._writer is not None  # only pending images are committed
        self._writer.commit_texts(batch.texts)
        done = self._report
        self._report = replace(
            done,
            read=done.read + len(batch.texts),
            with_text=done.with_text + sum(bool(text.lines) for text in batch.texts),
            finding=done.finding + batch.finding,
            recognising=done.recognising + batch.recognising,
        )
        return self._tracker.advance(len(batch.texts) + batch.skipped, batch.skipped)

    def report(self) -> IndexReport:
        seconds = time.monotonic() - self._started
        return replace(self._report, seconds=self._report.seconds + seconds)


def _pending_ocr(
    store: Store, scope: Filter, *, everything: bool
) -> Sequence[tuple[FileEntry, str]]:
    with store.snapshot() as snapshot:
        return snapshot.pending_ocr(scope, everything=everything)


def _record(image: LoadedImage, embeddings: Iterator[NDArray[np.float32]]) -> IndexRecord:
    """Make the record of an image; an image with pixels takes the next embedding."""
    decoded = image.decoded
    if decoded is None:
        return IndexRecord(image.entry, image.digest, None, image.taken)
    content = Content(
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        taken_at=decoded.taken_at,
        embedding=next(embeddings),
        notes=decoded.notes,
        hashes=decoded.hashes,
        colour=decoded.colour,
        date_source=decoded.date_source,
        damage=decoded.damage,
    )
    return IndexRecord(image.entry, image.digest, content, image.taken)
