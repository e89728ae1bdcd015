"""The status of a folder and its archive."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memery import assembly
from memery.archive import Archive, find_archive
from memery.config import Config, load_config
from memery.errors import ReaderError
from memery.executors.types import Changes
from memery.query.filters import Filter
from memery.stores.derived import TextCounts, count, count_dates, count_texts, damaged_images
from memery.stores.interface import Store
from memery.stores.records import Space
from memery.stores.settings import ocr_enabled
from memery.types import ImageFile, Skip

_NO_SPACE = Space("", "", 1)
"""The empty space of a folder that was never indexed."""


@dataclass(frozen=True, slots=True)
class TextStatus:
    """Progress of OCR.

    Attributes:
        wanted: whether a build runs OCR.
        reader: name and version of the OCR engine, or None if none is installed.
        read: number of images on which OCR has run.
        with_text: number of these that contain text.
        unread: number of images on which OCR has not run yet.
        readers: OCR engines that recognised the stored text, with the number of images.
    """

    wanted: bool
    reader: str | None
    read: int
    with_text: int
    unread: int
    readers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a folder and its archive.

    Attributes:
        folder: the requested folder.
        root: the folder that the archive describes.
        archive: the folder of the archive.
        exists: whether anything is indexed.
        size: size of the archive on disk, bytes.
        searchable: number of images in the folder that a search finds.
        changes: what the next build would do.
        skips: skipped files with reasons.
        damaged: images that were decoded in part.
        space: the space that searches use, or None.
        spaces: all spaces with their number of embeddings.
        holder: id of the process that is writing, or None.
        seed_files: files of memery 0.1, which are ignored.
        text: progress of OCR.
        dates: number of images by source of their date (`memery.imaging.dates.SOURCES`).
    """

    folder: Path
    root: Path
    archive: Path
    exists: bool
    size: int
    searchable: int
    changes: Changes
    skips: tuple[Skip, ...]
    damaged: tuple[ImageFile, ...]
    space: Space | None
    spaces: tuple[tuple[Space, int], ...]
    holder: int | None
    seed_files: tuple[Path, ...]
    text: TextStatus
    dates: Mapping[str, int]


def status(path: str | os.PathLike[str], **settings: Any) -> Status:
    """Read the status of a folder and its archive, without loading a model.

    Args:
        path: the folder.
        settings: fields of `Config`.

    Raises:
        FolderError: the folder is missing or cannot be read.
        ArchiveError: the archive cannot be opened.
    """
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    with contextlib.closing(assembly.open_store(archive, config)) as store:
        return status_of(archive, config, store)


def status_of(archive: Archive, config: Config, store: Store) -> Status:
    """Read the status of an open archive."""
    scope = Filter(archive.scope)
    loader = assembly.make_loader(archive, config, store)
    with store.snapshot() as snapshot:
        state = snapshot.state()
        space = state.active_space
        searchable = count(snapshot, space, scope) if space else 0
        skips = tuple(snapshot.skips(scope))
        damaged = tuple(damaged_images(snapshot, space, scope)) if space else ()
        dates = count_dates(snapshot, space, scope) if space else {}
        texts = count_texts(snapshot, space or _NO_SPACE, scope)
        pending = len(snapshot.pending_ocr(scope))
    return Status(
        folder=archive.searched,
        root=archive.root,
        archive=archive.folder,
        exists=space is not None,
        size=_size(archive.folder),
        searchable=searchable,
        changes=loader.load(space or _NO_SPACE),
        skips=skips,
        damaged=damaged,
        space=space,
        spaces=tuple((info.space, info.embeddings) for info in state.spaces),
        holder=archive.holder(),
        seed_files=tuple(archive.seed_files()),
        text=_text_status(config, store, texts, pending),
        dates=dates,
    )


def _text_status(config: Config, store: Store, texts: TextCounts, pending: int) -> TextStatus:
    reader = None
    with contextlib.suppress(ReaderError):
        info = assembly.open_ocr_engine(config).info
        reader = f"{info.name} {info.version}"
    return TextStatus(
        wanted=ocr_enabled(store, config),
        reader=reader,
        read=texts.recognized,
        with_text=texts.with_text,
        unread=pending,
        readers=texts.engines,
    )


def _size(folder: Path) -> int:
    total = 0
    for base, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(base) / name).stat().st_size
    return total
