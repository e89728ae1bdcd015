"""Downloads the model that a command needs, before the command begins."""

from __future__ import annotations

from typing import Any

from memery import plugins
from memery.config import load_config
from memery.gateway.cli.console import Console


def ensure_model(settings: dict[str, Any], console: Console) -> None:
    """Download the selected model with a progress bar, unless it is installed."""
    name = load_config(**settings).model
    if name == "auto" or plugins.is_plugin("memery.models", name):
        return
    from memery.gateway.cli.model_commands import fetch
    from memery.models import resolver

    if resolver.needs_download(name):
        fetch(resolver.split(name, "")[0], console)
