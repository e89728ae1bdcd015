"""Several folders, searched as if they were one; folders of one model share it in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Self

from memery import assembly
from memery.archive import Archive
from memery.config import Config, load_config
from memery.errors import FolderError, ImageUnknown, QueryError
from memery.escaping import printable
from memery.executors.interface import Executors
from memery.filters import Filter
from memery.gateway.library import Memery
from memery.models import selection
from memery.models.interface import EmbeddingModel
from memery.models.shared import SharedModel
from memery.search import encode_query, rank_query
from memery.search_options import SearchOptions
from memery.stores import no_match
from memery.stores.derived import Facets, exact_copies, facets
from memery.stores.federated import FederatedStore, Member, in_member
from memery.stores.interface import Store
from memery.stores.records import Order, Space
from memery.types import Hit, ImageFile, IndexReport, Line, ProgressCallback, Query, Term, Timings


@dataclass(frozen=True, slots=True)
class Collection:
    """One of the folders.

    Attributes:
        name: of the folder; a number follows where two folders have the same.
        memery: the folder, opened.
    """

    name: str
    memery: Memery

    @property
    def is_available(self) -> bool:
        """Whether the folder is there now: its disk may have been taken out."""
        return self.memery.archive.searched.is_dir()

    def path_of(self, image: ImageFile) -> str:
        """The path of an image relative to the folder."""
        return self.inside(image.path)

    def inside(self, path: str) -> str:
        """A path of the archive relative to the folder."""
        return path.removeprefix(Filter(self.memery.archive.scope).prefix)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image, and whose it is.

    Attributes:
        collection: whose.
        image: the facts about it.
        copy_paths: of its exact copies, relative to the collection.
        lines: the text in it; None where it was not read yet, or not looked up.
    """

    collection: Collection
    image: ImageFile
    copy_paths: tuple[str, ...] = ()
    lines: tuple[Line, ...] | None = None

    @property
    def path(self) -> str:
        """Relative to the collection."""
        return self.collection.path_of(self.image)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a search over collections.

    Attributes:
        hits: of this page, each with the image as its collection knows it.
        total: images that pass the filters and the threshold.
        strong: how many of total are not weak, as `Results.strong`.
        model_id: the model whose embeddings were compared.
        took: time by stage.
        searched: names of the collections.
        left_out: names of those of another model.
        warnings: as in `Results`.
    """

    hits: tuple[tuple[FoundImage, Hit], ...]
    total: int
    strong: int | None
    model_id: str
    took: Timings
    searched: tuple[str, ...]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...] = ()


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
            for name, path in _named(paths):
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
            self._joined[names] = assembly.join(first.memery.executors, model, joint), joint
        return *self._joined[names], names

    def search(self, query: Query, options: SearchOptions, name: str | None = None) -> Answer:
        """Search one folder, or all that share the first one's model, by score.

        Raises:
            QueryError: the query makes no search, or there is no such collection.
        """
        x, _, names = self._join(name)
        pictures = x.crafter.craft_query(query, x.encoder.known)
        encoded = encode_query(x, query, pictures)
        hits = []
        with x.snapshot():
            results = rank_query(x, encoded, options)
            for hit in results.hits:
                found = self._found(hit.image, hit.copy_paths)
                ours = replace(
                    hit,
                    path=found.path,
                    image=found.image,
                    location=found.collection.memery.location(found.image),
                    copy_paths=found.copy_paths,
                )
                hits.append((found, ours))
        left_out = tuple(c.name for c in self if name is None and c.name not in names)
        model_id = x.encoder.space.model_id
        return Answer(
            tuple(hits),
            results.total,
            results.strong,
            model_id,
            results.took,
            names,
            left_out,
            results.warnings,
        )

    def similar(self, id_: str, options: SearchOptions, name: str | None = None) -> Answer:
        """The images most like one that is indexed, itself and its copies left out."""
        found = self.image(id_)
        others = replace(options.filter, not_digest=found.image.digest)
        options = replace(options, filter=others, mode="visual")
        return self.search(Query((Term(id=id_),)), options, name)

    def browse(
        self, options: SearchOptions, order: Order, name: str | None = None
    ) -> tuple[list[FoundImage], int, tuple[str, ...]]:
        """Images without a query, "date" (newest first) or "name"; and how many pass the filter.

        If none does, also why, in sentences. Exact copies are folded into one unless listed.
        """
        x, joint, _ = self._join(name)
        space, where, fold = x.encoder.space, options.filter, not options.list_copies
        with joint.snapshot() as snapshot:
            listing = snapshot.browse(space, where, order, options.top_k, options.offset, fold=fold)
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


def _named(paths: Sequence[str | os.PathLike[str]]) -> Iterator[tuple[str, Path]]:
    """A name for each folder, each folder once."""
    taken: set[str] = set()
    seen: set[Path] = set()
    if not all(map(os.fspath, paths)):
        raise FolderError("The name of a folder is empty. Use . for the current folder.")
    for path in map(Path, paths):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = path.expanduser().resolve()  # noqa: PLW2901 - the same folder by its real name
        if path in seen:
            continue
        _refuse_nested(path, seen)
        seen.add(path)
        name = printable(path.name) or "root"
        numbered = (f"{name}-{number}" for number in count(2))
        free = next(one for one in chain([name], numbered) if one not in taken)
        taken.add(free)
        yield free, path


def _refuse_nested(path: Path, others: Iterable[Path]) -> None:
    for other in others:
        outer, inner = sorted((path, other), key=lambda folder: len(folder.parts))
        if outer in inner.parents:
            raise FolderError(
                f"{inner} lies in {outer}, which is served too: its images would come twice."
                " Name one of the two."
            )
