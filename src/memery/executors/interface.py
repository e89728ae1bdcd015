"""The Protocols of the executors. The flows use only these, so any executor can be replaced.

index_flow:   Loader ─ Changes ─▶ Crafter ─ Batch ─▶ Encoder ─ embeddings ─▶ Indexer
              then TextReader ─ OcrBatch ─▶ Indexer
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
    """Scans the folder and compares it with the store."""

    def load(self, space: Space, *, everything: bool = False) -> Changes:
        """Find the changes.

        Args:
            space: the space that must have an embedding of each image.
            everything: report unchanged files as changed.
        """
        ...


class Crafter(Protocol):
    """Preprocessor: reads, decodes and resizes images."""

    def craft(
        self,
        entries: Sequence[FileEntry],
        known: Container[str],
        undated: Container[str] = (),
        outdated: Container[str] = (),
    ) -> Generator[Batch, None, None]:
        """Read files in parallel, and return them in order.

        Args:
            entries: the files.
            known: digests with a stored embedding; they are not decoded.
            undated: known digests whose date is read again.
            outdated: known digests from an earlier decoder; they are decoded if their pixels have
                changed.
        """
        ...

    def craft_query(self, query: Query, known: Container[str]) -> list[LoadedImage]:
        """Read the image terms of a query, in order; decode those without a stored embedding."""
        ...


class TextReader(Protocol):
    """Recognises text in images (OCR)."""

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[OcrBatch, None, None]:
        """Recognise the text in files, in order.

        Args:
            pending: files, each with its digest when it was indexed.
        """
        ...


class Encoder(Protocol):
    """Runs the embedding model."""

    @property
    def space(self) -> Space:
        """The space of the embeddings."""
        ...

    @property
    def known(self) -> Container[str]:
        """Digests with a stored embedding."""
        ...

    def encode_images(self, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """Encode the images that have pixels: float32 of shape (n, dim), L2-normalised."""
        ...

    def encode_query(self, query: Query, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """Encode a query and its image terms as a unit vector: float32 of shape (dim,).

        Raises:
            PixelsMissing: the store was purged since an image term was read.
        """
        ...

    def unsupported_texts(self, query: Query) -> tuple[str, ...]:
        """The texts of a query whose script is not in the vocabulary of the model."""
        ...


class IndexRun(Protocol):
    """One run of the indexing flow over a folder; see `Indexer.run`.

    Attributes:
        pending_files: files to read, newest first.
        known: digests with a stored embedding.
        undated: digests whose date is read again.
        outdated: digests from an earlier decoder, which may have given other pixels.
    """

    pending_files: Sequence[FileEntry]
    known: Container[str]
    undated: Container[str]
    outdated: Container[str]

    def progress(self) -> Progress:
        """The current counts."""
        ...

    def commit(self, batch: Batch, embeddings: NDArray[np.float32]) -> Progress:
        """Commit a batch in one transaction.

        Args:
            batch: files processed by the Crafter.
            embeddings: float32 of shape (n, dim), from `Encoder.encode_images` for the batch.
        """
        ...

    def report(self) -> IndexReport:
        """The result of the run so far."""
        ...


class OcrRun(Protocol):
    """One run of OCR over a folder; see `Indexer.ocr_run`.

    Attributes:
        pending_images: files without recognised text, with their digests.
    """

    pending_images: Sequence[tuple[FileEntry, str]]

    def commit(self, batch: OcrBatch) -> Progress:
        """Commit recognised texts in one transaction."""
        ...

    def report(self) -> IndexReport:
        """The given report with the counts of the run added."""
        ...


class Indexer(Protocol):
    """Commits embeddings and texts to the store."""

    def run(
        self, scan: Callable[[], Changes], *, rebuild: bool = False, activate: bool = True
    ) -> AbstractContextManager[IndexRun]:
        """Index a folder as its only writer.

        If nothing has changed, the archive is not locked. If an exception ends the run, committed
        batches are kept.

        Args:
            scan: compares the folder with the store. It is called again if another process wrote
                before the archive was locked.
            rebuild: encode every image again; afterwards delete the old embeddings.
            activate: make the space active at the end.

        Raises:
            ArchiveLocked: another process is writing.
        """
        ...

    def ocr_run(
        self, report: IndexReport, *, everything: bool = False
    ) -> AbstractContextManager[OcrRun]:
        """Commit recognised texts as the only writer; lock the archive only if images are pending.

        Args:
            report: the report of the indexing run, to which the counts are added.
            everything: recognise all texts again.

        Raises:
            ArchiveLocked: another process is writing.
        """
        ...

    def ensure_indexed(self) -> None:
        """Raise an error if the space is not indexed.

        Raises:
            ArchiveMissing: nothing is indexed.
            ModelMismatch: images are indexed with other models only.
        """
        ...


class Ranker(Protocol):
    """Turns a vector into hits."""

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """Rank images.

        Args:
            space: the space of the vector.
            vector: float32 of shape (dim,), L2-normalised.
            words: the words, names and exact copies to look for.
            options: how hits are chosen.
        """
        ...


class Deduplicator(Protocol):
    """Groups near duplicates."""

    def group(self, space: Space, scope: Filter, *, exact_only: bool) -> tuple[DuplicateGroup, ...]:
        """Group the near duplicates among the images that pass a filter."""
        ...


@dataclass(frozen=True, slots=True)
class Executors:
    """One executor of each kind, and the archive that they work on.

    Without `reader`, OCR is skipped. `store` is the store that the Encoder and the Ranker read.
    """

    archive: Archive
    loader: Loader
    crafter: Crafter
    encoder: Encoder
    indexer: Indexer
    ranker: Ranker
    deduplicator: Deduplicator
    reader: TextReader | None = None
    store: Searchable | None = None

    def snapshot(self) -> AbstractContextManager[SearchSnapshot | None]:
        """Open a snapshot, so that a search reads one committed state; None without a store."""
        return nullcontext() if self.store is None else self.store.snapshot()
