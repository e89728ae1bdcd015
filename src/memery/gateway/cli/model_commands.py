"""What `memery models` does: ask the catalogue, print, return an exit code."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from memery import plugins
from memery.config import Config
from memery.errors import ConfigError, ImageError, ModelError
from memery.gateway.cli import formats, model_formats
from memery.gateway.cli.choices import ReportFormat
from memery.gateway.cli.console import NOTHING_FOUND, Notices, reported
from memery.imaging.decoding import decode
from memery.imaging.formats import EXTENSIONS
from memery.imaging.resizing import Resize
from memery.models import installed, registry, resolver, selection
from memery.models.resolver import ModelSummary
from memery.text.escaping import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.models.installed import Installed

__all__ = ["Notices", "export", "info", "list_models", "pull", "quantize", "remove", "verify"]

_PICTURES = 64
"""How many images `quantize` measures on."""


@reported
def list_models(format_: ReportFormat) -> None:
    """The models that can be used here, and those that can be had."""
    model_formats.write_models([_known(name) for name in _names()], format_)


def _names() -> list[str]:
    return list(dict.fromkeys([*plugins.names("memery.models"), *resolver.offered()]))


def _known(name: str) -> ModelSummary:
    """What is known of a model without downloading anything."""
    if plugins.is_plugin("memery.models", name):
        info = selection.open_model(name).info
        state = "built in" if name in plugins.BUILT_IN["memery.models"] else "plug-in"
        return ModelSummary(name, state, info.size, info.dim, info.licence, info.source)
    return resolver.known(name)


@reported
def info(name: str, format_: ReportFormat) -> None:
    """What is known about a model."""
    if name not in _names() and not Path(name).is_dir():
        known = ", ".join(_names())
        raise ModelError(f"There is no model named {printable(name)!r}. Known here: {known}.")
    model_formats.write_model(_known(name), format_)


@reported
def pull(name: str, notices: Notices) -> None:
    """Download a model."""
    model = fetch(name, notices)
    size = formats.size(model.size)
    notices.say(f"{model.name} is installed ({size}, commit {model.commit[:12]}).")


def fetch(name: str, notices: Notices) -> Installed:
    """Download a model, with a bar on a terminal."""
    from memery.models import hub

    _check_downloaded(name)
    if not resolver.is_offered(name):
        known = ", ".join(registry.entries())
        raise ModelError(
            f"There is nothing to download under the name {printable(name)!r}: name one of {known},"
            " or owner/name of a repository on the hub."
        )
    with notices.download(name) as progress:
        model = hub.pull(name, registry.entries().get(name), progress)
    resolver.open_installed(model.name, "", "cpu").info  # noqa: B018 - looks at it once, now
    return model


@reported
def remove(name: str, notices: Notices, *, yes: bool) -> int:
    """Delete an installed model."""
    from memery.models import hub

    model = _installed(name)
    if not yes and not typer.confirm(f"Delete {name} ({formats.size(model.size)})?", err=True):
        return NOTHING_FOUND
    freed = hub.remove(model) + resolver.forget_prepared(model.folder)
    notices.say(f"{name} is deleted; {formats.size(freed)} are free again.")
    return 0


@reported
def verify(name: str) -> int:
    """Compare an installed model with what was downloaded."""
    faults = installed.verify(_installed(name))
    if faults:
        raise ModelError(f"{'; '.join(faults)}. Get it again: memery models pull {name}")
    model_formats.write_line(f"{name}: every file is as it was downloaded.")
    return 0


def _installed(name: str) -> Installed:
    _check_downloaded(name)
    model = installed.find(name)
    if model is None:
        raise ModelError(f"The model {printable(name)} is not installed.")
    return model


def _check_downloaded(name: str) -> None:
    """Refuse a name that stands for code instead of downloaded files."""
    if plugins.is_plugin("memery.models", name):
        raise ModelError(f"{name} comes with a program: it needs no download and has no files.")


@reported
def quantize(name: str, images: Path | None, notices: Notices) -> None:
    """Make 8-bit networks of a model, and measure what that costs."""
    from memery.models import quantization

    _check_downloaded(name)
    folder = resolver.folder_of(name)
    place = quantization.make_int8(folder)
    notices.say(f"The int8 networks of {name} are in {place}.")
    if images is None:
        notices.say("Measure what they cost on your own images with --images DIR.")
        return
    resize = quantization.resize_of(folder)
    pictures = list(itertools.islice(_decoded(images, resize), _PICTURES))
    if not pictures:
        raise ConfigError(f"{images} has no images to measure on: name another folder.")
    import numpy as np

    model_formats.write_cost(quantization.compare(folder, np.stack(pictures)))


def _decoded(folder: Path, resize: Resize) -> Iterator[NDArray[np.uint8]]:
    """The images of a folder that can be read, as the model takes them; no hidden ones."""
    for file in sorted(folder.rglob("*")):
        # The archive's thumbnails are in a hidden folder: each would count as another image.
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not is_hidden and file.suffix[1:].lower() in EXTENSIONS and file.is_file():
            with contextlib.suppress(ImageError, OSError):
                yield decode(file.read_bytes(), resize, Config().max_pixels).pixels


@reported
def export(checkpoint: Path, out: Path, notices: Notices) -> None:
    """Make a model folder of a checkpoint."""
    from memery.models.export import export as write_model

    full, small = write_model(checkpoint, out)
    notices.say(
        f"{out} is written. Least cosine to the checkpoint: {full:.6f} (fp32), {small:.4f} (int8)."
        f" Use it: memery build PATH --model {out}"
    )
