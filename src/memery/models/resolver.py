"""Resolution of model names: installed models, the registry, folders, hub ids and URLs."""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from memery.errors import ModelError
from memery.models import hub, installed, registry
from memery.models.clip import INT8, ClipModel
from memery.models.clip.cache import iter_prepared, preparation_folder, variant_folder
from memery.models.interface import EmbeddingModel
from memery.models.registry import Entry
from memery.models.remote import RemoteModel
from memery.models.runtime import check_device
from memery.text.escaping import printable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """What is known of a model without loading or downloading it.

    Attributes:
        name: what users type.
        state: "built in", "plug-in", "installed", "not installed", or what is wrong with it.
        size: bytes, on disk or to download.
        dim: numbers per embedding; 0 where only the download will tell.
        licence: of the weights, or "".
        source: where they come from, one line.
        entry: what the registry says, or None.
    """

    name: str
    state: str
    size: int
    dim: int
    licence: str
    source: str
    entry: Entry | None = None


_HUB_ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}(@\w[\w./-]{0,127})?", re.ASCII)


def open_model(
    name: str, *, precision: str = "", device: str = "auto", token: str = ""
) -> EmbeddingModel | None:
    """The model that a user named; one of the registry that is not installed yet is downloaded.

    Args:
        name: as typed.
        precision: "fp32" or "int8"; "" means what the name says.
        device: see `memery.models.runtime.Network`.
        token: that a remote encoder asks for.

    Returns:
        None where the name means nothing here.

    Raises:
        ConfigError: the device is not available.
        ModelError: it cannot be downloaded, there is no such folder, or it contains no model.
    """
    if name.startswith(("http://", "https://")):
        return RemoteModel(name, token)
    check_device(device)
    base, precision = split(name, precision)
    if installed.find(base) is None:
        folder = Path(base).expanduser()
        if folder.is_dir():
            folder = folder.resolve()
            return ClipModel(folder, folder.name, precision=precision, device=device)
        entry = registry.entries().get(base)
        if entry is None:
            if "/" in base:
                raise ModelError(_no_folder(base))
            return None
        logger.warning("The model %s is not installed yet: downloading it.", base)
        hub.pull(base, entry)
    return open_installed(base, precision, device)


def _no_folder(name: str) -> str:
    """What is wrong with a name that may be a path or a repository's.

    It is not looked for on the hub: a mistyped path would be sent there.
    """
    shown = printable(name)
    message = f"There is no folder {shown}"
    if _HUB_ID.fullmatch(name) is None:
        return f"{message}: check the model's path."
    return (
        f"{message}, and no model {shown} is installed. Check the path; if it is a repository of"
        f" the hub, get it with: memery models pull {shown}"
    )


def open_installed(base: str, precision: str, device: str) -> ClipModel:
    """A model that is installed; nothing is looked for elsewhere."""
    record = installed.find(base)
    if record is None:
        raise ModelError(
            f"The model {base} is not installed. Get it with memery models pull {base}"
        )
    entry = registry.entries().get(base)
    return ClipModel(
        record.folder,
        base,
        precision=precision,
        device=device,
        licence=entry.licence if entry else "",
        source=f"{record.repository}@{record.commit}",
        digests={name: file.sha256 for name, file in record.files.items()},
        prompts=entry.prompts if entry else (),
    )


def open_remembered(
    model_id: str, fingerprint: str, *, precision: str = "", device: str = "auto"
) -> EmbeddingModel | None:
    """Open the model that an archive was built with.

    Archives are untrusted: the name is only looked up among installed and previously used models.
    An archive cannot name a folder, a URL or a download.
    """
    check_device(device)
    base, precision = split(model_id, precision)
    if installed.find(base) is not None:
        return open_installed(base, precision, device)
    for made in iter_prepared():
        if made.fingerprint == fingerprint and made.folder.name == base:
            return ClipModel(made.folder, base, precision=precision, device=device)
    return None


def split(name: str, precision: str) -> tuple[str, str]:
    """A model's name without its precision, and the precision: as asked for, else as named."""
    base = name.removesuffix(INT8)
    return base, precision or ("int8" if base != name else "")


def needs_download(name: str) -> bool:
    """Whether `open_model` would download this name first."""
    base, _ = split(name, "")
    named = base.startswith(("http://", "https://")) or Path(base).expanduser().is_dir()
    return not named and base in registry.entries() and installed.find(base) is None


def available_names() -> list[str]:
    """What can be named without a path or a hub: installed models and the registry's."""
    return list(dict.fromkeys([*registry.entries(), *installed.names()]))


def can_pull(name: str) -> bool:
    """Whether `memery models pull` takes this name: of the registry, or a hub id."""
    return name in registry.entries() or _HUB_ID.fullmatch(name) is not None


def summarize(name: str) -> ModelSummary:
    """What is known of a model of the registry, of an installed one, or of one in a folder."""
    entry = registry.entries().get(name)
    size, dim, licence, source = (
        (entry.size, entry.dim, entry.licence, entry.repository) if entry else (0, 0, "", "")
    )
    state = "not installed"
    try:
        if installed.find(name) is not None:
            info = open_installed(name, "", "cpu").info
            state, size, dim, source = "installed", info.size, info.dim, info.source
        elif entry is None:
            folder = folder_of(name)
            info = ClipModel(folder, folder.name, device="cpu").info
            state, size, dim, source = "a folder", info.size, info.dim, str(folder)
    except ModelError as error:
        state = str(error)
    return ModelSummary(name, state, size, dim, licence, source, entry)


def folder_of(name: str) -> Path:
    """Where an installed model, or one that is named by its folder, lies.

    Raises:
        ModelError: it is neither.
    """
    record = installed.find(name)
    if record is not None:
        return record.folder
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelError(f"There is no model {name}: install it with memery models pull {name}")
    return folder.resolve()


def delete_prepared(folder: Path) -> int:
    """Delete what memery prepared for the model in a folder; return the bytes freed."""
    made = [model for model in iter_prepared() if model.folder == folder.resolve()]
    places = [preparation_folder(folder, model.precision) for model in made]
    places += [variant_folder(model.fingerprint) for model in made]
    freed = 0
    for place in places:
        freed += sum(file.stat().st_size for file in place.glob("*"))
        shutil.rmtree(place, ignore_errors=True)
    return freed
