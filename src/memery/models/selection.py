"""Select a model: by name, by what an archive was indexed with, or the best installed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

from memery import plugins
from memery.config import Config
from memery.errors import ModelError
from memery.models.interface import EmbeddingModel
from memery.text.escaping import printable

logger = logging.getLogger(__name__)

_GROUP = "memery.models"
_STARTER = "starter"


def open_model(name: str, config: Config | None = None) -> EmbeddingModel:
    """Open a model by name; its weights are loaded on first use.

    Args:
        name: a plug-in, a model of the registry, an installed model, a folder, or the URL of an
            encoder. A model of the registry that is not installed is downloaded.
        config: precision, device and token.

    Raises:
        ConfigError: the device is not available.
        ModelError: no model of that name is available.
    """
    config = config or Config()
    if not plugins.is_plugin(_GROUP, name):
        from memery.models import resolver  # importing it takes 50 ms

        model = resolver.open_model(
            name, precision=config.precision, device=config.device, token=config.token
        )
        if model is not None:
            return model
        raise plugins.unknown(_GROUP, name, resolver.available_names())
    model_class = plugins.load(_GROUP, name)
    if config.precision:
        logger.warning(
            "The model %s has a single precision: --precision %s is ignored.",
            printable(name),
            config.precision,
        )
    if name in plugins.BUILT_IN[_GROUP]:
        return cast(EmbeddingModel, model_class(config.device))
    if config.device != "auto":
        logger.warning(
            "The plug-in model %s chooses its device itself: --device is ignored.", printable(name)
        )
    return cast(EmbeddingModel, model_class())


def open_default(config: Config) -> EmbeddingModel:
    """Open the model that `config.model` selects for a folder without an archive."""
    if config.model != "auto":
        return open_model(config.model, config)
    from memery.models import installed, registry

    best = registry.recommended().name
    if installed.find(best) is not None:
        return open_model(best, config)
    logger.warning(
        "Using the built-in model %s. A better one is free: memery models pull %s", _STARTER, best
    )
    return open_model(_STARTER, config)


def open_remembered(
    model_id: str, fingerprint: str, config: Config, *, folder: Path
) -> EmbeddingModel:
    """Open the model that an archive was indexed with.

    Args:
        model_id: model id of the archive's space.
        fingerprint: fingerprint of the archive's space.
        config: precision and device.
        folder: folder of the archive, for the error message.

    Raises:
        ModelError: the model is not installed.
    """
    if plugins.is_plugin(_GROUP, model_id):
        return open_model(model_id, config)
    from memery.models import resolver

    model = resolver.open_remembered(
        model_id, fingerprint, precision=config.precision, device=config.device
    )
    if model is None:
        name = printable(model_id)
        get = f"get it with memery models pull {name}, " if resolver.can_pull(name) else ""
        raise ModelError(
            f"{folder} was indexed with the model {name}, which is not installed here:"
            f" {get}name its folder or address with --model, or index with another:"
            f" memery build {folder} --model {_STARTER}"
        )
    return model


def better_than(model_id: str) -> str | None:
    """Return the name of the recommended model if the built-in one is in use, else None."""
    from memery.models import registry

    return registry.recommended().name if model_id == _STARTER else None


def multilingual_model() -> str:
    """Return the name of the registry's model for queries in many languages."""
    from memery.models import registry

    return next(name for name, entry in registry.entries().items() if "many" in entry.languages)
