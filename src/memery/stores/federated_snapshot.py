"""The reads of a federated store: each asks all members, and merges their answers."""

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
class Part:
    """A member's snapshot.

    Attributes:
        name: the member's.
        scope: the member's.
        snapshot: its snapshot.
    """

    name: str
    scope: str
    snapshot: SearchSnapshot

    def within(self, filter: Filter) -> Filter:
        """A filter whose folders are relative to the member's root."""
        return filter.within(self.scope)

    def scoped(self, request: Request) -> Request:
        """A request whose filter's folders are relative to the member's root."""
        return replace(request, filter=self.within(request.filter))

    def named(self, image: ImageFile) -> ImageFile:
        """An image as the federated store names it."""
        return replace(image, path=f"{self.name}/{image.path}", member=self.name)


class FederatedSnapshot:
    """Reads from the snapshots of all members.

    Args:
        parts: the members' snapshots.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def browse(self, space: Space, request: Browse) -> Listing:
        """List images in one order over all members."""
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
            images += [part.named(image) for image in found.images]
        if is_one:
            return Listing(images, total)
        images.sort(key=_path)
        if request.order == "date":
            images.sort(key=lambda image: image.date, reverse=True)
        return Listing(images[first:last], total)

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Images that pass a filter and have one of the ids or contents, by path."""
        found = [
            part.named(image)
            for part in self._parts
            for image in part.snapshot.lookup(space, part.within(filter), ids=ids, digests=digests)
        ]
        return sorted(found, key=_path)

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images that pass a filter, in all members."""
        counts: Counter[str] = Counter()
        for part in self._parts:
            found = part.snapshot.count_by(space, part.within(filter), by, fold=fold)
            counts.update(_below(found, part.scope) if by == "folder" else found)
        if by == "type":
            return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
        return dict(sorted(counts.items(), reverse=by == "month"))

    def search(self, space: Space, request: VectorSearch) -> Nearest:
        """Find the images nearest to a vector."""
        ranked, total, above = [], 0, 0
        for part in self._parts:
            found = part.snapshot.search(space, part.scoped(request))
            ranked += [(part.named(image), score) for image, score in found.ranked]
            total += found.total
            above += found.above or 0
        ranked.sort(key=lambda pair: (-pair[1], _path(pair[0])))
        return Nearest(ranked[: request.limit], total, None if request.min_score is None else above)

    def score_sample(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with embeddings that represent all members."""
        import numpy as np

        return np.concatenate([part.snapshot.score_sample(space, vector) for part in self._parts])

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """The contents among these that a member has an embedding of."""
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
        """The text recognised in a content; None if no member has any."""
        return first_of(part.snapshot.text(digest) for part in self._parts)

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Images whose text contains terms; the members' best first, then their second."""
        found = (
            [
                replace(match, image=part.named(match.image))
                for match in part.snapshot.search_text(space, part.scoped(request))
            ]
            for part in self._parts
        )
        return list(_interleaved(found))[: request.limit]

    def search_names(
        self, space: Space, terms: Groups, filter: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together contain all of the terms."""
        return self._merged(lambda s, within: s.search_names(space, terms, within, limit), filter)[
            :limit
        ]

    def search_paths(
        self, space: Space, name: str, filter: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those in folders of this name."""
        found = self._merged(lambda s, within: s.search_paths(space, name, within, limit), filter)
        return sorted(found, key=lambda image: not matches_name(image.path, name))[:limit]

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """The tokens among these that occur in the text of any image."""
        return set().union(*(part.snapshot.vocabulary(tokens) for part in self._parts))

    def _merged(
        self, ask: Callable[[SearchSnapshot, Filter], Sequence[ImageFile]], filter: Filter
    ) -> list[ImageFile]:
        """The members' images: the best of each first, then the second of each."""
        found = (
            [part.named(image) for image in ask(part.snapshot, part.within(filter))]
            for part in self._parts
        )
        return list(_interleaved(found))


def _path(image: ImageFile) -> bytes:
    return image.path.encode("utf-8", "surrogateescape")


def first_of(answers: Iterable[T | None]) -> T | None:
    """The first answer that there is."""
    return next((answer for answer in answers if answer is not None), None)


def _interleaved(parts: Iterable[Sequence[T]]) -> Iterator[T]:
    ranks = zip_longest(*parts)
    return (item for item in chain.from_iterable(ranks) if item is not None)


def _below(folders: Mapping[str, int], scope: str) -> dict[str, int]:
    """The counts of a folder and those in it, by paths relative to it."""
    inside = Filter(scope).prefix
    return {
        path[len(inside) :]: count
        for path, count in folders.items()
        if path == scope or path.startswith(inside)
    }
