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
    """How int8 compares with fp32, on the same pictures and texts.

    Attributes:
        image_cosine: mean over the pictures.
        image_least: the least.
        text_cosine: mean over a few texts.
        speed: pictures per second, int8 over fp32.
        pictures: how many there were.
    """

    image_cosine: float
    image_least: float
    text_cosine: float
    speed: float
    pictures: int


def make_int8(folder: Path) -> Path:
    """Write int8 networks for a model; `precision="int8"` uses them from then on.

    Raises:
        ModelError: the model has its own int8 networks, or these cannot be written.
    """
    made = prepare(folder, "fp32")
    target = variant_folder(made.fingerprint)
    draft = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        draft.mkdir(parents=True)
        quantize(made.images.file, draft / IMAGE_FILE)
        quantize(made.texts.file, draft / TEXT_FILE)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise ModelError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def compare(folder: Path, pictures: NDArray[np.uint8]) -> Cost:
    """Measure a model's int8 networks against its fp32 ones.

    Args:
        folder: the model.
        pictures: N × size × size × 3, as the model takes them.
    """
    import numpy as np

    full, small = (
        ClipModel(folder, folder.name, precision=kind, device="cpu") for kind in ("fp32", "int8")
    )
    (slow, exact), (quick, rough) = _timed(full, pictures), _timed(small, pictures)
    images = (exact * rough).sum(axis=1)
    texts = (full.encode_texts(_TEXTS) * small.encode_texts(_TEXTS)).sum(axis=1)
    return Cost(
        image_cosine=float(np.mean(images)),
        image_least=float(np.min(images)),
        text_cosine=float(np.mean(texts)),
        speed=slow / quick,
        pictures=len(pictures),
    )


def _timed(model: ClipModel, pictures: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    model.encode_images(pictures[:1])  # loads the network
    started = time.perf_counter()
    embeddings = model.encode_images(pictures)
    return time.perf_counter() - started, embeddings


def resize_of(folder: Path) -> Resize:
    """Return how images are resized for the model in a folder."""
    return ClipModel(folder, folder.name, device="cpu").info.resize
