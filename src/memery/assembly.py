"""Composition of the default executors for a Config."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from memery import plugins
from memery.archive import Archive, find_archive
from memery.config import Config, load_config
from memery.errors import CRASHED, TIMED_OUT, ModelMismatch, ReaderError
from memery.executors.crafter import Crafter, decoder_fingerprint, start_decoder
from memery.executors.deduplicator import Deduplicator
from memery.executors.encoder import Encoder
from memery.executors.indexer import Indexer
from memery.executors.interface import Executors
from memery.executors.loader import Loader
from memery.executors.ranker import Ranker
from memery.executors.text_reader import TextReader
from memery.imaging import decoding as in_process
from memery.imaging.thumbnails import Thumbnails
from memery.models import selection
from memery.models.interface import EmbeddingModel
from memery.ocr.interface import OcrEngine
from memery.query.filters import Filter
from memery.query.terms import Query
from memery.stores.interface import Searchable, Store
from memery.stores.settings import follows_links, ocr_enabled

if TYPE_CHECKING:
    from memery.imaging.isolation import ImageDecoder


@contextlib.contextmanager
def default_executors(
    archive: Archive, config: Config, *, rebuild: bool = False
) -> Iterator[Executors]:
    """Compose the default executors; close their store at the end.

    Args:
        archive: the archive to work on.
        config: its settings.
        rebuild: as in `choose_model`.
    """
    store = open_store(archive, config)
    try:
        model = choose_model(archive, store, config, rebuild=rebuild)
        yield assemble(archive, config, store, model)
    finally:
        store.close()


def open_executors(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any],
    executors: Executors | None = None,
    *,
    rebuild: bool = False,
    query: Query | None = None,
) -> contextlib.AbstractContextManager[Executors]:
    """Open the executors of a flow: the given ones, or the default ones for a folder.

    Args:
        path: the folder.
        settings: fields of `Config`.
        executors: the given ones; they are not closed at the end.
        rebuild: as in `choose_model`.
        query: the query to run, if known, so that the decoder of its images starts early.
    """
    if executors is not None:
        return contextlib.nullcontext(executors)
    config = load_config(**settings)
    if query is not None:
        start_decoder(query, path, config)
    return default_executors(find_archive(path, config.archive), config, rebuild=rebuild)


def assemble(
    archive: Archive,
    config: Config,
    store: Store,
    model: EmbeddingModel,
    thumbnails: Thumbnails | None = None,
) -> Executors:
    """Compose executors around a store and a model.

    Args:
        archive: the archive to work on.
        config: its settings.
        store: where embeddings and metadata are stored.
        model: the embedding model.
        thumbnails: where the indexing flow stores thumbnails; by default `make_thumbnails`.
    """
    thumbnails = thumbnails or make_thumbnails(archive, config)
    # Links may lead out of the folder, and the server must not show files from there.
    ahead = None if follows_links(store, config) else thumbnails
    encoder = Encoder(model, store)
    return Executors(
        archive=archive,
        loader=make_loader(archive, config, store),
        crafter=Crafter(archive, model.info, config, partial(_has_crashed, store), ahead),
        encoder=encoder,
        indexer=Indexer(archive, store, encoder.space, thumbnails),
        ranker=Ranker(archive, store),
        deduplicator=Deduplicator(archive, store),
        reader=make_text_reader(archive, config, store),
        store=store,
    )


def join(executors: Executors, model: EmbeddingModel, store: Searchable) -> Executors:
    """Compose executors that search a federated store and index the archive of `executors`."""
    archive = replace(executors.archive, scope="")  # each member of the store has its own scope
    encoder, ranker = Encoder(model, store), Ranker(archive, store)
    return replace(executors, archive=archive, encoder=encoder, ranker=ranker, store=store)


def open_store(archive: Archive, config: Config) -> Store:
    """Open the store of an archive."""
    return cast(Store, plugins.load("memery.stores", config.store)(archive))


def choose_model(
    archive: Archive, store: Store, config: Config, *, rebuild: bool = False
) -> EmbeddingModel:
    """Open the model that `config.model` selects for an archive.

    Args:
        archive: the archive.
        store: its store.
        config: the settings.
        rebuild: accept a model that has changed since the archive was built.

    Raises:
        ModelError: the model is not installed.
        ModelMismatch: the archive holds embeddings of another model under this name.
    """
    with store.snapshot() as snapshot:
        state = snapshot.state()
    current = state.active_space
    if config.model == "auto" and current is not None:
        model = selection.open_remembered(
            current.model_id, current.fingerprint, config, folder=archive.root
        )
    else:
        model = selection.open_default(config)
    fingerprints = {
        info.space.fingerprint
        for info in state.spaces
        if info.space.model_id == model.info.model_id
    }
    if fingerprints and model.info.fingerprint not in fingerprints and not rebuild:
        raise ModelMismatch(
            f"The model {model.info.model_id} has changed since this archive was built, and its"
            " embeddings cannot be compared with the stored ones. Encode the images again:"
            f" memery build {archive.root} --rebuild"
        )
    return model


def make_loader(archive: Archive, config: Config, store: Store) -> Loader:
    """Make the default Loader."""
    follow = follows_links(store, config)
    return Loader(archive, store, decoder_fingerprint(config), follow_links=follow)


def make_text_reader(archive: Archive, config: Config, store: Store) -> TextReader | None:
    """Make the default TextReader, or return None where OCR is switched off or not installed.

    Raises:
        ReaderError: OCR is switched on, and the OCR engine is not available.
    """
    if not ocr_enabled(store, config):
        return None
    try:
        engine = open_ocr_engine(config)
    except ReaderError:
        if config.read_text or config.reader not in plugins.names("memery.readers"):
            raise
        return None
    return TextReader(archive, engine, config, make_decoder(config))


def open_ocr_engine(config: Config) -> OcrEngine:
    """Make the configured OCR engine; it loads its networks on first use.

    Raises:
        ReaderError: the OCR engine is not available.
    """
    return cast(OcrEngine, plugins.load("memery.readers", config.reader)())


def make_thumbnails(archive: Archive, config: Config) -> Thumbnails:
    """Make the thumbnail store of an archive."""
    return Thumbnails(archive, config.max_pixels, decoder=make_decoder(config))


def make_decoder(config: Config) -> ImageDecoder:
    """Make the decoder for images outside the indexing flow."""
    if not config.isolate:
        return in_process
    from memery.imaging.isolation import IsolatedDecoder

    return IsolatedDecoder(config.decode_seconds)


def _has_crashed(store: Store) -> bool:
    """Whether the archive has an image on which a decoder crashed or timed out."""
    with store.snapshot() as snapshot:
        return any(skip.reason in (CRASHED, TIMED_OUT) for skip in snapshot.skips(Filter()))
