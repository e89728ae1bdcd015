"""The commands `memery models`: call the resolver, print, return an exit code."""

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
from memery.gateway.cli.console import NOTHING_FOUND, Console, handle_errors
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

__all__ = ["Console", "export", "info", "list_models", "pull", "quantize", "remove", "verify"]

_SAMPLE_SIZE = 64
"""Number of images that `quantize` measures with."""


@handle_errors
def list_models(format_: ReportFormat) -> None:
    """List the installed models, and those that can be downloaded."""
    model_formats.write_models([_summary(name) for name in _names()], format_)


def _names() -> list[str]:
    return list(dict.fromkeys([*plugins.names("memery.models"), *resolver.available_names()]))


def _summary(name: str) -> ModelSummary:
    """Summarise a model without downloading anything."""
    if plugins.is_plugin("memery.models", name):
        info = selection.open_model(name).info
        state = "built in" if name in plugins.BUILT_IN["memery.models"] else "plug-in"
        return ModelSummary(name, state, info.size, info.dim, info.licence, info.source)
    return resolver.summarize(name)


@handle_errors
def info(name: str, format_: ReportFormat) -> None:
    """Show the details of a model."""
    if name not in _names() and not Path(name).is_dir():
        known = ", ".join(_names())
        raise ModelError(f"There is no model named {printable(name)!r}. Available: {known}.")
    model_formats.write_model(_summary(name), format_)


@handle_errors
def pull(name: str, console: Console) -> None:
    """Download a model."""
    model = fetch(name, console)
    size = formats.size(model.size)
    console.say(f"{model.name} is installed ({size}, commit {model.commit[:12]}).")


def fetch(name: str, console: Console) -> Installed:
    """Download a model; show a progress bar on a terminal."""
    from memery.models import hub

    _check_downloaded(name)
    if not resolver.can_pull(name):
        known = ", ".join(registry.entries())
        raise ModelError(
            f"There is nothing to download under the name {printable(name)!r}. Use one of {known},"
            " or owner/name of a repository on the hub."
        )
    with console.download(name) as progress:
        model = hub.pull(name, registry.entries().get(name), progress)
    resolver.open_installed(model.name, "", "cpu").info  # noqa: B018 - checks the files now
    return model


@handle_errors
def remove(name: str, console: Console, *, yes: bool) -> int:
    """Delete an installed model."""
    from memery.models import hub

    model = _installed(name)
    if not yes and not typer.confirm(f"Delete {name} ({formats.size(model.size)})?", err=True):
        return NOTHING_FOUND
    freed = hub.remove(model) + resolver.delete_prepared(model.folder)
    console.say(f"{name} is deleted; {formats.size(freed)} are free again.")
    return 0


@handle_errors
def verify(name: str) -> int:
    """Check the files of an installed model against their recorded hashes."""
    faults = installed.verify(_installed(name))
    if faults:
        raise ModelError(f"{'; '.join(faults)}. Download it again: memery models pull {name}")
    model_formats.write_line(f"{name}: all files match their recorded hashes.")
    return 0


def _installed(name: str) -> Installed:
    _check_downloaded(name)
    model = installed.find(name)
    if model is None:
        raise ModelError(f"The model {printable(name)} is not installed.")
    return model


def _check_downloaded(name: str) -> None:
    """Refuse a model that is code (a plug-in) and has no downloaded files."""
    if plugins.is_plugin("memery.models", name):
        raise ModelError(f"{name} is built in or a plug-in: it needs no download and has no files.")


@handle_errors
def quantize(name: str, images: Path | None, console: Console) -> None:
    """Quantize a model to 8 bits, and measure the loss of accuracy."""
    from memery.models import quantization

    _check_downloaded(name)
    folder = resolver.folder_of(name)
    target = quantization.make_int8(folder)
    console.say(f"The int8 networks of {name} are in {target}.")
    if images is None:
        console.say("Measure the loss of accuracy on your own images with --images DIR.")
        return
    resize = quantization.resize_of(folder)
    samples = list(itertools.islice(_decoded(images, resize), _SAMPLE_SIZE))
    if not samples:
        raise ConfigError(f"{images} contains no images to measure with. Choose another folder.")
    import numpy as np

    model_formats.write_cost(quantization.compare(folder, np.stack(samples)))


def _decoded(folder: Path, resize: Resize) -> Iterator[NDArray[np.uint8]]:
    """Decode the readable images of a folder, except hidden ones, at the model's size."""
    for file in sorted(folder.rglob("*")):
        # The archive keeps thumbnails in a hidden folder; they must not count as images.
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not is_hidden and file.suffix[1:].lower() in EXTENSIONS and file.is_file():
            with contextlib.suppress(ImageError, OSError):
                yield decode(file.read_bytes(), resize, Config().max_pixels).pixels


@handle_errors
def export(checkpoint: Path, out: Path, console: Console) -> None:
    """Export a checkpoint as a model folder."""
    from memery.models.export import export as write_model

    full, small = write_model(checkpoint, out)
    console.say(
        f"Wrote {out}. Lowest cosine to the checkpoint: {full:.6f} (fp32), {small:.4f} (int8)."
        f" Use it: memery build PATH --model {out}"
    )
