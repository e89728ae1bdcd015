"""Several folders that are searched together; folders with the same model share it in memory."""

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
class CollectionResults:
    """The results of a search over collections.

    Attributes:
        results: the hits.
        images: the images of the hits with their collections.
        searched: names of the searched collections.
        omitted: names of collections with another model, which were not searched.
    """

    results: Results
    images: tuple[FoundImage, ...]
    searched: tuple[str, ...]
    omitted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _CollectionRanker:
    """A Ranker over several folders whose hits have paths in their own folders."""

    ranker: Ranker
    to_collection: Callable[[Hit], Hit]

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """Rank as `Ranker.rank`, and convert the hits."""
        ranked = self.ranker.rank(space, vector, words, options)
        return replace(ranked, hits=tuple(map(self.to_collection, ranked.hits)))


class Collections:
    """Open folders.

    Args:
        paths: the folders; empty if only the model is needed.
        settings: fields of `Config`.

    Raises:
        MemeryError: as raised by `Memery`.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], **settings: Any) -> None:
        self._settings = settings
        self.models: dict[Space, SharedModel] = {}
        self._collections: dict[str, Collection] = {}
        self._federated: dict[tuple[str, ...], tuple[Executors, FederatedStore]] = {}
        try:
            for name, path in named_folders(paths):
                memery = Memery(path, choose=self._choose, **settings)
                self._collections[name] = Collection(name, memery)
        except BaseException:
            self.close()
            raise

    def model(self) -> SharedModel:
        """Return the model of the first folder; without folders, the default model."""
        for collection in self:
            return self.models[collection.memery.space]
        return self._share(selection.open_default(load_config(**self._settings)))

    def better_model(self) -> str | None:
        """Return a better model than the built-in one; None if the built-in one is not in use."""
        return selection.better_than(self.model().info.model_id)

    def _choose(self, archive: Archive, store: Store, config: Config) -> SharedModel:
        return self._share(assembly.choose_model(archive, store, config))

    def _share(self, model: EmbeddingModel) -> SharedModel:
        """Return the instance that another folder has opened already, or wrap this one."""
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
            raise QueryError(f"There is no collection {name!r}. Available: {known}.") from None

    def _federate(self, name: str | None) -> tuple[Executors, FederatedStore, tuple[str, ...]]:
        """Compose executors over the folders that share the space of the first."""
        first = next(iter(self)) if name is None else self[name]
        same = [c for c in self if c is first or (name is None and _have_same_space(c, first))]
        names = tuple(collection.name for collection in same)
        if names not in self._federated:
            members = [Member(c.name, c.memery.store, c.memery.archive.scope) for c in same]
            store = FederatedStore(members)
            model = self.models[first.memery.space]
            executors = assembly.join(first.memery.executors, model, store)
            ranker = _CollectionRanker(executors.ranker, self._to_collection_hit)
            self._federated[names] = replace(executors, ranker=ranker), store
        return *self._federated[names], names

    def search(
        self, query: Query, options: SearchOptions, name: str | None = None
    ) -> CollectionResults:
        """Search one folder, or all that share the model of the first.

        Args:
            query: the query.
            options: search options.
            name: the collection, or None for all.

        Returns:
            The hits with their collections.

        Raises:
            QueryError: the terms cancel each other, or there is no such collection.
        """
        executors, _, names = self._federate(name)
        results = run_query(executors, query, options, refresh=False, require=False)
        images = tuple(
            FoundImage(self[hit.collection], hit.image, hit.copy_paths, hit.lines)
            for hit in results
        )
        omitted = tuple(c.name for c in self if name is None and c.name not in names)
        return CollectionResults(results, images, names, omitted)

    def similar(
        self, id_: str, options: SearchOptions, name: str | None = None
    ) -> CollectionResults:
        """Find the images most like an indexed one, without itself and its exact copies."""
        executors, _, _ = self._federate(name)
        return self.search(*similar_query(executors, Term(id=id_), options, require=False), name)

    def browse(
        self, options: SearchOptions, order: Order, name: str | None = None
    ) -> tuple[list[FoundImage], int, tuple[str, ...]]:
        """List images without a query. Exact copies count as one image unless listed.

        Args:
            options: filter and page.
            order: "date" (newest first) or "name".
            name: the collection, or None for all.

        Returns:
            A page of images, the number of images that match the filter, and if there are none,
            messages that explain why.
        """
        executors, store, _ = self._federate(name)
        space, where, fold = executors.encoder.space, options.filter, not options.list_copies
        request = Browse(
            filter=where, order=order, limit=options.top_k, offset=options.offset, fold=fold
        )
        with store.snapshot() as snapshot:
            listing = snapshot.browse(space, request)
            page = listing.images
            copies = exact_copies(snapshot, space, page, where) if fold else [[]] * len(page)
            found = zip(page, copies, strict=True)
            images = [self._found(image, others) for image, others in found]
            reasons = () if listing.total else no_match.reasons(snapshot, space, where)
            return images, listing.total, reasons

    def facets(self, options: SearchOptions, name: str | None = None) -> Facets:
        """Count the images that match the filter by facet; images count as in `browse`."""
        executors, store, _ = self._federate(name)
        with store.snapshot() as snapshot:
            return facets(
                snapshot, executors.encoder.space, options.filter, fold=not options.list_copies
            )

    def image(self, id_: str) -> FoundImage:
        """Look up an image by its id.

        Raises:
            ImageUnknown: no folder has such an image.
        """
        for collection in self:
            with contextlib.suppress(ImageUnknown):
                return FoundImage(collection, collection.memery.image(id_))
        raise ImageUnknown(id_)

    def describe(self, id_: str) -> FoundImage:
        """Look up an image by its id, with its text and its exact copies.

        Raises:
            ImageUnknown: no folder has such an image.
        """
        for collection in self:
            memery = collection.memery
            with contextlib.suppress(ImageUnknown), memery.store.snapshot() as snapshot:
                image, within = memery.image(id_), Filter(memery.archive.scope)
                (copies,) = exact_copies(snapshot, memery.space, [image], within)
                paths = tuple(collection.relative_path(path) for path in copies)
                return FoundImage(collection, image, paths, memery.text(image))
        raise ImageUnknown(id_)

    def _to_collection_hit(self, hit: Hit) -> Hit:
        """Convert a hit of the federated store to a hit of its own folder."""
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
            tuple(collection.relative_path(path) for path in paths),
            collection.memery.text(inner),
        )

    def build(self, name: str, progress: ProgressCallback) -> IndexReport:
        """Run the indexing flow of a folder with a separate store, so that searches continue.

        It calls the model directly: a batch of images must not delay the texts in the queue.

        Args:
            name: the collection.
            progress: called with the counts after each committed batch.

        Returns:
            The report of the build.
        """
        open_memery = self[name].memery
        model = self.models[open_memery.space].model
        with Memery(
            open_memery.archive.searched, choose=lambda *_: model, **self._settings
        ) as memery:
            return memery.build(progress=progress)

    def close(self) -> None:
        """Close the archives and models."""
        for collection in self:
            collection.memery.close()
        for model in self.models.values():
            model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _have_same_space(first: Collection, second: Collection) -> bool:
    return first.memery.space == second.memery.space
