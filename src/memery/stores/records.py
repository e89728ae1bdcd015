"""What goes into a store and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from memery.query.filters import Filter
from memery.types import FileEntry, ImageFile, Line, Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.imaging.dates import Taken


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
        hashes: its perceptual hashes, as `memery.imaging.perceptual_hash` makes them.
        colour: average colour, 0xRRGGBB.
        date_source: of taken_at, one of `memery.imaging.dates.SOURCES`; "" where it is None.
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
        outdated: their embedding is from pixels that an earlier `memery.imaging` decoded.
            A record without a content confirms the embedding.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse:
    """Which images to list without a query.

    Attributes:
        filter: which images.
        order: "name" (by path) or "date" (newest first, then by path).
        limit: how many, at most; 0 only counts them, None lists all.
        offset: skip this many.
        fold: count exact copies as one image: the first by path that passes the filter.
    """

    filter: Filter
    order: Order = "name"
    limit: int | None = None
    offset: int = 0
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the images that pass a filter.

    Attributes:
        images: in the order asked for.
        total: how many pass.
    """

    images: Sequence[ImageFile]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSearch:
    """Which images to find by their embeddings.

    Attributes:
        vector: a unit vector, float32 of shape (dim,).
        filter: which images.
        limit: how many, at most.
        fold: count exact copies as one image: the first by path that passes the filter.
        min_score: count the images whose cosine is this or more; None counts none.
    """

    vector: NDArray[np.float32]
    filter: Filter
    limit: int
    fold: bool = False
    min_score: float | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSearch:
    """Which images to find by the text recognised in them.

    Attributes:
        terms: any of them must occur.
        filter: which images.
        limit: how many, at most; None for all.
        optional_terms: only affect the order.
    """

    terms: Groups
    filter: Filter
    limit: int | None = None
    optional_terms: Groups = ()


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
