"""The interface of embedding models: a Protocol, so plug-ins need not import memery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.imaging.resizing import Resize

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model. Cheap to have: asking for them loads no weights.

    Attributes:
        model_id: the name that users type.
        fingerprint: hexadecimal; changes whenever an embedding could change.
        dim: numbers per embedding.
        resize: the square that the image tower takes, and how an image becomes it.
        text_context: tokens that the text tower reads; more are cut.
        licence: SPDX expression, or words.
        source: where the weights come from, one line.
        size: bytes on disk.
        prompts: templates such as "a photo of {}"; a short query is embedded as the mean of itself
            and of what they make of it (Radford et al. 2021, 3.1.4).
    """

    model_id: str
    fingerprint: str
    dim: int
    resize: Resize
    text_context: int
    licence: str
    source: str
    size: int
    prompts: tuple[str, ...] = ()


class EmbeddingModel(Protocol):
    """Two towers into one space. Embeddings do not depend on their batch mates."""

    @property
    def info(self) -> ModelInfo:
        """The model's facts."""
        ...

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode uint8 RGB images (n, size, size, 3) to float32 (n, dim), L2-normalised."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode n texts to float32 (n, dim), L2-normalised."""
        ...
