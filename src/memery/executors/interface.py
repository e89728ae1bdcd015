"""What each executor takes and returns. The flows use only these Protocols; any can be replaced.

index_flow:   Loader ─ Changes ─▶ Crafter ─ Batch ─▶ Encoder ─ embeddings ─▶ Indexer
              then Reader ─ OcrBatch ─▶ Indexer
query_flow:   Crafter ─ LoadedImage ─▶ Encoder ─ vector ─▶ Ranker ─▶ hits
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.archive import Archive
from memery.executors.types import Batch, Changes, LoadedImage, OcrBatch, Ranked
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.terms import Query
from memery.query.text_search.query_words import QueryWords
from memery.stores.interface import Searchable, SearchSnapshot
from memery.stores.records import Space
from memery.types import DuplicateGroup, FileEntry, IndexReport, Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Loader(Protocol):
    """Walks the folder and compares it with the store."""

    def load(self, space: Space, *, everything: bool = False) -> Changes:
        """Say what to read and what is gone; `everything` reads unchanged files too."""
        ...


class Crafter(Protocol):
    """Turns files into pictures."""

    def craft(
        self,
        entries: Sequence[FileEntry],
        known: Container[str],
        undated: Container[str] = (),
        outdated: Container[str] = (),
    ) -> Generator[Batch, None, None]:
        """Read files in parallel, in their order; decode those whose digest is not known.

        Of known ones that are undated, read the date again; decode those that are outdated, if
        their pixels differ from those of an earlier memery.
        """
        ...

    def craft_query(self, query: Query, known: Container[str]) -> list[LoadedImage]:
        """Read the image terms of a query, in their order; decode those that are not known."""
        ...


class Reader(Protocol):
    """Finds the text in pictures."""

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[OcrBatch, None, None]:
        """Read files, given with the digests they had when they were indexed, in their order."""
        ...


class Encoder(Protocol):
    """Drives the model."""

    @property
    def space(self) -> Space:
        """The space that it encodes into."""
        ...

    @property
    def known(self) -> Container[str]:
        """Digests that need not be encoded again."""
        ...

    def encode_images(self, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """Encode the pictures that have pixels: n × dim, L2-normalised."""
        ...

    def encode_query(self, query: Query, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """One unit vector of shape (dim,) for a query and its crafted image terms.

        Raises:
            PixelsMissing: the store was purged since an image term was crafted.
        """
        ...

    def unsupported_texts(self, query: Query) -> tuple[str, ...]:
        """The texts of a query that the model gives the same embedding as any others."""
        ...


class IndexRun(Protocol):
    """One run of the indexing flow over the images of a folder; see `Indexer.run`.

    Attributes:
        pending_files: files to read, newest first.
        known: digests whose embedding is stored.
        undated: digests whose date is to be read again.
        outdated: digests whose embedding may be from other pixels than would be decoded now.
    """

    pending_files: Sequence[FileEntry]
    known: Container[str]
    undated: Container[str]
    outdated: Container[str]

    def progress(self) -> Progress:
        """The counts up to now."""
        ...

    def commit(self, batch: Batch, embeddings: NDArray[np.float32]) -> Progress:
        """Commit a batch in one transaction.

        Args:
            batch: what the Crafter has processed.
            embeddings: as `Encoder.encode_images` returned them for the images of the batch.
        """
        ...

    def report(self) -> IndexReport:
        """What the run has done up to now."""
        ...


class OcrRun(Protocol):
    """One run of OCR over the images of a folder; see `Indexer.ocr_run`.

    Attributes:
        pending_images: files whose text is to be recognised, with their digests.
    """

    pending_images: Sequence[tuple[FileEntry, str]]

    def commit(self, batch: OcrBatch) -> Progress:
        """Commit recognised texts in one transaction."""
        ...

    def report(self) -> IndexReport:
        """What the run has done up to now, added to the report that it was given."""
        ...


class Indexer(Protocol):
    """Commits embeddings and texts to the store."""

    def run(
        self, scan: Callable[[], Changes], *, rebuild: bool = False, activate: bool = True
    ) -> AbstractContextManager[IndexRun]:
        """Index a folder as its only writer.

        If nothing has changed, there is nothing to commit and the archive is not locked. An
        exception ends the run: what was committed is kept.

        Args:
            scan: compares the folder with the store. It is called again if another process has
                written before the archive was locked.
            rebuild: no embedding counts as known; at the end those that were not renewed are
                dropped.
            activate: at the end, let the space answer searches of the whole archive.

        Raises:
            ArchiveLocked: another process is writing.
        """
        ...

    def ocr_run(
        self, report: IndexReport, *, everything: bool = False
    ) -> AbstractContextManager[OcrRun]:
        """Commit recognised texts as the only writer; without pending images, lock nothing.

        Args:
            report: of the images, to which the counts of the run are added.
            everything: recognise text again where that was done before.

        Raises:
            ArchiveLocked: another process is writing.
        """
        ...

    def ensure_indexed(self) -> None:
        """Refuse to search a space that was never indexed.

        Raises:
            ArchiveMissing: nothing is indexed at all.
            ModelMismatch: images are indexed with other models only.
        """
        ...


class Ranker(Protocol):
    """Turns a vector into hits."""

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, ranking: SearchOptions
    ) -> Ranked:
        """One page of hits, and how many there are in all."""
        ...


class Deduplicator(Protocol):
    """Finds the images that are one picture."""

    def group(self, space: Space, scope: Filter, *, exact_only: bool) -> tuple[DuplicateGroup, ...]:
        """Images that pass a filter and have copies, a group each."""
        ...


@dataclass(frozen=True, slots=True)
class Executors:
    """One of each, and the archive that they work on; a Reader only where text is to be read.

    The store is the one that the Encoder and the Ranker read, for a snapshot of it.
    """

    archive: Archive
    loader: Loader
    crafter: Crafter
    encoder: Encoder
    indexer: Indexer
    ranker: Ranker
    deduplicator: Deduplicator
    reader: Reader | None = None
    store: Searchable | None = None

    def snapshot(self) -> AbstractContextManager[SearchSnapshot | None]:
        """Let all that a query reads be of one committed state; None where no store is known."""
        return nullcontext() if self.store is None else self.store.snapshot()
