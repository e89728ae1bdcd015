"""`memery models quantize`: int8 variants of a model's networks, and their loss of accuracy."""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import ModelError
from memery.imaging.resizing import Resize
from memery.models.clip import ClipModel
from memery.models.clip.cache import IMAGE_FILE, TEXT_FILE, variant_folder
from memery.models.clip.preparation import prepare
from memery.models.runtime import quantize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXTS = ("a photo of a cat", "two dogs on a beach", "a red car at night", "a birthday cake")


@dataclass(frozen=True, slots=True)
class Cost:
    """Accuracy and speed of int8 relative to fp32, on the same images and texts.

    Attributes:
        image_cosine: mean cosine similarity of the image embeddings.
        image_least: lowest cosine similarity of the image embeddings.
        text_cosine: mean cosine similarity of a few text embeddings.
        speed: images per second, int8 over fp32.
        images: number of images.
    """

    image_cosine: float
    image_least: float
    text_cosine: float
    speed: float
    images: int


def make_int8(folder: Path) -> Path:
    """Write int8 networks for a model; afterwards `precision="int8"` uses them.

    Raises:
        ModelError: the model includes int8 networks, or the new ones cannot be written.
    """
    prepared = prepare(folder, "fp32")
    target = variant_folder(prepared.fingerprint)
    draft = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
        quantize(prepared.images.file, draft / IMAGE_FILE)
        quantize(prepared.texts.file, draft / TEXT_FILE)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def compare(folder: Path, images: NDArray[np.uint8]) -> Cost:
    """Measure a model's int8 networks against its fp32 ones.

    Args:
        folder: the model folder.
        images: N × size × size × 3, RGB, uint8, resized for the model.
    """
    import numpy as np

    full, small = (
        ClipModel(folder, folder.name, precision=kind, device="cpu") for kind in ("fp32", "int8")
    )
    (full_time, exact), (small_time, approximate) = _timed(full, images), _timed(small, images)
    image_cosines = (exact * approximate).sum(axis=1)
    text_cosines = (full.encode_texts(_TEXTS) * small.encode_texts(_TEXTS)).sum(axis=1)
    return Cost(
        image_cosine=float(np.mean(image_cosines)),
        image_least=float(np.min(image_cosines)),
        text_cosine=float(np.mean(text_cosines)),
        speed=full_time / small_time,
        images=len(images),
    )


def _timed(model: ClipModel, images: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    model.encode_images(images[:1])  # loads the network
    started = time.perf_counter()
    embeddings = model.encode_images(images)
    return time.perf_counter() - started, embeddings


def resize_of(folder: Path) -> Resize:
    """Return how images are resized for the model in a folder."""
    return ClipModel(folder, folder.name, device="cpu").info.resize
