"""The state of a folder and its archive, for people and programs to look at."""

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
        damaged: images of whose files a part was decoded.
        space: the space that answers searches, or None.
        spaces: every space with its number of embeddings.
        holder: process id of the one that is writing, or None.
        seed_files: files of memery 0.1 that lie there and are ignored.
        text: what is known of the text in pictures.
        dates: images by where their date comes from (`memery.imaging.dates.SOURCES`).
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
    """The state of a folder and its archive; no model is needed."""
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    with contextlib.closing(assembly.open_store(archive, config)) as store:
        return status_of(archive, config, store)


def status_of(archive: Archive, config: Config, store: Store) -> Status:
    """The state of an archive that is open."""
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
        info = assembly.open_reader(config).info
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
