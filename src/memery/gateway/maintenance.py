"""Deletes an archive, or the embeddings of one model."""

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
    """Delete the archive of a folder; the images stay.

    The folder may have been deleted if its archive is kept elsewhere.

    Args:
        path: the folder.
        settings: fields of `Config`.

    Returns:
        The folder of the deleted archive.

    Raises:
        FolderError: neither the folder nor an archive of it exists.
        ArchiveMissing: the folder has no archive.
        ArchiveError: the archive belongs to another folder or to a parent, is being written, or
            cannot be deleted.
    """
    config = load_config(**settings)
    archive = find_orphan(path, config.archive) or _find_archive(path, config)
    if not archive.exists():
        raise ArchiveMissing(f"{archive.searched} has no archive. There is nothing to delete.")
    if config.archive is not None:
        _check_owner(archive, config)
    archive.purge()
    return archive.folder


def _find_archive(path: str | os.PathLike[str], config: Config) -> Archive:
    """Find the archive of a folder; explain what to do if the folder no longer exists."""
    try:
        return find_archive(path, config.archive)
    except FolderError:
        folder = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises for an unknown user
        if config.archive is not None or not folder or os.path.lexists(folder):
            raise
        raise FolderError(
            f"The folder {path} does not exist. Check the spelling. If it was deleted, but its"
            " archive was kept elsewhere, name the archive with --archive DIR."
        ) from None


def _check_owner(archive: Archive, config: Config) -> None:
    """Refuse to delete the archive of another folder; a damaged one does not tell its folder."""
    with contextlib.suppress(ArchiveDamaged):
        assembly.open_store(archive, config).close()


def drop_model(path: str | os.PathLike[str], model_id: str, **settings: Any) -> int:
    """Delete the embeddings of one model; those of other models stay.

    Args:
        path: the folder.
        model_id: id of the model.
        settings: fields of `Config`.

    Returns:
        The number of deleted embeddings.

    Raises:
        ArchiveMissing: the folder has no archive.
        ModelMismatch: the archive has no embeddings of the model, or searches use them.
        ArchiveError: the archive belongs to a parent folder, or is being written.
    """
    config = load_config(**settings)
    archive = find_archive(path, config.archive)
    if archive.scope:
        raise ArchiveError(
            f"{archive.searched} is part of the archive of {archive.root}. Name that folder."
        )
    with contextlib.closing(assembly.open_store(archive, config)) as store:
        with store.snapshot() as snapshot:
            active = snapshot.state().active_space
        if active is None:
            raise ArchiveMissing(f"{archive.searched} has no archive. There is nothing to delete.")
        with store.writing() as writer:
            return _drop(archive, store, writer, model_id)


def _drop(archive: Archive, store: Store, writer: Writer, model_id: str) -> int:
    with store.snapshot() as snapshot:
        spaces = snapshot.state().spaces
    stored = [info for info in spaces if info.space.model_id == model_id]
    dropped = [info for info in stored if not info.is_active]
    if not dropped:
        reason = (
            f"is the model that searches of {archive.root} use. Build with another model first, or"
            " delete the whole archive with memery purge"
            if stored
            else f"has no embeddings in {archive.folder}. memery status lists those that have"
        )
        raise ModelMismatch(f"{model_id} {reason}.")
    for info in dropped:
        writer.drop_space(info.space)
    return sum(info.embeddings for info in dropped)
