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
from memery.executors.text_reader import Reader
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
    """One of each executor, closed at the end."""
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
    """The executors that a flow works with: those given, else the default ones for a folder.

    Args:
        path: the folder.
        settings: fields of `Config`.
        executors: given ones; they are not closed at the end.
        rebuild: as in `choose_model`.
        query: what they are to run, if that is known: what decodes its images is started early.
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
        archive: what they work on.
        config: its settings.
        store: what keeps embeddings and facts.
        model: what encodes.
        thumbnails: where the indexing flow puts some; by default `make_thumbnails`.
    """
    thumbnails = thumbnails or make_thumbnails(archive, config)
    # Links may lead out of the folder, and the server shows nothing from there.
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
        reader=make_reader(archive, config, store),
        store=store,
    )


def join(executors: Executors, model: EmbeddingModel, store: Searchable) -> Executors:
    """Executors that search several stores as one; they index only what `executors` does."""
    archive = replace(executors.archive, scope="")  # the joint store knows its members' own
    encoder, ranker = Encoder(model, store), Ranker(archive, store)
    return replace(executors, archive=archive, encoder=encoder, ranker=ranker, store=store)


def open_store(archive: Archive, config: Config) -> Store:
    """Open the store of an archive."""
    return cast(Store, plugins.load("memery.stores", config.store)(archive))


def choose_model(
    archive: Archive, store: Store, config: Config, *, rebuild: bool = False
) -> EmbeddingModel:
    """The model that `config.model` means for an archive.

    Raises:
        ModelError: it is not installed.
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
            " embeddings do not compare with those of before. Encode the images anew:"
            f" memery build {archive.root} --rebuild"
        )
    return model


def make_loader(archive: Archive, config: Config, store: Store) -> Loader:
    """The default Loader; it needs no model."""
    follow = follows_links(store, config)
    return Loader(archive, store, decoder_fingerprint(config), follow_links=follow)


def make_reader(archive: Archive, config: Config, store: Store) -> Reader | None:
    """The default Reader, or None where no text is to be recognised.

    Raises:
        ReaderError: OCR is switched on, and the OCR engine is not available.
    """
    if not ocr_enabled(store, config):
        return None
    try:
        engine = open_reader(config)
    except ReaderError:
        if config.read_text or config.reader not in plugins.names("memery.readers"):
            raise
        return None
    return Reader(archive, engine, config, make_decoder(config))


def open_reader(config: Config) -> OcrEngine:
    """Make the OCR engine that is configured; its networks are loaded when they are first needed.

    Raises:
        ReaderError: it is not available.
    """
    return cast(OcrEngine, plugins.load("memery.readers", config.reader)())


def make_thumbnails(archive: Archive, config: Config) -> Thumbnails:
    """The thumbnails of an archive."""
    return Thumbnails(archive, config.max_pixels, decoder=make_decoder(config))


def make_decoder(config: Config) -> ImageDecoder:
    """What decodes outside of the indexing flow."""
    if not config.isolate:
        return in_process
    from memery.imaging.isolation import IsolatedDecoder

    return IsolatedDecoder(config.decode_seconds)


def _has_crashed(store: Store) -> bool:
    """Whether the archive knows an image on which a decoder died or hung."""
    with store.snapshot() as snapshot:
        return any(skip.reason in (CRASHED, TIMED_OUT) for skip in snapshot.skips(Filter()))
