"""The library: one folder, with its model loaded and its index open between calls."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

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

if TYPE_CHECKING:
    from memery.gateway.status import Status

_ANYWHERE = Filter()
_CHANGED = "it has changed since it was indexed"
ChooseModel = Callable[[Archive, Store, Config], EmbeddingModel]


class Memery:
    """A folder of images, open for indexing and searching.

    Args:
        path: the folder.
        rebuild: the next `build` encodes all images again, whatever model was used before.
        choose: chooses the model; `assembly.choose_model` by default.
        settings: fields of `Config`, for example `model=` or `archive=`.

    Raises:
        FolderError: the folder is missing or cannot be read.
        ArchiveError: its archive cannot be opened.
        ModelError: the model is not available, or does not fit the archive.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        rebuild: bool = False,
        choose: ChooseModel | None = None,
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
        """The archive of the folder."""
        return self._archive

    @property
    def store(self) -> Store:
        """The store of the archive."""
        return self._store

    @property
    def executors(self) -> Executors:
        """The executors of the two flows."""
        return self._executors

    @property
    def thumbnails(self) -> Thumbnails:
        """The thumbnails in the archive."""
        return self._thumbnails

    @property
    def space(self) -> Space:
        """The embedding space of the model."""
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
            rebuild: read and encode all images again.
            verify: check the store, and read every file to compare it with its digest.

        Returns:
            The report of the build.

        Raises:
            ArchiveDamaged: `verify` found damage in the store.
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
        """Search the index; with `refresh`, update it first.

        Args:
            query: as in `memery.query_flow`, like the arguments up to `progress`.
            image_query: one or more images.
            exclude: texts to find less of.
            exclude_images: images to find less of.
            more: relevant hits.
            less: irrelevant hits.
            where: filter; the conditions below are added to it.
            refresh: update the index first.
            progress: called with the counts after each committed batch.
            options: {options}

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is false.
            ModelMismatch: the folder is indexed with other models only, and `refresh` is false.
            QueryError: there is no query, or its terms cancel each other.
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
        """Find the images most like a given one, which need not be in this folder.

        An indexed image is not encoded again. The results do not contain the image itself and its
        exact copies; `duplicates` finds those.

        Args:
            image: an image as in `memery.query_flow`, or a term.
            where: filter; the conditions below are added to it.
            refresh: update the index first.
            progress: called with the counts after each committed batch.
            options: {options}

        Raises:
            ImageError: the image cannot be read.
            QueryError: the term is a text.
            ArchiveMissing: nothing is indexed yet, and `refresh` is false.
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
        """Find groups of exact and near duplicates. Delete nothing.

        A file with several paths (links, bind mounts) is one copy. Files that were deleted or
        changed since they were indexed are skipped.

        Args:
            exact_only: find only images with the same bytes; otherwise also near duplicates:
                re-encoded, resized, brightened, slightly cropped, framed, captioned, rotated or
                mirrored.
            where: filter.
            refresh: update the index first.
            progress: called with the counts after each committed batch.

        Returns:
            The groups, each with its best copy first.

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is false.
        """
        refresh_index = partial(run_index, self._executors, progress, before_search=True)
        ensure_index(self._executors.indexer, refresh_index if refresh else None)
        within = where.within(self._archive.scope)
        return self._executors.deduplicator.group(self.space, within, exact_only=exact_only)

    def count(self, where: Filter = _ANYWHERE) -> int:
        """Count the images that a search finds."""
        with self._store.snapshot() as snapshot:
            return count(snapshot, self.space, where.within(self._archive.scope))

    def skips(self) -> Sequence[Skip]:
        """Return the skipped files, ordered by path."""
        with self._store.snapshot() as snapshot:
            return snapshot.skips(Filter(self._archive.scope))

    def image(self, id_: str) -> ImageFile:
        """Look up an image by its id.

        Raises:
            ImageUnknown: no image in the folder has this id.
        """
        with self._store.snapshot() as snapshot:
            image = image_by_id(snapshot, self.space, Filter(self._archive.scope), id_)
        if image is None:
            raise ImageUnknown(id_)
        return image

    def text(self, image: ImageFile) -> tuple[Line, ...] | None:
        """Return the lines of text in an image; None if OCR has not run on it yet."""
        with self._store.snapshot() as snapshot:
            text = snapshot.text(image.digest)
        return None if text is None else text.lines

    def location(self, image: ImageFile) -> str:
        """Return the absolute path of an image."""
        return f"{self._archive.root}/{image.path}"

    def open(self, image: ImageFile) -> tuple[BinaryIO, str]:
        """Open the file of an image.

        Returns:
            The open file, and its media type, determined from the content.

        Raises:
            ImageError: the file is gone, leads out of the folder, is not an image, or has changed
                since it was indexed.
        """
        file, media_type = open_inside(self._archive.root, image.path)
        if not is_unchanged(file, image):
            file.close()
            raise ImageError("vanished", _CHANGED)
        return file, media_type

    def thumbnail(self, image: ImageFile, side: int) -> bytes:
        """Return the thumbnail of an image; make it if needed.

        Args:
            image: the image.
            side: maximum length of the longer side, pixels.

        Returns:
            An upright WebP.

        Raises:
            ImageError: the image cannot be decoded, or has changed since it was indexed.
        """
        thumbnail = self._thumbnails.find(image.digest, side)
        if thumbnail is not None:
            return thumbnail
        file, _ = self.open(image)
        with file:
            data = file.read(self._config.max_bytes)
        if hashlib.sha256(data).hexdigest() != image.digest:
            raise ImageError("vanished", _CHANGED)
        return self._thumbnails.make(image.digest, side, data)

    def preview(self, *, everything: bool = False) -> Changes:
        """Return what the next build would do, without opening or writing a file.

        Args:
            everything: assume that the build reads unchanged files too, as `rebuild` and `verify`
                do.
        """
        return self._executors.loader.load(self._executors.encoder.space, everything=everything)

    def status(self) -> Status:
        """Return the status of the folder and its archive."""
        from memery.gateway.status import status_of

        return status_of(self._archive, self._config, self._store)

    def close(self) -> None:
        """Close the archive."""
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
