"""A model's folder made ready to run: looked at once, then remembered in the user's cache.

Looking means: hashing the files, asking the networks for their inputs and outputs, trying whether a
fixed batch can be freed and whether texts may be run without their filling, and writing the text
tower so that its weights are mapped instead of read. It is remembered while no file changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memery.errors import ModelError
from memery.imaging.resizing import Resize
from memery.models.clip import onnx_rewrite
from memery.models.clip.layouts import Layout

FORMAT = 1
"""Raised whenever what is remembered, or what is made of pictures and texts, changes."""
IMAGE_FILE, TEXT_FILE = "image.onnx", "text.onnx"
"""Names of networks that memery writes for its own use."""
_FACTS = "facts.json"
_PLAIN = ("precision", "is_variant", "fingerprint", "dim", "size", "digests")


@dataclass(frozen=True, slots=True)
class Images:
    """How the image tower is run.

    Attributes:
        file: the ONNX file.
        input: its input.
        output: the output that has the embeddings.
        dtype: of the input, NumPy's name.
        channels_last: N × H × W × 3 rather than N × 3 × H × W.
        batch: how many pictures at once; None for any number.
        resize: how a picture becomes the tower's square.
        mean: of each channel, 0 to 1; None where the network normalises by itself.
        std: likewise.
    """

    file: Path
    input: str
    output: str
    dtype: str
    channels_last: bool
    batch: int | None
    resize: Resize
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Texts:
    """How the text tower is run, one text at a time.

    Attributes:
        file: the ONNX file.
        ids: the input that takes token ids.
        mask: the input that takes 1 for a token and 0 for filling, or None.
        dtype: of both, NumPy's name.
        output: the output that has the embedding.
        trims: a text need not be filled up to the context: proven to make no difference.
        paged: its weights lie in a file beside it, to be mapped.
        tokenizer: a tokenizer.json, or a list of merges.
        clean: what happens to a text before.
        context: tokens at most.
        pad: what fills a text up, see `Tokens`.
    """

    file: Path
    ids: str
    mask: str | None
    dtype: str
    output: str
    trims: bool
    paged: bool
    tokenizer: Path
    clean: str
    context: int
    pad: str | int | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to run.

    Attributes:
        folder: where the model lies.
        precision: "fp32" or "int8".
        is_variant: the folder has fp32 networks, and these are others.
        fingerprint: SHA-256 over every file that decides about embeddings, hexadecimal.
        dim: numbers per embedding.
        size: of those files, bytes.
        digests: their SHA-256, hexadecimal, by path relative to the folder.
        images: the image tower.
        texts: the text tower.
    """

    folder: Path
    precision: str
    is_variant: bool
    fingerprint: str
    dim: int
    size: int
    digests: Mapping[str, str]
    images: Images
    texts: Texts


def cache_folder() -> Path:
    """Where prepared models lie."""
    import platformdirs

    return platformdirs.user_cache_path("memery") / "models"


def variant_folder(fingerprint: str) -> Path:
    """Where the int8 networks lie that were made of the fp32 model with this fingerprint."""
    import platformdirs

    return platformdirs.user_data_path("memery") / "int8" / fingerprint[:16]


def place_of(folder: Path, precision: str) -> Path:
    """Where this model is, or will be, prepared."""
    key = f"{FORMAT} {folder.resolve()} {precision}"
    return cache_folder() / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def deciding_files(layout: Layout, precision: str) -> list[Path]:
    """The files that decide about embeddings, with what is by its name the networks' weights.

    Networks may name others, see `weights_elsewhere`.
    """
    networks = [layout.image.files[precision], layout.text.files[precision]]
    beside = [
        file
        for network in networks
        for file in sorted(network.parent.iterdir())
        if file.name.startswith((f"{network.name}.data", f"{network.name}_data"))
        or file.suffix == ".data"
    ]
    return list(dict.fromkeys([*networks, *beside, layout.text.tokenizer, *layout.described]))


