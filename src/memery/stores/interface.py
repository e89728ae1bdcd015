"""What a store is: the truth about a folder's images, and the search over their embeddings.

A third party writes three classes: a `Store` of seven methods, the `Snapshot` that it reads from
and the `Writer` that it is changed by. What they take and give is in `memery.stores.records`,
whatever can be computed from it in `memery.stores.derived`.

`tests/stores/contract.py` (also in the source distribution) holds any store to this page: subclass
its `StoreContract` and give it a fixture that opens an empty store.
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
    """Reads that searching needs, all of them from one committed state.

    Paths are ordered by their bytes. `fold` counts exact copies as one image: the first of them by
    path that passes the filter. An image belongs to a space if its content has an embedding there.
    """

    # Images

    def browse(self, space: Space, request: Browse) -> Listing:
        """List images of a space."""
        ...

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Images of a space that pass a filter and have one of the ids or contents, by path."""
        ...

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images of a space that pass a filter.

        Args:
            space: whose images.
            filter: which of them.
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
        """Cosines of a unit vector with embeddings that represent the space, float32 of shape (n,).

        All embeddings of a small space, a few thousand of a large one.
        """
        ...

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """The contents among these that have an embedding in the space."""
        ...

    # Text

    def text(self, digest: str) -> RecognizedText | None:
        """The text recognised in a content; None if no OCR engine has looked at it."""
        ...

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Images whose text contains any of the terms, best first (bm25), equal ones by path."""
        ...

    def search_names(
        self, space: Space, terms: Groups, filter: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together contain all of the terms, best first."""
        ...

    def search_paths(
        self, space: Space, name: str, filter: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those in folders of this name, each by path.

        The name may include folders above it and lack the extension; case and Unicode normalisation
        make no difference.
        """
        ...

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """The tokens among these that occur in the text of any image."""
        ...


class Snapshot(SearchSnapshot, Protocol):
    """All reads: those of a search, and those that indexing needs."""

    def state(self) -> StoreState:
        """Version, spaces and settings."""
        ...

    def scan_state(
        self, space: Space, filter: Filter, decoder_fingerprint: str
    ) -> dict[str, Stamp | None]:
        """Every known path in the filter's folder, with the stamp of a file that is up to date.

        None means that the file is to be read in any case: it has no embedding in the space, no
        hashes or date source, or a digest of `StoredDigests.outdated`; or it was skipped under
        another decoder_fingerprint, or for one of `memery.errors.RETRIED_REASONS`.
        """
        ...

    def digests(self, space: Space) -> StoredDigests:
        """The stored contents by what the next build has to do with them."""
        ...

    def skips(self, filter: Filter) -> Sequence[Skip]:
        """Skipped files in the filter's folder, by path."""
        ...

    def pending_ocr(
        self, filter: Filter, *, everything: bool = False
    ) -> Sequence[tuple[FileEntry, str]]:
        """One file of each content without recognised text, newest first, with the digest.

        With everything, also of those whose text was recognised.
        """
        ...


class Writer(Protocol):
    """Changes to a store. Each method is one transaction: all of it is stored, or nothing."""

    def commit(
        self, space: Space, records: Sequence[IndexRecord], skips: Sequence[SkipRecord]
    ) -> None:
        """Store a batch. The first space that is committed to becomes the active one."""
        ...

    def commit_texts(self, texts: Sequence[RecognizedText]) -> None:
        """Store recognised texts, replacing earlier ones; unknown contents are ignored."""
        ...

    def remove(self, paths: Collection[str]) -> list[str]:
        """Remove files, and return the digest of each that had a content.

        Embeddings stay, in case the content comes back under another name.
        """
        ...

    def prune(self) -> None:
        """Delete the contents that no file has."""
        ...

    def activate(self, space: Space) -> None:
        """Let a space answer searches from now on; it may be new."""
        ...

    def drop_space(self, space: Space) -> None:
        """Delete an inactive space with its embeddings and queries.

        Files whose content has no embedding in another space are removed too: they are new again.
        """
        ...

    def remember(self, name: str, value: str) -> None:
        """Remember a choice: see `StoreState.settings`."""
        ...


class Searchable(Protocol):
    """What a search reads: one store, or several as if they were one."""

    def snapshot(self) -> AbstractContextManager[SearchSnapshot]:
        """Read from one committed state, whatever others commit, purge or replace meanwhile.

        A snapshot belongs to the thread that entered it. One that is entered inside another is of
        the same state. Hold it while reading, not while a model computes: a database's log grows
        until it ends.

        Raises:
            ArchiveError: the store cannot be read, is damaged or is closed.
        """
        ...

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The remembered embedding of a query's text, float32 of shape (dim,), or None."""
        ...

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Remember the embedding of a query's text, if that is possible without waiting.

        The oldest are dropped beyond a bound. Unknown spaces are ignored.
        """
        ...


class Store(Searchable, Protocol):
    """Facts and embeddings of one folder of images. The store is the truth."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read from one committed state; see `Searchable.snapshot`."""
        ...

    def writing(self) -> AbstractContextManager[Writer]:
        """Be the one writer.

        Raises:
            ArchiveLocked: another thread or process is writing.
            ArchiveError: the store cannot be written.
        """
        ...

    def refresh(self, space: Space) -> None:
        """Bring what is derived for searching up to date; not while `writing`."""
        ...

    def verify(self, space: Space) -> Sequence[str]:
        """What is wrong with the store, one sentence each; empty if nothing is."""
        ...

    def close(self) -> None:
        """Release files and memory."""
        ...
