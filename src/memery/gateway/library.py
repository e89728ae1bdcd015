"""The library: one folder, its model and index kept warm between calls."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, BinaryIO, Self

from memery import assembly
from memery.archive import Archive, find_archive
from memery.config import Config, load_config
from memery.core import run_index, run_query
from memery.errors import (
    ArchiveDamaged,
    ImageError,
    ImageUnknown,
)
from memery.executors.interface import Executors
from memery.executors.types import Changes
from memery.gateway.status import Status, status_of
from memery.imaging.files import is_unchanged, open_inside
from memery.imaging.thumbnails import Thumbnails
from memery.models.interface import EmbeddingModel
from memery.query.builder import Image, Text, make_query
from memery.query.filters import Filter
from memery.query.options import SearchOptions, takes_search_parameters
from memery.query.terms import Query
from memery.results import Results
from memery.search import ensure_index, similar_query
from memery.stores.derived import count, image_by_id
from memery.stores.interface import Store
from memery.stores.records import Space
from memery.stores.settings import remember_choices
from memery.types import DuplicateGroup, ImageFile, IndexReport, Line, ProgressCallback, Skip

_ANYWHERE = Filter()
_CHANGED = "it has changed since it was indexed"
Choose = Callable[[Archive, Store, Config], EmbeddingModel]


class Memery:
    """A folder of images to search, again and again.

    Args:
        path: the folder.
        rebuild: the next `build` encodes everything anew, whatever model was used before.
        choose: what chooses the model, `assembly.choose_model` by default.
        settings: fields of `Config`, for example `model=` or `archive=`.

    Raises:
        FolderError: the folder is missing or cannot be read.
        ArchiveError: its archive cannot be opened.
        ModelError: the model is not to be had, or does not fit the archive.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rebuild: bool = False,
        choose: Choose | None = None,
        **settings: Any,
    ) -> None:
        self._config = load_config(**settings)
        self._archive = find_archive(path, self._config.archive)
        self._store = assembly.open_store(self._archive, self._config)
        try:
            choose = choose or partial(assembly.choose_model, rebuild=rebuild)
            model = choose(self._archive, self._store, self._config)
            self._thumbnails = assembly.make_thumbnails(self._archive, self._config)
            self._executors = assembly.assemble(
                self._archive, self._config, self._store, model, self._thumbnails
            )
        except BaseException:
            self._store.close()
            raise

    @property
    def archive(self) -> Archive:
        """The archive that answers for the folder."""
        return self._archive

    @property
    def store(self) -> Store:
        """The store of that archive."""
        return self._store

    @property
    def executors(self) -> Executors:
        """What the two flows are composed of here."""
        return self._executors

    @property
    def thumbnails(self) -> Thumbnails:
        """The thumbnails kept in the archive."""
        return self._thumbnails

    @property
    def space(self) -> Space:
        """The space of the model in use."""
        return self._executors.encoder.space

    def build(
        self,
        *,
        progress: ProgressCallback | None = None,
        rebuild: bool = False,
        verify: bool = False,
    ) -> IndexReport:
        """Run the indexing flow.

        Args:
            progress: called with the counts after each committed batch.
            rebuild: read and encode everything anew.
            verify: check the store, and read every file to compare it with its digest.

        Raises:
            ArchiveDamaged: `verify` found a fault in the store.
        """
        if verify:
            faults = self._store.verify(self._executors.encoder.space)
            if faults:
                raise ArchiveDamaged(
                    f"The archive {self._archive.folder} is damaged: {'; '.join(faults)}. Your"
                    " images are untouched. Delete it with memery purge, then build it again."
                )
        remember_choices(self._store, self._config)
        return run_index(self._executors, progress, rebuild=rebuild, reread=verify)

    @takes_search_parameters()
    def recall(
        self,
        query: Text | Image | Query | Sequence[Text | Image] | None = None,
        image_query: Image | Sequence[Image] | None = None,
        *,
        exclude: Text | Sequence[Text] = (),
        exclude_images: Image | Sequence[Image] = (),
        more: Image | Sequence[Image] = (),
        less: Image | Sequence[Image] = (),
        where: Filter | None = None,
        refresh: bool = False,
        progress: ProgressCallback | None = None,
        **options: Any,
    ) -> Results:
        """Search what is indexed; with `refresh`, bring the index up to date first.

        Args:
            query: as in `memery.query_flow`, like the arguments up to `progress`.
            image_query: one or more images.
            exclude: texts to find less of.
            exclude_images: images to find less of.
            more: hits that were right.
            less: hits that were wrong.
            where: which images may be found; the conditions below are added to it.
            refresh: bring the index up to date first.
            progress: called with the counts after each committed batch.
            options: {options}

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
            ModelMismatch: it is indexed with other models only, and `refresh` is off.
            QueryError: there is no query, or it points nowhere.
        """
        terms = make_query(query, image_query, exclude, exclude_images, more, less)
        search = SearchOptions.of(options, where)
        return run_query(self._executors, terms, search, refresh=refresh, progress=progress)

    @takes_search_parameters("mode")
    def similar(
        self,
        image: Image,
        *,
        where: Filter | None = None,
        refresh: bool = False,
        progress: ProgressCallback | None = None,
        **options: Any,
    ) -> Results:
        """The images most like one, which need not be of this folder; itself left out.

        One that is indexed is not encoded again. Exact copies of it are left out too: `duplicates`
        finds them.

        Args:
            image: as an image of `memery.query_flow`, or a term.
            where: which images may be found; the conditions below are added to it.
            refresh: bring the index up to date first.
            progress: called with the counts after each committed batch.
            options: {options}

        Raises:
            ImageError: the image cannot be read.
            QueryError: it is a text.
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
        """
        given = SearchOptions.of(options, where, omitted=("mode",))
        (term,) = make_query(image_query=image).terms
        query, others = similar_query(self._executors, term, given, require=not refresh)
        return run_query(self._executors, query, others, refresh=refresh, progress=progress)

    def duplicates(
        self,
        *,
        exact_only: bool = False,
        where: Filter = _ANYWHERE,
        refresh: bool = False,
        progress: ProgressCallback | None = None,
    ) -> tuple[DuplicateGroup, ...]:
        """Groups of images that are one picture, the best copy of each first. Deletes nothing.

        A file that several paths lead to (links, bind mounts) is one copy. Files that are gone or
        have changed since they were indexed are left out.

        Args:
            exact_only: only images with the same bytes; otherwise near duplicates too: encoded
                anew, made smaller or brighter, cut a little, framed, captioned, turned, mirrored.
            where: which images are looked at.
            refresh: bring the index up to date first.
            progress: called with the counts after each committed batch.

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
        """
        refresh_index = partial(run_index, self._executors, progress, before_search=True)
        ensure_index(self._executors.indexer, refresh_index if refresh else None)
        within = where.within(self._archive.scope)
        return self._executors.deduplicator.group(self.space, within, exact_only=exact_only)

    def count(self, where: Filter = _ANYWHERE) -> int:
        """Images that a search finds."""
        with self._store.snapshot() as snapshot:
            return count(snapshot, self.space, where.within(self._archive.scope))

    def skips(self) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        with self._store.snapshot() as snapshot:
            return snapshot.skips(Filter(self._archive.scope))

    def image(self, id_: str) -> ImageFile:
        """The facts about an image by its id.

        Raises:
            ImageUnknown: no image of the folder has it.
        """
        with self._store.snapshot() as snapshot:
            image = image_by_id(snapshot, self.space, Filter(self._archive.scope), id_)
        if image is None:
            raise ImageUnknown(id_)
        return image

    def text(self, image: ImageFile) -> tuple[Line, ...] | None:
        """The lines of text in a picture; None where it was not read yet."""
        with self._store.snapshot() as snapshot:
            text = snapshot.text(image.digest)
        return None if text is None else text.lines

    def location(self, image: ImageFile) -> str:
        """Absolute path of an image."""
        return f"{self._archive.root}/{image.path}"

    def open(self, image: ImageFile) -> tuple[BinaryIO, str]:
        """An image's file, and its media type, which its content decides.

        Raises:
            ImageError: it is gone, leads out of the folder, is no image any more, or another one
                than was indexed.
        """
        file, media_type = open_inside(self._archive.root, image.path)
        if not is_unchanged(file, image):
            file.close()
            raise ImageError("vanished", _CHANGED)
        return file, media_type

    def thumbnail(self, image: ImageFile, side: int) -> bytes:
        """A small version of an image: WebP, upright, its longer side at most `side` pixels.

        Raises:
            ImageError: it cannot be decoded, or has changed since it was indexed.
        """
        kept = self._thumbnails.find(image.digest, side)
        if kept is not None:
            return kept
        file, _ = self.open(image)
        with file:
            data = file.read(self._config.max_bytes)
        if hashlib.sha256(data).hexdigest() != image.digest:
            raise ImageError("vanished", _CHANGED)
        return self._thumbnails.make(image.digest, side, data)

    def preview(self, *, everything: bool = False) -> Changes:
        """What the next build would do; nothing is opened or written.

        Args:
            everything: it is to read unchanged files too, as `rebuild` and `verify` do.
        """
        return self._executors.loader.load(self._executors.encoder.space, everything=everything)

    def status(self) -> Status:
        """The state of the folder and its archive."""
        return status_of(self._archive, self._config, self._store)

    def close(self) -> None:
        """Let go of the archive."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