def weights_elsewhere(folder: Path, layout: Layout, precision: str) -> list[Path]:
    """The files that the networks state their weights to lie in, which may have any name.

    Args:
        folder: of the model, without links in its path.
        layout: of the model.
        precision: of the networks.

    Raises:
        ModelError: one is missing or lies outside of the model's folder.
    """
    files = []
    for network in (layout.image.files[precision], layout.text.files[precision]):
        try:
            names = onnx_rewrite.external_files(network)
        except OSError as error:
            raise _unreadable(network, error) from error
        root = folder if network.is_relative_to(folder) else network.parent
        files += [_beside(network, name, root) for name in names]
    return files


def _beside(network: Path, name: str, root: Path) -> Path:
    """The file that a network names, which has to lie below the root."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ModelError(
            f"The model file {network} takes weights from {name!r}, outside of the model's folder:"
            " it is refused. Get the model again, or another one."
        )
    file = network.parent / path
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):
        real = None
    if real is None or not real.is_file():
        raise ModelError(
            f"The model file {network} takes weights from {file}, which is no file: get the model"
            " again."
        )
    if not real.is_relative_to(_real_root(root)):
        raise ModelError(
            f"The model file {network} takes weights from {file}, a link to {real}, outside of the"
            " model's folder: it is refused. Put a copy of the file there."
        )
    return file


def _real_root(folder: Path) -> Path:
    """Where a model's files lie: of a snapshot in the hub's cache, they are links within it."""
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        return folder.parents[2]
    return folder.resolve()


def _unreadable(file: Path, error: OSError) -> ModelError:
    return ModelError(f"The model file {file} cannot be read: {error.strerror}. Get it again.")


def stamps(files: list[Path]) -> list[list[Any]]:
    """Path, size and mtime of each: while they stay, so does what is remembered.

    Raises:
        ModelError: one is missing.
    """
    made = []
    for file in files:
        try:
            facts = file.stat()
        except OSError as error:
            raise _unreadable(file, error) from error
        made.append([os.fspath(file), facts.st_size, facts.st_mtime_ns])
    return made


def digest(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remembered(place: Path, files: list[Path]) -> Prepared | None:
    """What was prepared here, if it is of the same files.

    Args:
        place: see `place_of`.
        files: that decide by their names; those that the networks state are remembered with them.
    """
    try:
        facts = json.loads((place / _FACTS).read_text(encoding="utf-8"))
        named = [Path(path) for path, *_ in facts["files"]]
        if facts["format"] != FORMAT or named[: len(files)] != files:
            return None
        return _from_json(facts["prepared"]) if stamps(named) == facts["files"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def prepared_here() -> Iterator[Prepared]:
    """Everything that is prepared in the user's cache."""
    with contextlib.suppress(OSError):
        for file in sorted(cache_folder().glob(f"*/{_FACTS}")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                yield _from_json(json.loads(file.read_text(encoding="utf-8"))["prepared"])


@contextlib.contextmanager
def drafted(place: Path) -> Iterator[Path | None]:
    """A folder that becomes `place` at the end; None where nothing can be written."""
    draft = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
    except OSError:
        yield None
        return
    try:
        yield draft
        shutil.rmtree(place, ignore_errors=True)
        # Another process may have been as quick: what it made is as good.
        with contextlib.suppress(OSError):
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_facts(draft: Path, prepared: Prepared, stamped: list[list[Any]]) -> None:
    """Remember what was found out."""
    facts = {"format": FORMAT, "files": stamped, "prepared": dataclasses.asdict(prepared)}
    (draft / _FACTS).write_text(json.dumps(facts, default=os.fspath), encoding="utf-8")


def _from_json(facts: dict[str, Any]) -> Prepared:
    images, texts = dict(facts["images"]), dict(facts["texts"])
    images["resize"] = Resize(**images["resize"])
    images["file"], texts["file"] = Path(images["file"]), Path(texts["file"])
    texts["tokenizer"] = Path(texts["tokenizer"])
    for name in ("mean", "std"):
        images[name] = images[name] and tuple(images[name])
    rest = {key: facts[key] for key in _PLAIN}
    return Prepared(
        folder=Path(facts["folder"]), images=Images(**images), texts=Texts(**texts), **rest
    )
