"""Reads of a federated store: each one queries all members and merges their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeVar

from memery.query.filters import Filter
from memery.query.text_search.names import matches_name
from memery.stores.interface import SearchSnapshot
from memery.stores.records import (
    Browse,
    Contents,
    Facet,
    Groups,
    Listing,
    Match,
    Nearest,
    RecognizedText,
    Space,
    TextSearch,
    VectorSearch,
)
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
Request = TypeVar("Request", Browse, TextSearch, VectorSearch)


@dataclass(frozen=True, slots=True)
class MemberSnapshot:
    """A member's snapshot.

    Attributes:
        name: the member's name.
        folder: the folder that is searched, relative to the member's root.
        snapshot: the snapshot.
    """

    name: str
    folder: str
    snapshot: SearchSnapshot

    def within(self, filter: Filter) -> Filter:
        """Make the folders of a filter relative to the member's root."""
        return filter.within(self.folder)

    def scoped(self, request: Request) -> Request:
        """Make the folders of a request's filter relative to the member's root."""
        return replace(request, filter=self.within(request.filter))

    def qualify(self, image: ImageFile) -> ImageFile:
        """Convert an image of the member to one of the federated store."""
        return replace(image, path=f"{self.name}/{image.path}", member=self.name)


class FederatedSnapshot:
    """Reads from the snapshots of all members.

    Args:
        parts: the members' snapshots.
    """

    def __init__(self, parts: Sequence[MemberSnapshot]) -> None:
        self._parts = parts

    def browse(self, space: Space, request: Browse) -> Listing:
        """List the images of all members in one order."""
        first, last = request.offset, request.limit
        is_one = len(self._parts) == 1
        if not is_one:
            # A member's page may begin anywhere: each gives all images up to the page's last one.
            last = last + first if last else last
            request = replace(request, offset=0, limit=last)
        total, images = 0, []
        for part in self._parts:
            found = part.snapshot.browse(space, part.scoped(request))
            total += found.total
            images += [part.qualify(image) for image in found.images]
        if is_one:
            return Listing(images, total)
        images.sort(key=_path)
        if request.order == "date":
            images.sort(key=lambda image: image.date, reverse=True)
        return Listing(images[first:last], total)

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Find images by id or content among those that pass a filter, by path."""
        found = [
            part.qualify(image)
            for part in self._parts
            for image in part.snapshot.lookup(space, part.within(filter), ids=ids, digests=digests)
        ]
        return sorted(found, key=_path)

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images of all members that pass a filter."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            found = part.snapshot.count_by(space, part.within(filter), by, fold=fold)
            counts.update(_below(found, part.folder) if by == "folder" else found)
        if by == "type":
            return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        return dict(sorted(counts.items(), reverse=by == "month"))

    def search(self, space: Space, request: VectorSearch) -> Nearest:
        """Find the images nearest to a vector."""
        ranked, total, above = [], 0, 0
        for part in self._parts:
            found = part.snapshot.search(space, part.scoped(request))
            ranked += [(part.qualify(image), score) for image, score in found.ranked]
            total += found.total
            above += found.above or 0
        ranked.sort(key=lambda pair: (-pair[1], _path(pair[0])))
        return Nearest(ranked[: request.limit], total, None if request.min_score is None else above)

    def score_sample(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the cosines of a unit vector with a sample of all members' embeddings."""
        import numpy as np

        return np.concatenate([part.snapshot.score_sample(space, vector) for part in self._parts])

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """Read those of the given contents that have an embedding in a member."""
        import numpy as np

        found = [part.snapshot.contents(space, digests) for part in self._parts]
        columns = [zip(c.digests, c.embeddings, c.hashes, strict=True) for c in found]
        rows = {row[0]: row for column in columns for row in column}
        ordered = [rows[digest] for digest in sorted(rows)]
        embeddings = [row[1] for row in ordered]
        return Contents(
            [row[0] for row in ordered],
            np.stack(embeddings) if embeddings else np.empty((0, space.dim), dtype=np.float16),
            [row[2] for row in ordered],
        )

    def text(self, digest: str) -> RecognizedText | None:
        """Read the text recognised in a content; None if no member has any."""
        return first_not_none(part.snapshot.text(digest) for part in self._parts)

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Find images whose text contains terms: each member's best, then each one's second."""
        found = (
            [
                replace(match, image=part.qualify(match.image))
                for match in part.snapshot.search_text(space, part.scoped(request))
            ]
            for part in self._parts
        )
        return list(_interleaved(found))[: request.limit]

    def search_names(self, space: Space, terms: Groups, filter: Filter) -> Sequence[ImageFile]:
        """Find images whose name and metadata together contain all of the terms."""
        return self._merged(lambda s, within: s.search_names(space, terms, within), filter)

    def search_paths(self, space: Space, name: str, filter: Filter) -> Sequence[ImageFile]:
        """Find images by file name, then by folder name."""
        found = self._merged(lambda s, within: s.search_paths(space, name, within), filter)
        return sorted(found, key=lambda image: not matches_name(image.path, name))

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """The tokens among these that occur in the text of any image."""
        return set().union(*(part.snapshot.vocabulary(tokens) for part in self._parts))

    def _merged(
        self, ask: Callable[[SearchSnapshot, Filter], Sequence[ImageFile]], filter: Filter
    ) -> list[ImageFile]:
        """The members' images: the best of each first, then the second of each."""
        found = (
            [part.qualify(image) for image in ask(part.snapshot, part.within(filter))]
            for part in self._parts
        )
        return list(_interleaved(found))


def _path(image: ImageFile) -> bytes:
    return image.path.encode("utf-8", "surrogateescape")


def first_not_none(values: Iterable[T | None]) -> T | None:
    """Return the first value that is not None."""
    return next((value for value in values if value is not None), None)


def _interleaved(parts: Iterable[Sequence[T]]) -> Iterator[T]:
    ranks = zip_longest(*parts)
    return (item for item in chain.from_iterable(ranks) if item is not None)


def _below(counts: Mapping[str, int], folder: str) -> dict[str, int]:
    """Select the counts of a folder and of those in it, by paths relative to it."""
    prefix = Filter(folder).prefix
    return {
        path[len(prefix) :]: count
        for path, count in counts.items()
        if path == folder or path.startswith(prefix)
    }
