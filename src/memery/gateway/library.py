"""The library: one folder, its model and index kept warm between calls."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from memery import plugins
from memery.archive import Archive, find_archive
from memery.config import Config, load_config
from memery.core import Report, find_duplicates, run_index, search
from memery.errors import (
    ArchiveDamaged,
    ArchiveError,
    ArchiveMissing,
    ImageError,
    ImageUnknown,
    ModelMismatch,
    ReaderError,
)
from memery.executors.interface import Changes, Executors
from memery.files import open_inside
from memery.filters import Day, Filter
from memery.models.interface import EmbeddingModel
from memery.queries import ANYWHERE, Image, Text, make_query, narrowed
from memery.stores.interface import Space, Store
from memery.thumbnails import Thumbnails
from memery.types import (
    DuplicateGroup,
    ImageFile,
    IndexReport,
    Line,
    Query,
    Ranking,
    Results,
    Skip,
)

Choose = Callable[[Archive, Store, Config], EmbeddingModel]
_NO_SPACE = Space("", "", 1)
"""The space of a folder that was never indexed: nothing is in it."""


@dataclass(frozen=True, slots=True)
class TextStatus:
    """What is known of the text in pictures.

    Attributes:
        wanted: a build is to read it.
        reader: name and version of what reads, or None where nothing that does is installed.
        read: images whose text was read.
        with_text: those of them that hold any.
        unread: images whose text was not read yet.
        readers: what read the text that is stored, with the number of images.
    """

    wanted: bool
    reader: str | None
    read: int
    with_text: int
    unread: int
    readers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What `memery status` tells.

    Attributes:
        folder: the folder asked about.
        root: the folder that the archive describes.
        archive: where the archive lies.
        exists: something was indexed.
        size: bytes of the archive on disk.
        searchable: images of the folder that a search finds now.
        changes: what the next build would do.
        skips: files that were left out, with reasons.
        space: the space that answers searches, or None.
        spaces: every space with its number of embeddings.
        holder: process id of the one that is writing, or None.
        seed_files: files of memery 0.1 that lie there and are ignored.
        text: what is known of the text in pictures.
    """

    folder: Path
    root: Path
    archive: Path
    exists: bool
    size: int
    searchable: int
    changes: Changes
    skips: tuple[Skip, ...]
    space: Space | None
    spaces: tuple[tuple[Space, int], ...]
    holder: int | None
    seed_files: tuple[Path, ...]
    text: TextStatus


