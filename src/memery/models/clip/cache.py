"""Prepared models in the user's cache.

Preparation hashes the files, inspects the networks' inputs and outputs, tests whether a fixed batch
can be made dynamic and whether texts can be run without padding, and writes a text tower whose
weights are memory-mapped. Its result is cached until a file changes.
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
"""Incremented if the cached facts, or the preprocessing of images and texts, change."""
IMAGE_FILE, TEXT_FILE = "image.onnx", "text.onnx"
"""Names of networks that memery writes for its own use."""
_FACTS = "facts.json"
_PLAIN = ("precision", "is_variant", "fingerprint", "dim", "size", "digests")
_RENAMED = {"trims": "accepts_unpadded", "paged": "mmap_weights"}
"""Fields of `Texts` as earlier versions named them in the cache, which archives rely on."""


@dataclass(frozen=True, slots=True)
class Images:
    """How the image tower is run.

    Attributes:
        file: the ONNX file.
        input: its input.
        output: the output that has the embeddings.
        dtype: of the input, NumPy's name.
        channels_last: N × H × W × 3 rather than N × 3 × H × W.
        batch: number of images per run; None for any number.
        resize: how an image is resized to the tower's square.
        mean: of each channel, 0 to 1; None if the network normalises its input.
        std: of each channel, 0 to 1; None if the network normalises its input.
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
        mask: the input that takes 1 for a token and 0 for padding, or None.
        dtype: of both, NumPy's name.
        output: the output that has the embedding.
        accepts_unpadded: padding a text to the context was verified to make no difference.
        mmap_weights: its weights are in a separate file that is memory-mapped.
        tokenizer: a tokenizer.json, or a list of merges.
        clean: how texts are cleaned before tokenisation.
        context: maximum number of tokens.
        pad: the padding token, see `Tokens`.
    """

    file: Path
    ids: str
    mask: str | None
    dtype: str
    output: str
    accepts_unpadded: bool
    mmap_weights: bool
    tokenizer: Path
    clean: str
    context: int
    pad: str | int | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to run.

    Attributes:
        folder: the model's folder.
        precision: "fp32" or "int8".
        is_variant: the folder also has fp32 networks, but these are used.
        fingerprint: SHA-256 over every file that affects embeddings, hexadecimal.
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
    """Return the folder of prepared models."""
    import platformdirs

    return platformdirs.user_cache_path("memery") / "models"


def variant_folder(fingerprint: str) -> Path:
    """Return the folder of the int8 networks made from the fp32 model with this fingerprint."""
    import platformdirs

    return platformdirs.user_data_path("memery") / "int8" / fingerprint[:16]


def preparation_folder(folder: Path, precision: str) -> Path:
    """Return the folder of the prepared model, which may not exist yet."""
    key = f"{FORMAT} {folder.resolve()} {precision}"
    return cache_folder() / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def fingerprinted_files(layout: Layout, precision: str) -> list[Path]:
    """List the files that affect embeddings, including weights found by their names.

    Networks may refer to other files, see `external_weights`.
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


def external_weights(folder: Path, layout: Layout, precision: str) -> list[Path]:
    """List the files of external weights that the networks refer to, which may have any name.

    Args:
        folder: the model's folder, without links in its path.
        layout: the model's layout.
        precision: precision of the networks.

    Raises:
        ModelError: a file is missing or outside the model's folder.
    """
    files = []
    for network in (layout.image.files[precision], layout.text.files[precision]):
        try:
            names = onnx_rewrite.external_files(network)
        except OSError as error:
            raise _unreadable(network, error) from error
        root = folder if network.is_relative_to(folder) else network.parent
        files += [_external_file(network, name, root) for name in names]
    return files


def _external_file(network: Path, name: str, root: Path) -> Path:
    """Resolve a file that a network refers to and check that it is below the root."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ModelError(
            f"The model file {network} refers to weights in {name!r}, outside the model's folder."
            " It is not loaded. Download the model again, or use another one."
        )
    file = network.parent / path
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):
        real = None
    if real is None or not real.is_file():
        raise ModelError(
            f"The model file {network} refers to weights in {file}, which is not a file."
            " Download the model again."
        )
    if not real.is_relative_to(_real_root(root)):
        raise ModelError(
            f"The model file {network} refers to weights in {file}, a link to {real}, outside the"
            " model's folder. It is not loaded. Replace the link by a copy of the file."
        )
    return file


def _real_root(folder: Path) -> Path:
    """Return the folder that contains a model's files; snapshots of the hub link to blobs."""
    if folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--"):
        return folder.parents[2]
    return folder.resolve()


def _unreadable(file: Path, error: OSError) -> ModelError:
    return ModelError(f"The model file {file} cannot be read: {error.strerror}. Get it again.")


def stamps(files: list[Path]) -> list[list[Any]]:
    """Return path, size and mtime of each file; if they change, the cache is invalid.

    Raises:
        ModelError: a file is missing.
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
    """Compute the SHA-256 of a file, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_prepared(place: Path, files: list[Path]) -> Prepared | None:
    """Load a prepared model, unless its files have changed.

    Args:
        place: see `preparation_folder`.
        files: see `fingerprinted_files`; external weights are stored with them.
    """
    try:
        facts = json.loads((place / _FACTS).read_text(encoding="utf-8"))
        named = [Path(path) for path, *_ in facts["files"]]
        if facts["format"] != FORMAT or named[: len(files)] != files:
            return None
        return _from_json(facts["prepared"]) if stamps(named) == facts["files"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def iter_prepared() -> Iterator[Prepared]:
    """Yield all prepared models in the user's cache."""
    with contextlib.suppress(OSError):
        for file in sorted(cache_folder().glob(f"*/{_FACTS}")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                yield _from_json(json.loads(file.read_text(encoding="utf-8"))["prepared"])


@contextlib.contextmanager
def atomic_directory(place: Path) -> Iterator[Path | None]:
    """Yield a temporary folder that becomes `place` at the end; None if it is not writable."""
    draft = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
    except OSError:
        yield None
        return
    try:
        yield draft
        shutil.rmtree(place, ignore_errors=True)
        # Another process may have prepared the same model meanwhile.
        with contextlib.suppress(OSError):
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_facts(draft: Path, prepared: Prepared, stamped: list[list[Any]]) -> None:
    """Write the facts of a prepared model."""
    facts = {"format": FORMAT, "files": stamped, "prepared": dataclasses.asdict(prepared)}
    (draft / _FACTS).write_text(json.dumps(facts, default=os.fspath), encoding="utf-8")


def _from_json(facts: dict[str, Any]) -> Prepared:
    images = dict(facts["images"])
    texts = {_RENAMED.get(name, name): value for name, value in facts["texts"].items()}
    images["resize"] = Resize(**images["resize"])
    images["file"], texts["file"] = Path(images["file"]), Path(texts["file"])
    texts["tokenizer"] = Path(texts["tokenizer"])
    for name in ("mean", "std"):
        images[name] = images[name] and tuple(images[name])
    rest = {key: facts[key] for key in _PLAIN}
    return Prepared(
        folder=Path(facts["folder"]), images=Images(**images), texts=Texts(**texts), **rest
    )
