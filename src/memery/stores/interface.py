"""The interface of stores, which keep the facts and embeddings of images and search them.

A third-party store implements three classes: a `Store` with seven methods, a `Snapshot` for reads
and a `Writer` for changes. Their arguments and results are defined in `memery.stores.records`;
values derived from these are computed in `memery.stores.derived`.

`tests/stores/contract.py` (also in the source distribution) tests any store against this
interface: subclass its `StoreContract` and add a fixture that opens an empty store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from memery.query.filters import Filter
from memery.stores.records import (
    Browse,
    Contents,
    Facet,
    Groups,
    IndexRecord,
    Listing,
    Match,
    Nearest,
    RecognizedText,
    SkipRecord,
    Space,
    Stamp,
    StoredDigests,
    StoreState,
    TextSearch,
    VectorSearch,
)
from memery.types import FileEntry, ImageFile, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SearchSnapshot(Protocol):
    """Reads for searching, all from one committed state.

    Paths are ordered by their bytes. `fold` counts exact copies as one image: the first by path
    that passes the filter. An image belongs to a space if its content has an embedding in it.
    """

    # Images

    def browse(self, space: Space, request: Browse) -> Listing:
        """List images of a space."""
        ...

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Find images of a space by id or content among those that pass a filter, by path."""
        ...

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images of a space that pass a filter.

        Args:
            space: the space of the images.
            filter: selects the images.
            by: "folder" (by path, images in folders below included; "" is the root), "month" (as
                2023-05, newest first), "type" (extension in lower case, most first), "date_source"
                (as in `ImageFile`) or "ocr_engine" (only images whose text was recognised).
            fold: count exact copies as one.
        """
        ...

    # Vectors

    def search(self, space: Space, request: VectorSearch) -> Nearest:
        """Find the images of a space that are nearest to a vector."""
        ...

    def score_sample(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the cosines of a unit vector with a sample of the space: float32 of shape (n,).

        The sample is all embeddings of a small space, and a few thousand of a large one.
        """
        ...

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """Read those of the given contents that have an embedding in the space."""
        ...

    # Text

    def text(self, digest: str) -> RecognizedText | None:
        """Read the text recognised in a content; None if OCR has not run on it."""
        ...

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Find images whose text contains any of the terms, best first (BM25), ties by path."""
        ...

    def search_names(self, space: Space, terms: Groups, filter: Filter) -> Sequence[ImageFile]:
        """Find images whose name and metadata together contain all of the terms, best first."""
        ...

    def search_paths(self, space: Space, name: str, filter: Filter) -> Sequence[ImageFile]:
        """Find images by file name, then by folder name, both in the order of paths.

        The name may include parent folders and lack the extension. Case and Unicode normalisation
        are ignored.
        """
        ...

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """Select the tokens that occur in the text of any image."""
        ...


class Snapshot(SearchSnapshot, Protocol):
    """All reads: for searching and for indexing."""

    def state(self) -> StoreState:
        """Read version, spaces and settings."""
        ...

    def scan_state(
        self, space: Space, filter: Filter, decoder_fingerprint: str
    ) -> dict[str, Stamp | None]:
        """Map each stored path in the filter's folder to the stamp of its file, if up to date.

        None means that the file must be read again: it has no embedding in the space, no hashes or
        date source, or a digest of `StoredDigests.outdated`; or it was skipped with another
        decoder_fingerprint, or for one of `memery.errors.RETRIED_REASONS`.
        """
        ...

    def digests(self, space: Space) -> StoredDigests:
        """Classify the stored contents by what the next build has to do with them."""
        ...

    def skips(self, filter: Filter) -> Sequence[Skip]:
        """List skipped files in the filter's folder, by path."""
        ...

    def pending_ocr(
        self, filter: Filter, *, everything: bool = False
    ) -> Sequence[tuple[FileEntry, str]]:
        """List one file of each content without recognised text, newest first, with the digest.

        With everything, include contents whose text was recognised.
        """
        ...


class Writer(Protocol):
    """Changes to a store. Each method is one transaction."""

    def commit(
        self, space: Space, records: Sequence[IndexRecord], skips: Sequence[SkipRecord]
    ) -> None:
        """Store a batch. The first space committed to becomes the active one."""
        ...

    def commit_texts(self, texts: Sequence[RecognizedText]) -> None:
        """Store recognised texts, replacing earlier ones; ignore unknown contents."""
        ...

    def remove(self, paths: Collection[str]) -> list[str]:
        """Remove files and return the digests of their contents.

        Embeddings stay, in case the content comes back under another name.
        """
        ...

    def prune(self) -> None:
        """Delete the contents that no file has."""
        ...

    def activate(self, space: Space) -> None:
        """Make a space, which may be new, the one that searches use."""
        ...

    def drop_space(self, space: Space) -> None:
        """Delete an inactive space with its embeddings and queries.

        Files whose content has no embedding in another space are removed too.
        """
        ...

    def remember(self, name: str, value: str) -> None:
        """Store a setting, see `StoreState.settings`."""
        ...


class Searchable(Protocol):
    """What a search reads: one store, or several searched as one."""

    def snapshot(self) -> AbstractContextManager[SearchSnapshot]:
        """Read from one committed state, whatever others commit, purge or replace meanwhile.

        A snapshot belongs to the thread that entered it. A nested snapshot has the same state. Do
        not hold it while a model computes: the database's log grows until it ends.

        Raises:
            ArchiveError: the store cannot be read, is damaged or is closed.
        """
        ...

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """Read the stored embedding of a query's text: float32 of shape (dim,), or None."""
        ...

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Store the embedding of a query's text, if that is possible without waiting.

        The oldest ones beyond a limit are deleted. Unknown spaces are ignored.
        """
        ...


class Store(Searchable, Protocol):
    """Facts and embeddings of one folder of images: the source of truth."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read from one committed state; see `Searchable.snapshot`."""
        ...

    def writing(self) -> AbstractContextManager[Writer]:
        """Write as the only writer.

        Raises:
            ArchiveLocked: another thread or process is writing.
            ArchiveError: the store cannot be written.
        """
        ...

    def refresh(self, space: Space) -> None:
        """Update data derived for searching; must not be called inside `writing`."""
        ...

    def verify(self, space: Space) -> Sequence[str]:
        """Check the store and return one sentence for each fault found."""
        ...

    def close(self) -> None:
        """Release files and memory."""
        ...
