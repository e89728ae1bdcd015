"""Records that stores take and return."""

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
"""A file's size in bytes and its mtime_ns. If both are unchanged, so is its content."""
Groups = Sequence[Sequence[tuple[str, ...]]]
"""Terms to find. Each is a group of alternative phrases of one or more tokens."""
Order = Literal["name", "date"]
"""By path, or newest first: by `ImageFile.date`, then path."""
Facet = Literal["folder", "month", "type", "date_source", "ocr_engine"]
"""What images can be counted by."""


@dataclass(frozen=True, slots=True)
class Space:
    """One embedding space.

    Attributes:
        model_id: the model's name.
        fingerprint: hash of the model's towers, preprocessing and precision.
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
        embeddings: how many it contains, including those of deleted files.
        is_active: whether searches use it.
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
        settings: the settings stored in the archive.
    """

    version: int
    spaces: tuple[SpaceInfo, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def active_space(self) -> Space | None:
        """The space that searches use; None if nothing was indexed."""
        return next((info.space for info in self.spaces if info.is_active), None)


@dataclass(frozen=True, slots=True)
class Content:
    """Facts and embedding of an image's bytes.

    Attributes:
        width: of the upright image, pixels.
        height: of the upright image, pixels.
        format: image format.
        taken_at: date and time from its metadata in ISO 8601, or None.
        embedding: float32 of shape (dim,), L2-normalised.
        notes: title, description and keywords from its metadata.
        hashes: perceptual hashes, as `memery.imaging.perceptual_hash` computes them.
        colour: average colour, 0xRRGGBB.
        date_source: source of taken_at, one of `memery.imaging.dates.SOURCES`; "" if it is None.
        damage: why a file was only decoded in part, or "".
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
        entry: the file when it was read.
        digest: SHA-256 of its bytes, hexadecimal.
        content: None if the digest already has a current embedding in the space.
        taken: replaces the stored date of a content in `StoredDigests.undated`.
    """

    entry: FileEntry
    digest: str
    content: Content | None
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """A skipped file to commit, so that it is not opened again needlessly.

    Attributes:
        entry: the file when it was read.
        skip: its path and the reason.
        decoder_fingerprint: of the decoders and limits with which it was skipped.
    """

    entry: FileEntry
    skip: Skip
    decoder_fingerprint: str


@dataclass(frozen=True, slots=True)
class RecognizedText:
    """The text recognised in an image.

    Attributes:
        digest: SHA-256 of the image's content, hexadecimal.
        engine: name and version of the OCR engine.
        lines: empty if the image contains no text.
    """

    digest: str
    engine: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredDigests:
    """Contents by what the next build has to do with them; SHA-256, hexadecimal.

    Attributes:
        known: they have an embedding in the space and perceptual hashes and need not be encoded.
            Includes contents of deleted files.
        outdated: their pixels were decoded by an earlier `memery.imaging`. A record without a
            content confirms the embedding.
        undated: their metadata was read by a version that supported fewer kinds of dates. They
            are read again, but not encoded.
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
        hashes: perceptual hashes of each content, or b"".
    """

    digests: Sequence[str]
    embeddings: NDArray[np.float16]
    hashes: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse:
    """A listing of images without a query.

    Attributes:
        filter: selects the images.
        order: "name" (by path) or "date" (newest first, then by path).
        limit: the largest number of images to return; 0 only counts them, None lists all.
        offset: skip this many images.
        fold: treat exact copies as one image: the first by path that passes the filter.
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
        images: in the requested order.
        total: number of images that pass.
    """

    images: Sequence[ImageFile]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSearch:
    """A search for the images nearest to a vector.

    Attributes:
        vector: a unit vector, float32 of shape (dim,).
        filter: selects the images.
        limit: the largest number of images to return.
        fold: treat exact copies as one image: the first by path that passes the filter.
        min_score: also count the images whose cosine is at least this; None counts none.
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
        total: number of images that pass the filter.
        above: how many of them have a cosine of at least min_score; None without min_score.
    """

    ranked: Sequence[tuple[ImageFile, float]]
    total: int
    above: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSearch:
    """A search for images by their recognised text.

    Attributes:
        terms: at least one of them must occur.
        filter: selects the images.
        limit: the largest number of images to return; None returns all.
        optional_terms: they affect only the order.
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
        matched_terms: number of terms that occur in its text, at least 1.
        optional_share: fraction of the optional terms that occur in its text, 0 to 1.
    """

    image: ImageFile
    matched_terms: int
    optional_share: float = 0.0
