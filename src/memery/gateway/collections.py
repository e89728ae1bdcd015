"""Several folders, searched as if they were one; folders of one model share it in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from memery import assembly
from memery.archive import Archive
from memery.config import Config, load_config
from memery.core import run_query
from memery.errors import ImageUnknown, QueryError
from memery.executors.interface import Executors, Ranker
from memery.executors.types import Ranked
from memery.gateway.collection import Collection, FoundImage, named_folders
from memery.gateway.library import Memery
from memery.models import selection
from memery.models.batching import SharedModel
from memery.models.interface import EmbeddingModel
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.terms import Query, Term
from memery.query.text_search.query_words import QueryWords
from memery.results import Results
from memery.search import similar_query
from memery.stores import no_match
from memery.stores.derived import Facets, exact_copies, facets
from memery.stores.federated import FederatedStore, Member, in_member
from memery.stores.interface import Store
from memery.stores.records import Browse, Order, Space
from memery.types import Hit, ImageFile, IndexReport, ProgressCallback

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a search over collections.

    Attributes:
        results: the hits and what is known of the search.
        images: of the hits, as their collections know them.
        searched: names of the collections.
        left_out: names of those of another model.
    """

    results: Results
    images: tuple[FoundImage, ...]
    searched: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _CollectionRanker:
    """A Ranker over several folders whose hits are as their own folders know them."""

    ranker: Ranker
    locate: Callable[[Hit], Hit]

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """One page of hits, and how many there are in all."""
        ranked = self.ranker.rank(space, vector, words, options)
        return replace(ranked, hits=tuple(map(self.locate, ranked.hits)))


