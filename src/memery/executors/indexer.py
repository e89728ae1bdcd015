"""Indexer: commits embeddings batch by batch, refreshes the search index, keeps count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import ArchiveMissing, ModelMismatch
from memery.executors.interface import Batch, Changes, Read
from memery.filters import Filter
from memery.stores.interface import Addition, Content, Space, Store
from memery.thumbnails import Thumbnails
from memery.types import FileEntry, IndexReport, Progress, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COUNT_SECONDS = 1.0
"""How often progress counts what is searchable: counting 100,000 takes a while."""


class Indexer:
    """One run's writer.

    Args:
        archive: which archive is written.
        store: where to commit.
        space: the space of the embeddings.
        thumbnails: those of the archive; what is gone has none there any more.
    """

    def __init__(
        self, archive: Archive, store: Store, space: Space, thumbnails: Thumbnails | None = None
    ) -> None:
        self._archive = archive
        self._store = store
        self._space = space
        self._thumbnails = thumbnails
        self._scope = Filter(archive.scope)
        self.expect(0)

    def expect(self, total: int) -> Progress:
        """Begin counting anew."""
        self._started = time.monotonic()
        self._total, self._done = total, 0
        self._encoded = self._reused = self._moved = self._removed = 0
        self._gone_digests: Counter[str] = Counter()
        self._skips: list[Skip] = []
        self._reads: list[Read] = []
        self._stage = "images"
        self._version = self._store.version()
        self._recount()
        return self._progress()

    def begin(self) -> AbstractContextManager[None]:
        """Be the archive's one writer."""
        return self._store.writing()

    def is_stale(self) -> bool:
        """Whether another process has written since `expect`."""
        return self._store.version() != self._version

    def known(self) -> set[str]:
        """Digests whose embedding is stored already."""
        return self._store.known_digests(self._space)

    def outdated(self) -> set[str]:
        """Digests whose embedding may be from other pixels than would be decoded now."""
        return self._store.outdated(self._space)

    def undated(self) -> set[str]:
        """Digests whose stored date is out of date."""
        return self._store.undated()

    def remove(self, paths: Sequence[str]) -> None:
        """Forget files that are gone; should their content turn up elsewhere, it has moved."""
        if paths:
            self._gone_digests = Counter(self._store.remove(paths))
            self._removed = self._gone_digests.total()
            self._recount()

    def index(self, batch: Batch, embeddings: NDArray[np.float32]) -> Progress:
        """Commit a batch in one transaction."""
        rows = iter(embeddings)
        additions = []
        for picture in batch.pictures:
            seen = picture.decoded
            content = (
                None
                if seen is None
                else Content(
                    seen.width,
                    seen.height,
                    seen.format,
                    seen.taken_at,
                    next(rows),
                    seen.notes,
                    seen.hashes,
                    seen.colour,
                    seen.date_source,
                    seen.damage,
                )
            )
            additions.append(Addition(picture.entry, picture.digest, content, picture.taken))
        self._store.commit(self._space, additions, batch.skips)
        self._count(batch)
        return self._progress()

    def _count(self, batch: Batch) -> None:
        encoded = sum(picture.decoded is not None for picture in batch.pictures)
        self._encoded += encoded
        self._reused += len(batch.pictures) - encoded
        for picture in batch.pictures:
            if self._gone_digests[picture.digest] > 0:
                self._gone_digests[picture.digest] -= 1
                self._moved += 1
        self._skips += [skip.skip for skip in batch.skips] + list(batch.vanished)
        self._done += len(batch.pictures) + len(batch.skips) + len(batch.vanished)
        if not self._searchable or time.monotonic() - self._counted > _COUNT_SECONDS:
            self._recount()

    def _recount(self) -> None:
        self._searchable = self._store.count(self._space, self._scope)
        self._counted = time.monotonic()

    def _progress(self) -> Progress:
        skipped = len(self._skips)
        if self._stage == "text":
            skipped = sum(read.passed for read in self._reads)
        return Progress(self._done, self._total, skipped, self._searchable, self._stage)

    def unread(self, *, everything: bool) -> Sequence[tuple[FileEntry, str]]:
        """Files whose text is to be read, with their digests; everything: those read too."""
        pending = self._store.unread(self._scope, everything=everything)
        self._stage, self._done, self._total = "text", 0, len(pending)
        return pending

    def index_texts(self, read: Read) -> Progress:
        """Commit what was read in one transaction."""
        self._store.commit_texts(read.texts)
        self._reads.append(read)
        self._done += len(read.texts) + read.passed
        return self._progress()

    def answers(self) -> bool:
        """Whether the space is the one that answers searches of the whole archive.

        A part of the folder never moves the archive to another space: the rest would be lost to it.
        """
        return bool(self._archive.scope) or self._store.current_space() in (None, self._space)

    def adopt(self) -> None:
        """Everything is committed: let the space answer searches from now on."""
        self._store.switch_space(self._space)

    def prune(self) -> None:
        """Everything was encoded anew: drop what belongs to files that are gone."""
        self._store.prune()

    def require(self) -> None:
        """Refuse to search a space that was never indexed.

        Raises:
            ArchiveMissing: nothing was indexed at all.
            ModelMismatch: only with other models.
        """
        held = [space for space, _ in self._store.spaces()]
        if not held:
            raise ArchiveMissing(
                f"Nothing is indexed in {self._archive.searched} yet."
                f" Index it first: memery build {self._archive.searched}"
            )
        if self._space not in held:
            raise ModelMismatch(
                f"{self._archive.searched} is not indexed with {self._space.model_id}, but with"
                f" {', '.join(space.model_id for space in held)}. Index it with it first:"
                f" memery build {self._archive.root} --model {self._space.model_id}"
            )

    def refresh(self) -> None:
        """Bring the search index up to date, outside `begin`."""
        self._store.refresh(self._space)
        if self._thumbnails is not None:
            for digest, files in self._gone_digests.items():
                if files > 0:  # it has not moved
                    self._thumbnails.forget(digest)

    def report(self, changes: Changes) -> IndexReport:
        """What was done."""
        self._recount()
        return IndexReport(
            archive=self._archive.folder,
            index=self._archive.index,
            model_id=self._space.model_id,
            searchable=self._searchable,
            encoded=self._encoded,
            reused=self._reused,
            moved=self._moved,
            unchanged=changes.unchanged,
            removed=self._removed - self._moved,
            skips=(*changes.skips, *self._skips),
            excluded=changes.excluded,
            seconds=time.monotonic() - self._started,
            read=sum(len(read.texts) for read in self._reads),
            with_text=sum(bool(text.lines) for read in self._reads for text in read.texts),
            finding=sum(read.finding for read in self._reads),
            recognising=sum(read.recognising for read in self._reads),
        )
