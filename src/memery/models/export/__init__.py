"""`memery models export`: convert a transformers or open_clip checkpoint to layout 4."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memery.errors import ModelError
from memery.models.clip import ClipModel
from memery.models.clip.cache import preparation_folder
from memery.models.clip.encoders import TextEncoder
from memery.models.clip.layouts.memery_format import FORMAT, MANIFEST
from memery.models.clip.preparation import prepare
from memery.models.export.checkpoints import Checkpoint, read_checkpoint, run, write_onnx
from memery.models.runtime import quantize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PARITY = 0.9999
_PARITY_INT8 = 0.99
_TEXTS = (
    *("a photo of a cat", "", "two dogs on the beach at sunset", "CAPITALS, and punctuation!?"),
    *("the word 'hello' on a red wall", "smile \U0001f600", "Tür an Tür", "1234567890", "a " * 200),
)
_IMAGES = 8


def export(checkpoint: Path, target: Path) -> tuple[float, float]:
    """Write a checkpoint as layout 4: float32 and int8 networks, tokenizer and manifest.

    Args:
        checkpoint: folder of a transformers or open_clip checkpoint with safetensors.
        target: folder to create; it must not exist.

    Returns:
        the lowest cosine similarity to the checkpoint, for the float32 and for the int8 networks.

    Raises:
        ModelError: the checkpoint cannot be read, or the exported networks differ from it; then
            nothing is written.
    """
    if target.exists():
        raise ModelError(f"{target} already exists: specify a new folder.")
    read = read_checkpoint(checkpoint)
    draft = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
        _write(read, draft)
        least = _checked(read, draft, "fp32", _PARITY), _checked(read, draft, "int8", _PARITY_INT8)
        draft.rename(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        for leftover in (draft, *(preparation_folder(draft, kind) for kind in ("fp32", "int8"))):
            shutil.rmtree(leftover, ignore_errors=True)
    return least


def _write(read: Checkpoint, draft: Path) -> None:
    import numpy as np

    size = read.resize.size
    images = np.zeros((2, size, size, 3), dtype=np.uint8)
    ids = np.full((2, read.context), read.pad, dtype=np.int64)
    write_onnx(read.visual, images, {0: "batch"}, draft / "visual.onnx")
    axes = {0: "batch", 1: "tokens"} if read.causal else {0: "batch"}
    write_onnx(read.textual, ids, axes, draft / "textual.onnx")
    for tower in ("visual", "textual"):
        quantize(draft / f"{tower}.onnx", draft / f"{tower}.int8.onnx")
    (draft / "tokenizer.json").write_text(read.tokenizer, encoding="utf-8")
    (draft / MANIFEST).write_text(_manifest(read), encoding="utf-8")


def _manifest(read: Checkpoint) -> str:
    resize = read.resize
    source = read.source.replace("\\", "/").replace('"', "'")
    return f"""# Written by memery models export; the network takes bytes and normalises them.
format = {FORMAT}
dim = {read.dim}
source = "{source}"

[image]
files = {{ fp32 = "visual.onnx", int8 = "visual.int8.onnx" }}
size = {resize.size}
mode = "{resize.mode}"
interpolation = "{resize.interpolation}"
edge = {resize.edge or resize.size}
crop = "{resize.crop}"

[text]
files = {{ fp32 = "textual.onnx", int8 = "textual.int8.onnx" }}
tokenizer = "tokenizer.json"
clean = "{read.clean}"
context = {read.context}
pad = {read.pad}
"""


def _checked(read: Checkpoint, draft: Path, precision: str, least: float) -> float:
    """Return the lowest cosine similarity between export and checkpoint, on images and texts."""
    import numpy as np

    model = ClipModel(draft, draft.name, precision=precision, device="cpu")
    random = np.random.default_rng(0)
    size = read.resize.size
    coarse = random.integers(0, 256, (_IMAGES, 4, 4, 3), dtype=np.uint8)
    images = coarse.repeat(-(-size // 4), axis=1).repeat(-(-size // 4), axis=2)[:, :size, :size]
    images = np.ascontiguousarray(images)
    tokens = TextEncoder(prepare(draft, precision).texts).tokens
    rows = np.array([tokens.fill(tokens.encode(text)) for text in _TEXTS], dtype=np.int64)
    worst = min(
        _cosine(model.encode_images(images), run(read.visual, images)),
        _cosine(model.encode_texts(_TEXTS), run(read.textual, rows)),
    )
    if worst < least:
        raise ModelError(
            f"The {precision} export differs from its checkpoint: the cosine similarity is"
            f" {worst:.5f}, less than {least}. Nothing was written."
        )
    return worst


def _cosine(ours: NDArray[np.float32], theirs: NDArray[Any]) -> float:
    import numpy as np

    return float(((ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)).min())
