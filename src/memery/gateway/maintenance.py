"""What is done to an archive besides searching and building it: deleting it, or a part of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from memery import assembly
from memery.archive import Archive, find_archive, find_orphan
from memery.config import Config, load_config
from memery.errors import ArchiveDamaged, ArchiveError, ArchiveMissing, FolderError, ModelMismatch
from memery.stores.interface import Store, Writer


def purge(path: str | os.PathLike[str], **settings: Any) -> Path:
    """Delete the archive of a folder; the images stay. Returns where it was.

    The folder may be gone, where its archive was kept elsewhere.

    Raises:
        FolderError: there is no such folder, and no archive of it.
        ArchiveMissing: there is none.
        ArchiveError: it belongs to another folder or to one above, is being written, or cannot be
            deleted.
    """
    config = load_config(**settings)
    archive = find_orphan(path, config.archive) or _find_archive(path, config)
    if not archive.exists():
        raise ArchiveMissing(f"{archive.searched} has no archive: there is nothing to delete.")
    if config.archive is not None:
        _check_owner(archive, config)
    archive.purge()
    return archive.folder


def _find_archive(path: str | os.PathLike[str], config: Config) -> Archive:
    """As `find_archive`; a folder that is gone may have had its archive at any place."""
    try:
        return find_archive(path, config.archive)
    except FolderError:
        folder = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises for an unknown user
        if config.archive is not None or not folder or os.path.lexists(folder):
            raise
        raise FolderError(
            f"There is no folder {path}: check the spelling. If it was deleted and its archive was"
            " kept in another place, name that place with --archive DIR."
        ) from None


def _check_owner(archive: Archive, config: Config) -> None:
    """Refuse to delete the archive of another folder; a damaged one may be anybody's."""
    with contextlib.suppress(ArchiveDamaged):
        assembly.open_store(archive, config).close()


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
    with contextlib.closing(assembly.open_store(archive, config)) as store:
        with store.snapshot() as snapshot:
            active = snapshot.state().active_space
        if active is None:
            raise ArchiveMissing(f"{archive.searched} has no archive: there is nothing to delete.")
        with store.writing() as writer:
            return _drop(archive, store, writer, model_id)


def _drop(archive: Archive, store: Store, writer: Writer, model_id: str) -> int:
    with store.snapshot() as snapshot:
        spaces = snapshot.state().spaces
    held = [info for info in spaces if info.space.model_id == model_id]
    dropped = [info for info in held if not info.is_active]
    if not dropped:
        why = (
            f"answers the searches of {archive.root}. Build it with another model first, or delete"
            " the whole archive with memery purge"
            if held
            else f"has no embeddings in {archive.folder}: memery status names those that have"
        )
        raise ModelMismatch(f"{model_id} {why}.")
    for info in dropped:
        writer.drop_space(info.space)
    return sum(info.embeddings for info in dropped)