class Memery:
    """A folder of images to search, again and again.

    Args:
        path: the folder.
        rebuild: the next `build` encodes everything anew, whatever model was used before.
        choose: what chooses the model, `plugins.choose_model` by default.
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
        self._store = plugins.open_store(self._archive, self._config)
        try:
            choose = choose or partial(plugins.choose_model, rebuild=rebuild)
            model = choose(self._archive, self._store, self._config)
            self._executors = plugins.assemble(self._archive, self._config, self._store, model)
        except BaseException:
            self._store.close()
            raise

        self._thumbnails = Thumbnails(self._archive, self._config.max_pixels)

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
        self, *, progress: Report | None = None, rebuild: bool = False, verify: bool = False
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
        plugins.remember_choices(self._store, self._config)
        return run_index(self._executors, progress, rebuild=rebuild, reread=verify)

    def recall(
        self,
        query: Text | Query | Sequence[Text] | None = None,
        image_query: Image | Sequence[Image] | None = None,
        *,
        exclude: Text | Sequence[Text] = (),
        exclude_images: Image | Sequence[Image] = (),
        more: Image | Sequence[Image] = (),
        less: Image | Sequence[Image] = (),
        top_k: int = 10,
        offset: int = 0,
        mode: str = "auto",
        min_strength: float | None = None,
        sort: str = "score",
        where: Filter = ANYWHERE,
        under: str = "",
        since: Day = None,
        until: Day = None,
        refresh: bool = False,
        progress: Report | None = None,
    ) -> Results:
        """Search what is indexed; with `refresh`, bring the index up to date first.

        The arguments are those of `memery.query_flow`.

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
            ModelMismatch: it is indexed with other models only, and `refresh` is off.
            QueryError: there is no query, or it points nowhere.
        """
        asked = make_query(query, image_query, exclude, exclude_images, more, less)
        scope = narrowed(where, under, since, until)
        ranking = Ranking(top_k, offset, scope, mode, min_strength, sort)
        return search(self._executors, asked, ranking, refresh=refresh, progress=progress)

    def similar(
        self,
        image: Image,
        *,
        top_k: int = 10,
        offset: int = 0,
        min_strength: float | None = None,
        sort: str = "score",
        where: Filter = ANYWHERE,
        refresh: bool = False,
        progress: Report | None = None,
    ) -> Results:
        """The images most like one, which need not be of this folder; itself left out.

        One that is indexed is not encoded again. Exact copies of it are left out too: `duplicates`
        finds them. The other arguments are those of `memery.query_flow`.

        Raises:
            ImageError: the image cannot be read.
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
        """
        asked = make_query(image_query=image)
        (term,) = asked.terms
        if term.id is not None:
            digest = self.image(term.id).digest
        else:
            crafter, known = self._executors.crafter, self._executors.encoder.known
            digest = crafter.craft_query(asked, known)[0].digest
        scope = replace(where, not_digest=digest)
        ranking = Ranking(top_k, offset, scope, "visual", min_strength, sort)
        return search(self._executors, asked, ranking, refresh=refresh, progress=progress)

    def duplicates(
        self,
        *,
        exact_only: bool = False,
        where: Filter = ANYWHERE,
        refresh: bool = False,
        progress: Report | None = None,
    ) -> tuple[DuplicateGroup, ...]:
        """Groups of images that are one picture, the best copy of each first. Deletes nothing.

        Args:
            exact_only: only images with the same bytes; otherwise near duplicates too: encoded
                anew, made smaller or brighter, cut a little, framed, captioned, turned, mirrored.
            where: which images are looked at.
            refresh: bring the index up to date first.
            progress: called with the counts after each committed batch.

        Raises:
            ArchiveMissing: nothing is indexed yet, and `refresh` is off.
        """
        return find_duplicates(
            self._executors, where, exact_only=exact_only, refresh=refresh, progress=progress
        )

    def count(self, where: Filter = ANYWHERE) -> int:
        """Images that a search finds."""
        return self._store.count(self.space, where.within(self._archive.scope))

    def skips(self) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        return self._store.skips(Filter(self._archive.scope))

    def image(self, id_: str) -> ImageFile:
        """The facts about an image by its id.

        Raises:
            ImageUnknown: no image of the folder has it.
        """
        image = self._store.image(self.space, id_)
        if image is None or not image.path.startswith(Filter(self._archive.scope).prefix):
            raise ImageUnknown(id_)
        return image

    def text(self, image: ImageFile) -> tuple[Line, ...] | None:
        """The lines of text in a picture; None where it was not read yet."""
        text = self._store.text(image.digest)
        return None if text is None else text.lines

    def location(self, image: ImageFile) -> str:
        """Absolute path of an image."""
        return f"{self._archive.root}/{image.path}"

    def open(self, image: ImageFile) -> tuple[BinaryIO, str]:
        """An image's file, and its media type, which its content decides.

        Raises:
            ImageError: it is gone, leads out of the folder, or is no image any more.
        """
        return open_inside(self._archive.root, image.path)

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
            raise ImageError("vanished", "it has changed since it was indexed")
        return self._thumbnails.make(image.digest, side, data)

    def preview(self, *, everything: bool = False) -> Changes:
        """What the next build would do; nothing is opened or written.

        Args:
            everything: it is to read unchanged files too, as `rebuild` and `verify` do.
        """
        return self._executors.loader.load(self._executors.encoder.space, everything=everything)

    def status(self) -> Status:
        """The state of the folder and its archive."""
        return _status(self._archive, self._config, self._store)

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


def status(path: str | os.PathLike[str], **settings: Any) -> Status:
    """The state of a folder and its archive; no model is needed."""
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    with contextlib.closing(plugins.open_store(archive, config)) as store:
        return _status(archive, config, store)


def _status(archive: Archive, config: Config, store: Store) -> Status:
    scope = Filter(archive.scope)
    space = store.current_space()
    return Status(
        folder=archive.searched,
        root=archive.root,
        archive=archive.folder,
        exists=space is not None,
        size=_size(archive.folder),
        searchable=store.count(space, scope) if space else 0,
        changes=plugins.make_loader(archive, config, store).load(space or _NO_SPACE),
        skips=tuple(store.skips(scope)),
        space=space,
        spaces=tuple(store.spaces()),
        holder=archive.holder(),
        seed_files=tuple(archive.seed_files()),
        text=_text_status(config, store, scope),
    )


def _text_status(config: Config, store: Store, scope: Filter) -> TextStatus:
    read, with_text = store.count_texts(scope)
    reader = None
    with contextlib.suppress(ReaderError):
        info = plugins.open_reader(config).info
        reader = f"{info.name} {info.version}"
    return TextStatus(
        wanted=plugins.reads_text(store, config),
        reader=reader,
        read=read,
        with_text=with_text,
        unread=len(store.unread(scope)),
        readers=tuple(store.readers()),
    )


def purge(path: str | os.PathLike[str], **settings: Any) -> Path:
    """Delete the archive of a folder; the images stay. Returns where it was.

    Raises:
        ArchiveMissing: there is none.
        ArchiveError: it belongs to a folder above, is being written, or cannot be deleted.
    """
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    if not archive.exists():
        raise ArchiveMissing(f"{archive.searched} has no archive: there is nothing to delete.")
    archive.purge()
    return archive.folder


def drop_model(path: str | os.PathLike[str], model_id: str, **settings: Any) -> int:
    """Delete the embeddings of one model; the others stay. Returns how many they were.

    Raises:
        ArchiveMissing: there is no archive.
        ModelMismatch: it has no embeddings of that model, or they are what answers searches.
        ArchiveError: it belongs to a folder above, or is being written.
    """
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    if archive.scope:
        raise ArchiveError(
            f"{archive.searched} is part of the archive of {archive.root}: name that folder."
        )
    with contextlib.closing(plugins.open_store(archive, config)) as store:
        if store.current_space() is None:
            raise ArchiveMissing(f"{archive.searched} has no archive: there is nothing to delete.")
        with store.writing():
            return _drop(archive, store, model_id)


def _drop(archive: Archive, store: Store, model_id: str) -> int:
    held = [(space, count) for space, count in store.spaces() if space.model_id == model_id]
    current = store.current_space()
    dropped = [(space, count) for space, count in held if space != current]
    if not dropped:
        why = (
            f"answers the searches of {archive.root}. Build it with another model first, or delete"
            " the whole archive with memery purge"
            if held
            else f"has no embeddings in {archive.folder}: memery status names those that have"
        )
        raise ModelMismatch(f"{model_id} {why}.")
    for space, _ in dropped:
        store.drop_space(space)
    return sum(count for _, count in dropped)


def _size(folder: Path) -> int:
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(base) / name).stat().st_size
    return total
