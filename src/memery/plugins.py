"""Names → classes, built-in or third parties', and the default executors for a Config."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from memery import decoding as in_process
from memery.archive import Archive
from memery.config import Config
from memery.errors import (
    CRASHED,
    TIMED_OUT,
    MemeryError,
    ModelError,
    ModelMismatch,
    ReaderError,
)
from memery.executors.crafter import Crafter, circumstances
from memery.executors.encoder import Encoder
from memery.executors.grouper import Grouper
from memery.executors.indexer import Indexer
from memery.executors.interface import Executors
from memery.executors.loader import Loader
from memery.executors.ranker import Ranker
from memery.executors.reader import Reader
from memery.filters import Filter
from memery.gallery import printable
from memery.models.interface import EmbeddingModel
from memery.readers.interface import TextReader
from memery.stores.interface import Searchable, Space, Store
from memery.thumbnails import Thumbnails

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from memery.isolation import ImageDecoder

logger = logging.getLogger(__name__)

BUILT_IN = {
    "memery.models": {"starter": "memery.models.starter:StarterModel"},
    "memery.stores": {"sqlite": "memery.stores.sqlite.store:SQLiteStore"},
    "memery.readers": {"rapidocr": "memery.readers.rapid:RapidReader"},
}
"""What comes with memery, by kind and name: module:attribute."""
_STARTER = "starter"
_FOLLOW_LINKS, _READ_TEXT = "follow_links", "read_text"


def names(group: str) -> list[str]:
    """The names of a kind of plug-in ("memery.models", …), built-in ones first."""
    third_parties = {point.name for point in _entry_points(group)}
    return [*BUILT_IN[group], *sorted(third_parties - BUILT_IN[group].keys())]


def is_plugin(group: str, name: str) -> bool:
    """Whether a plug-in has that name. Asking what is installed reads a file of each package."""
    return name in BUILT_IN[group] or name in names(group)


def _entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _load(group: str, name: str) -> Any:
    """The class behind a name; built-in names cannot be taken over."""
    if name in BUILT_IN[group]:
        module, _, attribute = BUILT_IN[group][name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in _entry_points(group):
        if point.name == name:
            return point.load()
    raise _unknown(group, name)


def _unknown(group: str, name: str, more: Sequence[str] = ()) -> MemeryError:
    known = ", ".join([*names(group), *more])
    kind = group.removeprefix("memery.").removesuffix("s")
    error = ReaderError if kind == "reader" else ModelError
    return error(f"There is no {kind} named {name!r}. Known here: {known}.")


def open_model(name: str, config: Config | None = None) -> EmbeddingModel:
    """Make the model that a user named; its weights are loaded when they are first needed.

    Args:
        name: of a plug-in, of the registry, of an installed model, a folder, or the URL of an
            encoder. What is of the registry and not installed is downloaded.
        config: precision, device and token.

    Raises:
        ConfigError: the device is not available.
        ModelError: no model of that name is available.
    """
    config = config or Config()
    if not is_plugin("memery.models", name):
        from memery.models import catalogue  # what it needs takes 50 ms to import

        model = catalogue.open_model(
            name, precision=config.precision, device=config.device, token=config.token
        )
        if model is not None:
            return model
        raise _unknown("memery.models", name, catalogue.offered())
    model_class = _load("memery.models", name)
    if name in BUILT_IN["memery.models"]:
        return cast(EmbeddingModel, model_class(config.device))
    if config.device != "auto":
        logger.warning(
            "The plug-in model %s chooses its device itself: --device is ignored.", printable(name)
        )
    return cast(EmbeddingModel, model_class())


def open_store(archive: Archive, config: Config) -> Store:
    """Open the store of an archive."""
    return cast(Store, _load("memery.stores", config.store)(archive))


def choose_model(
    archive: Archive, store: Store, config: Config, *, rebuild: bool = False
) -> EmbeddingModel:
    """The model that `config.model` means for this archive.

    Raises:
        ModelError: it is not installed.
        ModelMismatch: the archive holds embeddings of another model under this name.
    """
    current = store.current_space()
    if config.model != "auto":
        model = open_model(config.model, config)
    elif current is not None:
        model = _remembered(current, archive, config)
    else:
        model = _best_installed(config)
    fingerprints = {
        space.fingerprint for space, _ in store.spaces() if space.model_id == model.info.model_id
    }
    if fingerprints and model.info.fingerprint not in fingerprints and not rebuild:
        raise ModelMismatch(
            f"The model {model.info.model_id} has changed since this archive was built, and its"
            " embeddings do not compare with those of before. Encode the images anew:"
            f" memery build {archive.root} --rebuild"
        )
    return model


def open_default(config: Config) -> EmbeddingModel:
    """The model that `config.model` means where there is no archive to ask."""
    return _best_installed(config) if config.model == "auto" else open_model(config.model, config)


def better_than(model_id: str) -> str | None:
    """The recommended model, where the built-in one is in use."""
    from memery.models import registry

    return registry.recommended().name if model_id == _STARTER else None


def multilingual_model() -> str:
    """The model of the registry whose queries may be in many languages."""
    from memery.models import registry

    return next(name for name, entry in registry.entries().items() if "many" in entry.languages)


def _remembered(space: Space, archive: Archive, config: Config) -> EmbeddingModel:
    """The model that the archive was built with, if this machine has it."""
    if is_plugin("memery.models", space.model_id):
        return open_model(space.model_id, config)
    from memery.models import catalogue

    model = catalogue.open_remembered(
        space.model_id, space.fingerprint, precision=config.precision, device=config.device
    )
    if model is None:
        what = printable(space.model_id)
        get = f"get it with memery models pull {what}, " if catalogue.is_offered(what) else ""
        raise ModelError(
            f"{archive.root} was indexed with the model {what}, which is not installed here:"
            f" {get}name its folder or address with --model, or index with another:"
            f" memery build {archive.root} --model {_STARTER}"
        )
    return model


def _best_installed(config: Config) -> EmbeddingModel:
    """The recommended model if it has been downloaded, else the one that comes with the package."""
    from memery.models import installed, registry

    best = registry.recommended().name
    if installed.find(best) is not None:
        return open_model(best, config)
    logger.warning(
        "Using the built-in model %s. A better one is free: memery models pull %s", _STARTER, best
    )
    return open_model(_STARTER, config)


@contextlib.contextmanager
def default_executors(
    archive: Archive, config: Config, *, rebuild: bool = False
) -> Iterator[Executors]:
    """One of each executor, closed at the end."""
    store = open_store(archive, config)
    try:
        yield assemble(
            archive, config, store, choose_model(archive, store, config, rebuild=rebuild)
        )
    finally:
        store.close()


def assemble(
    archive: Archive,
    config: Config,
    store: Store,
    model: EmbeddingModel,
    thumbnails: Thumbnails | None = None,
) -> Executors:
    """Put executors together around a store and a model.

    Args:
        archive: what they work on.
        config: its settings.
        store: where it is kept.
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
        grouper=Grouper(archive, store),
        reader=make_reader(archive, config, store),
        store=store,
    )