class Collections:
    """Folders that are open.

    Args:
        paths: of the folders; none where the model alone is wanted.
        settings: fields of `Config`.

    Raises:
        MemeryError: as `Memery` does.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], **settings: Any) -> None:
        self._settings = settings
        self.models: dict[Space, SharedModel] = {}
        self._collections: dict[str, Collection] = {}
        self._joined: dict[tuple[str, ...], tuple[Executors, FederatedStore]] = {}
        try:
            for name, path in named_folders(paths):
                memery = Memery(path, choose=self._choose, **settings)
                self._collections[name] = Collection(name, memery)
        except BaseException:
            self.close()
            raise

    def model(self) -> SharedModel:
        """The model of the first folder; without folders the one that a new folder would get."""
        for collection in self:
            return self.models[collection.memery.space]
        return self._share(selection.open_default(load_config(**self._settings)))

    def better_model(self) -> str | None:
        """A model that would find more than the built-in one in use; None where it is not."""
        return selection.better_than(self.model().info.model_id)

    def _choose(self, archive: Archive, store: Store, config: Config) -> SharedModel:
        return self._share(assembly.choose_model(archive, store, config))

    def _share(self, model: EmbeddingModel) -> SharedModel:
        """The model that another folder has opened already, or this one."""
        space = Space(model.info.model_id, model.info.fingerprint, model.info.dim)
        if space not in self.models:
            self.models[space] = SharedModel(model)
        return self.models[space]

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._collections.values())

    def __getitem__(self, name: str) -> Collection:
        try:
            return self._collections[name]
        except KeyError:
            known = ", ".join(self._collections)
            raise QueryError(f"There is no collection {name!r}. Known are: {known}.") from None

    def _join(self, name: str | None) -> tuple[Executors, FederatedStore, tuple[str, ...]]:
        """Executors over the folders that share the space of the first."""
        first = next(iter(self)) if name is None else self[name]
        same = [c for c in self if c is first or (name is None and _alike(c, first))]
        names = tuple(collection.name for collection in same)
        if names not in self._joined:
            members = [Member(c.name, c.memery.store, c.memery.archive.scope) for c in same]
            joint = FederatedStore(members)
            model = self.models[first.memery.space]
            executors = assembly.join(first.memery.executors, model, joint)
            ranker = _CollectionRanker(executors.ranker, self._located)
            self._joined[names] = replace(executors, ranker=ranker), joint
        return *self._joined[names], names

    def search(self, query: Query, options: SearchOptions, name: str | None = None) -> Answer:
        """Search one folder, or all that share the first one's model, by score.

        Raises:
            QueryError: the query makes no search, or there is no such collection.
        """
        executors, _, names = self._join(name)
        results = run_query(executors, query, options, refresh=False, require=False)
        images = tuple(
            FoundImage(self[hit.collection], hit.image, hit.copy_paths, hit.lines)
            for hit in results
        )
        left_out = tuple(c.name for c in self if name is None and c.name not in names)
        return Answer(results, images, names, left_out)

    def similar(self, id_: str, options: SearchOptions, name: str | None = None) -> Answer:
        """Search for the images most like one that is indexed; itself and its copies left out."""
        executors, _, _ = self._join(name)
        return self.search(*similar_query(executors, Term(id=id_), options, require=False), name)

    def browse(
        self, options: SearchOptions, order: Order, name: str | None = None
    ) -> tuple[list[FoundImage], int, tuple[str, ...]]:
        """Images without a query, "date" (newest first) or "name"; and how many pass the filter.

        If none does, also why, in sentences. Exact copies are folded into one unless listed.
        """
        x, joint, _ = self._join(name)
        space, where, fold = x.encoder.space, options.filter, not options.list_copies
        request = Browse(
            filter=where, order=order, limit=options.top_k, offset=options.offset, fold=fold
        )
        with joint.snapshot() as snapshot:
            listing = snapshot.browse(space, request)
            page = listing.images
            copies = exact_copies(snapshot, space, page, where) if fold else [[]] * len(page)
            found = zip(page, copies, strict=True)
            images = [self._found(image, others) for image, others in found]
            reasons = () if listing.total else no_match.reasons(snapshot, space, where)
            return images, listing.total, reasons

    def facets(self, options: SearchOptions, name: str | None = None) -> Facets:
        """What the images that pass the filter can be narrowed by; counted as `browse` lists."""
        x, joint, _ = self._join(name)
        with joint.snapshot() as snapshot:
            return facets(snapshot, x.encoder.space, options.filter, fold=not options.list_copies)

    def image(self, id_: str) -> FoundImage:
        """The image that has an id.

        Raises:
            ImageUnknown: there is none in any folder.
        """
        for collection in self:
            with contextlib.suppress(ImageUnknown):
                return FoundImage(collection, collection.memery.image(id_))
        raise ImageUnknown(id_)

    def describe(self, id_: str) -> FoundImage:
        """The image that has an id, with its text and its exact copies.

        Raises:
            ImageUnknown: there is none in any folder.
        """
        for collection in self:
            memery = collection.memery
            with contextlib.suppress(ImageUnknown), memery.store.snapshot() as snapshot:
                image, within = memery.image(id_), Filter(memery.archive.scope)
                (copies,) = exact_copies(snapshot, memery.space, [image], within)
                paths = tuple(collection.inside(path) for path in copies)
                return FoundImage(collection, image, paths, memery.text(image))
        raise ImageUnknown(id_)

    def _located(self, hit: Hit) -> Hit:
        """A hit as its own folder knows it."""
        found = self._found(hit.image, hit.copy_paths)
        return replace(
            hit,
            path=found.path,
            image=found.image,
            location=found.collection.memery.location(found.image),
            copy_paths=found.copy_paths,
            collection=found.collection.name,
            lines=found.lines,
        )

    def _found(self, image: ImageFile, copies: Iterable[str]) -> FoundImage:
        collection, inner = self[image.member], in_member(image)
        paths = (path.removeprefix(f"{image.member}/") for path in copies)
        return FoundImage(
            collection,
            inner,
            tuple(collection.inside(path) for path in paths),
            collection.memery.text(inner),
        )

    def build(self, name: str, progress: ProgressCallback) -> IndexReport:
        """Run the indexing flow of a folder, over a store of its own: searches go on beside it.

        The model is asked directly: a batch of pictures must not hold up the texts that wait.
        """
        served = self[name].memery
        model = self.models[served.space].model
        with Memery(served.archive.searched, choose=lambda *_: model, **self._settings) as memery:
            return memery.build(progress=progress)

    def close(self) -> None:
        """Let go of archives and models."""
        for collection in self:
            collection.memery.close()
        for model in self.models.values():
            model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _alike(one: Collection, other: Collection) -> bool:
    return one.memery.space == other.memery.space
