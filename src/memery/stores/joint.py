"""Several stores that are searched as if they were one."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, TypeVar

from memery.filters import Filter
from memery.stores.interface import (
    Facets,
    Found,
    Groups,
    Listing,
    Match,
    Searchable,
    Space,
    Text,
    snapshot_of,
)
from memery.types import ImageFile
from memery.words.names import is_called

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """One of the stores.

    Attributes:
        name: what the paths of its images begin with, before the first `/`; unique, without `/`.
        store: the store.
        scope: the folder that is searched, relative to the store's root.
    """

    name: str
    store: Searchable
    scope: str = ""

    def named(self, image: ImageFile) -> ImageFile:
        """An image as the joint store names it."""
        return replace(image, path=f"{self.name}/{image.path}")


class JointStore:
    """Answers from every member; filters hold within each of them.

    The images that it gives have paths that begin with the name of the member, so their ids are
    none: `member_of` tells what they are.

    Args:
        members: one or more.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._by_name = {member.name: member for member in members}

    def member_of(self, image: ImageFile) -> tuple[Member, ImageFile]:
        """Whose an image is, and the image as it is there."""
        name, _, path = image.path.partition("/")
        return self._by_name[name], replace(image, path=path)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """One snapshot of each member; all of them begin before anything is read."""
        with contextlib.ExitStack() as snapshots:
            for member in self._members:
                snapshots.enter_context(snapshot_of(member.store))
            yield

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        return sum(m.store.count(space, scope.within(m.scope)) for m in self._members)

    def image(self, space: Space, id_: str) -> ImageFile | None:
        """The image of the space that has an id, or None."""
        for member in self._members:
            image = member.store.image(space, id_)
            if image is not None and image.path.startswith(Filter(member.scope).prefix):
                return member.named(image)
        return None

    def copies(self, images: Sequence[ImageFile], scope: Filter) -> Sequence[Sequence[str]]:
        """The paths of the other exact copies of each image within its member, in order."""
        paths: dict[str, Sequence[str]] = {}
        for member in self._members:
            ours = [image for image in images if image.path.startswith(f"{member.name}/")]
            inner = [self.member_of(image)[1] for image in ours]
            found = member.store.copies(inner, scope.within(member.scope))
            for image, others in zip(ours, found, strict=True):
                paths[image.path] = [f"{member.name}/{path}" for path in others]
        return [paths[image.path] for image in images]

    def content_key(self, image: ImageFile) -> str:
        """Copies in different members are images of their own."""
        member, inner = self.member_of(image)
        return f"{member.name}/{member.store.content_key(inner)}"

    def browse(
        self,
        space: Space,
        scope: Filter,
        order: str,
        limit: int,
        offset: int,
        *,
        fold: bool = False,
    ) -> Listing:
        """Images that pass a filter, in one order over all members."""
        if len(self._members) == 1:
            (member,) = self._members
            inner = scope.within(member.scope)
            found = member.store.browse(space, inner, order, limit, offset, fold=fold)
            return Listing([member.named(image) for image in found.images], found.total)
        total, images = 0, []
        for member in self._members:
            inner = scope.within(member.scope)
            found = member.store.browse(space, inner, order, offset + limit, 0, fold=fold)
            total += found.total
            images += [member.named(image) for image in found.images]
        images.sort(key=lambda image: image.path.encode("utf-8", "surrogateescape"))
        if order == "date":
            images.sort(key=lambda image: image.date, reverse=True)
        return Listing(images[offset : offset + limit], total)

    def facets(self, space: Space, scope: Filter, *, fold: bool = False) -> Facets:
        """What the images that pass a filter can be narrowed by."""
        folders: Counter[str] = Counter()
        months: Counter[str] = Counter()
        types: Counter[str] = Counter()
        for member in self._members:
            found = member.store.facets(space, scope.within(member.scope), fold=fold)
            folders.update(_below(found.folders, member.scope))
            months.update(found.months)
            types.update(found.types)
        return Facets(
            dict(sorted(folders.items())),
            dict(sorted(months.items(), reverse=True)),
            dict(sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))),
        )

    def search(
        self,
        space: Space,
        vector: NDArray[np.float32],
        limit: int,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> Found:
        """The images nearest to a unit vector."""
        ranked, total = [], 0
        for member in self._members:
            inner = scope.within(member.scope)
            found = member.store.search(space, vector, limit, inner, fold=fold)
            ranked += [(member.named(image), score) for image, score in found.ranked]
            total += found.total
        ranked.sort(key=lambda pair: (-pair[1], pair[0].path.encode("utf-8", "surrogateescape")))
        return Found(ranked[:limit], total)

    def count_above(
        self,
        space: Space,
        vector: NDArray[np.float32],
        least: float,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> int:
        """Images that pass a filter and whose cosine with a unit vector is least or more."""
        return sum(
            m.store.count_above(space, vector, least, scope.within(m.scope), fold=fold)
            for m in self._members
        )

    def background(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with embeddings that stand for all members."""
        import numpy as np

        return np.concatenate([m.store.background(space, vector) for m in self._members])

    def scores(
        self, space: Space, vector: NDArray[np.float32], digests: Collection[str]
    ) -> dict[str, float]:
        """The cosine of a unit vector with each content that has an embedding."""
        known: dict[str, float] = {}
        for member in self._members:
            known |= member.store.scores(space, vector, digests)
        return known

    def text(self, digest: str) -> Text | None:
        """What was read in a picture, or None if nobody has read it."""
        return self._first(lambda store: store.text(digest))

    def find_text(
        self,
        space: Space,
        words: Groups,
        scope: Filter,
        limit: int | None,
        besides: Groups = (),
    ) -> Sequence[Match]:
        """Images whose text holds any of the words; the members' best first, then their second."""
        parts = [
            [
                replace(match, image=member.named(match.image))
                for match in member.store.find_text(
                    space, words, scope.within(member.scope), limit, besides
                )
            ]
            for member in self._members
        ]
        return list(_interleaved(parts))[:limit]

    def find_names(
        self, space: Space, words: Groups, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together hold all of the words."""
        parts = [
            [
                member.named(image)
                for image in member.store.find_names(
                    space, words, scope.within(member.scope), limit
                )
            ]
            for member in self._members
        ]
        return list(_interleaved(parts))[:limit]

    def find_called(
        self, space: Space, name: str, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those in folders of this name."""
        parts = [
            [
                member.named(image)
                for image in member.store.find_called(
                    space, name, scope.within(member.scope), limit
                )
            ]
            for member in self._members
        ]
        found = list(_interleaved(parts))
        return sorted(found, key=lambda image: not is_called(image.path, name))[:limit]

    def vocabulary(self, words: Collection[str]) -> set[str]:
        """Which of these tokens stand in the text of any picture."""
        return set().union(*(member.store.vocabulary(words) for member in self._members))

    def embedding(self, space: Space, digest: str) -> NDArray[np.float32] | None:
        """The embedding of a content, or None."""
        return self._first(lambda store: store.embedding(space, digest))

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The remembered embedding of a text, or None."""
        return self._first(lambda store: store.query_embedding(space, text))

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Let the first member remember the embedding of a text."""
        self._members[0].store.remember_query(space, text, embedding)

    def _first(self, ask: Callable[[Searchable], T | None]) -> T | None:
        """The first answer that a member has."""
        answers = (ask(member.store) for member in self._members)
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
