"""Values computed from the methods of any store, and therefore not part of its interface."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memery.query.filters import Filter
from memery.stores.interface import SearchSnapshot
from memery.stores.records import Browse, Space
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Facets:
    """Numbers of images by folder, month and type.

    Attributes:
        folders: by path, images in folders below included; "" is the root.
        months: by year and month, such as 2023-05, of `ImageFile.date`; newest first.
        types: by extension in lower case, "" for none; most first.
    """

    folders: Mapping[str, int]
    months: Mapping[str, int]
    types: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How many images have recognised text.

    Attributes:
        recognized: images whose text was recognised.
        with_text: recognised images that contain text.
        engines: recognised images by OCR engine, most first.
    """

    recognized: int
    with_text: int
    engines: tuple[tuple[str, int], ...]


def count(snapshot: SearchSnapshot, space: Space, filter: Filter, *, fold: bool = False) -> int:
    """Count the images of a space that pass a filter; fold counts exact copies as one."""
    return snapshot.browse(space, Browse(filter=filter, limit=0, fold=fold)).total


def image_by_id(
    snapshot: SearchSnapshot, space: Space, filter: Filter, id_: str
) -> ImageFile | None:
    """Find the image with an id among those of a space that pass a filter."""
    return next(iter(snapshot.lookup(space, filter, ids=[id_])), None)


def content_key(image: ImageFile) -> str:
    """Return a key that an image shares with its exact copies only.

    Copies in different members of a federated store have different keys.
    """
    return f"{image.member}/{image.digest}"


def exact_copies(
    snapshot: SearchSnapshot, space: Space, images: Sequence[ImageFile], filter: Filter
) -> list[list[str]]:
    """List for each image the paths of its other exact copies that pass a filter, in order."""
    digests = sorted({image.digest for image in images})
    paths: dict[str, list[str]] = defaultdict(list)
    for image in snapshot.lookup(space, filter, digests=digests) if digests else ():
        paths[content_key(image)].append(image.path)
    return [[path for path in paths[content_key(image)] if path != image.path] for image in images]


def facets(snapshot: SearchSnapshot, space: Space, filter: Filter, *, fold: bool = False) -> Facets:
    """Count the images that pass a filter by folder, month and type."""
    return Facets(
        snapshot.count_by(space, filter, "folder", fold=fold),
        snapshot.count_by(space, filter, "month", fold=fold),
        snapshot.count_by(space, filter, "type", fold=fold),
    )


def count_dates(snapshot: SearchSnapshot, space: Space, filter: Filter) -> dict[str, int]:
    """Count images by the source of their date, in the order of `memery.imaging.dates.SOURCES`."""
    from memery.imaging.dates import SOURCES

    counts = snapshot.count_by(space, filter, "date_source")
    return {source: counts[source] for source in SOURCES if source in counts}


def count_texts(snapshot: SearchSnapshot, space: Space, filter: Filter) -> TextCounts:
    """Count the images whose text was recognised, and those of them that contain text."""
    engines = Counter(snapshot.count_by(space, filter, "ocr_engine"))
    with_text = count(snapshot, space, replace(filter, has_text=True))
    return TextCounts(engines.total(), with_text, tuple(engines.most_common()))


def damaged_images(snapshot: SearchSnapshot, space: Space, filter: Filter) -> list[ImageFile]:
    """List images whose files were only decoded in part, by path."""
    listing = snapshot.browse(space, Browse(filter=filter))
    return [image for image in listing.images if image.damage]


def embedding_of(snapshot: SearchSnapshot, space: Space, digest: str) -> NDArray[np.float32] | None:
    """Read the embedding of a content: float32 of shape (dim,), or None."""
    import numpy as np

    found = snapshot.contents(space, [digest]).embeddings
    return found[0].astype(np.float32) if len(found) else None


def scores_of(
    snapshot: SearchSnapshot, space: Space, vector: NDArray[np.float32], digests: Collection[str]
) -> dict[str, float]:
    """Compute the cosine of a unit vector with each content that has an embedding."""
    found = snapshot.contents(space, digests)
    return dict(zip(found.digests, cosines(found.embeddings, vector).tolist(), strict=True))


def cosines(embeddings: NDArray[np.float16], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the cosines of unit vectors of shape (n, dim) with a unit vector of shape (dim,).

    Equal vectors get equal scores. In a matrix product, rounding depends on the number of rows.
    """
    import numpy as np

    products = embeddings.astype(np.float64) * vector.astype(np.float64)
    clipped: NDArray[np.float64] = np.clip(products.sum(axis=1), -1, 1)
    return clipped
