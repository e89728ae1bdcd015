"""What a store is: the truth about a folder's images, and the search over their embeddings.

A third party writes three classes: a `Store` of seven methods, the `Snapshot` that it reads from
and the `Writer` that it is changed by. Whatever can be computed from these is in
`memery.stores.derived`. `tests/stores/contract.py` (also in the source distribution) holds any
store to this page: subclass its `StoreContract` and give it a fixture that opens an empty store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from memery.filters import Filter
from memery.types import FileEntry, ImageFile, Line, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.dates import Taken


Stamp = tuple[int, int]
"""A file's size in bytes and its mtime_ns: while both stay, so does its content."""
Groups = Sequence[Sequence[tuple[str, ...]]]
"""Terms to find: for each of them the phrases, of one token or more, any of which will do."""
Order = Literal["name", "date"]
"""By path, or the newest first: `ImageFile.date`, then path."""
Facet = Literal["folder", "month", "type", "date_source", "ocr_engine"]
"""What images can be counted by."""


@dataclass(frozen=True, slots=True)
class Space:
    """One embedding space.

    Attributes:
        model_id: the model's name.
        fingerprint: of the model's towers, preprocessing and precision.
        dim: numbers per embedding.
    """

    model_id: str
    fingerprint: str
    dim: int


@dataclass(frozen=True, slots=True)
class SpaceInfo:
    """What a store knows of a space.

    Attributes:
        space: the space.
        embeddings: how many it holds, those of vanished files included.
        is_active: it is the one that answers searches.
    """

    space: Space
    embeddings: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store as a whole.

    Attributes:
        version: a number that grows with every commit, by any process.
        spaces: every space, oldest first.
        settings: the choices that the archive remembers.
    """

    version: int
    spaces: tuple[SpaceInfo, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def active_space(self) -> Space | None:
        """The space that answers searches; None where nothing was indexed."""
        return next((info.space for info in self.spaces if info.is_active), None)


@dataclass(frozen=True, slots=True)
class Content:
    """What was learnt from an image's bytes.

    Attributes:
        width: pixels, upright.
        height: pixels, upright.
        format: what the content is.
        taken_at: date and time in ISO 8601 as its metadata says, or None.
        embedding: float32 of shape (dim,), L2-normalised.
        notes: what someone wrote into the file: title, description, keywords.
        hashes: its perceptual hashes, as `memery.likeness` makes them.
        colour: average colour, 0xRRGGBB.
        date_source: of taken_at, one of `memery.dates.SOURCES`; "" where it is None.
        damage: what is wrong with a file that was decoded in part; "" if nothing is.
    """

    width: int
    height: int
    format: str
    taken_at: str | None
    embedding: NDArray[np.float32]
    notes: str = ""
    hashes: bytes = b""
    colour: int | None = None
    date_source: str = ""
    damage: str = ""


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """An image to commit.

    Attributes:
        entry: the file as it was when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        content: None if the digest has a current embedding in the space already.
        taken: replaces the stored date of a content of `StoredDigests.undated`.
    """

    entry: FileEntry
    digest: str
    content: Content | None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """A skipped file to commit, so that it is not opened again without need.

    Attributes:
        entry: the file as it was when it was read.
        skip: its path and the reason.
        decoder_fingerprint: of the decoders and limits that it was skipped under.
    """

    entry: FileEntry
    skip: Skip
    decoder_fingerprint: str


@dataclass(frozen=True, slots=True)
class RecognizedText:
    """The text recognised in an image.

    Attributes:
        digest: of the image's content.
        engine: name and version of the OCR engine.
        lines: empty where the image has no text.
    """

    digest: str
    engine: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredDigests:
    """Contents by what the next build has to do with them; SHA-256, hexadecimal.

    Attributes:
        known: have an embedding in the space and perceptual hashes: need not be encoded. Those of
            vanished files are included.
        outdated: their embedding is from pixels that an earlier `memery.decoding` decoded. A record
            without a content confirms the embedding.
        undated: their metadata was read by a version that knew fewer kinds of dates: to be read
            again, but not encoded.
    """

    known: set[str]
    outdated: set[str]
    undated: set[str]


@dataclass(frozen=True, slots=True)
class Contents:
    """Stored contents, column by column.

    Attributes:
        digests: ascending.
        embeddings: float16 of shape (n, dim).
        hashes: perceptual hashes of each; b"" where there are none.
    """

    digests: Sequence[str]
    embeddings: NDArray[np.float16]
    hashes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the images that pass a filter.

    Attributes:
        images: in the order asked for.
        total: how many pass.
    """

    images: Sequence[ImageFile]
    total: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The images nearest to a vector.

    Attributes:
        ranked: images and their cosines, best first, equal scores ordered by path.
        total: images that pass the filter.
        above: those of total whose cosine is min_score or more; None if none was given.
    """

    ranked: Sequence[tuple[ImageFile, float]]
    total: int
    above: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """An image whose text contains terms of a query.

    Attributes:
        image: the image.
        matched_terms: how many of the terms occur in its text, 1 or more.
        optional_share: share of the optional terms that occur there too, 0 to 1.
    """

    image: ImageFile
    matched_terms: int
    optional_share: float = 0.0


class SearchSnapshot(Protocol):
    """Reads that searching needs, all of them from one committed state.

    Paths are ordered by their bytes. `fold` counts exact copies as one image: the first of them by
    path that passes the filter. An image belongs to a space if its content has an embedding there.
    """

    # Images

    def browse(
        self,
        space: Space,
        filter: Filter,
        order: Order = "name",
        limit: int | None = None,
        offset: int = 0,
        *,
        fold: bool = False,
    ) -> Listing:
        """List images of a space that pass a filter; a limit of 0 only counts them."""
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

    def search(
        self,
        space: Space,
        vector: NDArray[np.float32],
        limit: int,
        filter: Filter,
        *,
        fold: bool = False,
        min_score: float | None = None,
    ) -> Nearest:
        """Find the images nearest to a vector.

        Args:
            space: whose images.
            vector: a unit vector, float32 of shape (dim,).
            limit: how many, at most.
            filter: which images.
            fold: take exact copies as one image.
            min_score: count the images whose cosine is this or more.
        """
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

    def search_text(
        self,
        space: Space,
        terms: Groups,
        filter: Filter,
        limit: int | None,
        optional_terms: Groups = (),
    ) -> Sequence[Match]:
        """Images whose text contains any of the terms, best first (bm25), equal ones by path.

        Optional terms only affect the order.
        """
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