def _has_crashed(store: Store) -> bool:
    """Whether the archive knows an image on which a decoder died or hung."""
    return any(skip.reason in (CRASHED, TIMED_OUT) for skip in store.skips(Filter()))


def make_thumbnails(archive: Archive, config: Config) -> Thumbnails:
    """The thumbnails of an archive."""
    return Thumbnails(archive, config.max_pixels, decoder=make_decoder(config))


def make_decoder(config: Config) -> ImageDecoder:
    """What decodes outside of the indexing flow."""
    if not config.isolate:
        return in_process
    from memery.isolation import IsolatedDecoder

    return IsolatedDecoder(config.decode_seconds)


def join(x: Executors, model: EmbeddingModel, store: Searchable) -> Executors:
    """Executors that search several stores as one; they index nothing but what `x` does."""
    archive = replace(x.archive, scope="")  # the joint store knows its members' own
    encoder, ranker = Encoder(model, store), Ranker(archive, store)
    return replace(x, archive=archive, encoder=encoder, ranker=ranker, store=store)


def make_loader(archive: Archive, config: Config, store: Store) -> Loader:
    """The default Loader; it needs no model."""
    follow = follows_links(store, config)
    return Loader(archive, store, circumstances(config), follow_links=follow)


def open_reader(config: Config) -> TextReader:
    """Make the reader that the settings name; its networks are loaded when they are first needed.

    Raises:
        ReaderError: it is not to be had.
    """
    return cast(TextReader, _load("memery.readers", config.reader)())


def make_reader(archive: Archive, config: Config, store: Store) -> Reader | None:
    """The default Reader, or None where no text is to be read.

    Raises:
        ReaderError: it was asked for and is not to be had.
    """
    if not reads_text(store, config):
        return None
    try:
        reader = open_reader(config)
    except ReaderError:
        if config.read_text or config.reader not in names("memery.readers"):
            raise
        return None
    return Reader(archive, reader, config, make_decoder(config))


def reads_text(store: Store, config: Config) -> bool:
    """Whether text is to be read: as asked for, else as the archive remembers, else yes."""
    if config.read_text is not None:
        return config.read_text
    return store.setting(_READ_TEXT) != "0"


def follows_links(store: Store, config: Config) -> bool:
    """Whether links are followed: as asked for, else as the archive remembers, else not."""
    if config.follow_links is not None:
        return config.follow_links
    return store.setting(_FOLLOW_LINKS) == "1"


def remember_choices(store: Store, config: Config) -> None:
    """Keep what a build was asked for, so that a recall scans the same files."""
    choices = {_FOLLOW_LINKS: config.follow_links, _READ_TEXT: config.read_text}
    for name, choice in choices.items():
        if choice is not None and store.setting(name) != str(int(choice)):
            with store.writing():
                store.remember(name, str(int(choice)))
