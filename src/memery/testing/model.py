"""An embedding model of colours, without weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memery.imaging.resizing import Resize
from memery.models.interface import ModelInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "green": (30, 160, 30),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 40),
    "orange": (240, 140, 30),
    "purple": (130, 40, 160),
    "pink": (250, 160, 190),
    "brown": (120, 70, 30),
    "cyan": (40, 210, 220),
}
"""The colours that the model knows, as RGB."""
_OTHER_WORDS = 20
"""Dimensions for the hashes of other words."""


class ColourModel:
    """Embeds an image as the shares of its colours, and a text as the colours that it names.

    Args:
        model_id: name of the model.
        fingerprint: change it to simulate another version of the model.
    """

    def __init__(self, model_id: str = "colours", fingerprint: str = "c0105") -> None:
        self.info = ModelInfo(
            model_id=model_id,
            fingerprint=fingerprint,
            dim=len(COLOURS) + _OTHER_WORDS,
            resize=Resize(32, "squash"),
            text_context=1000,
            licence="MIT",
            source="memery.testing",
            size=0,
        )

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed images by the share of pixels nearest to each colour.

        Args:
            images: uint8 of shape (n, height, width, 3).

        Returns:
            float32 of shape (n, dim), L2-normalised.
        """
        import numpy as np

        palette = np.array(list(COLOURS.values()), dtype=np.int32)
        embeddings = np.zeros((len(images), self.info.dim), dtype=np.float32)
        for row, image in enumerate(images):
            pixels = image.reshape(-1, 1, 3).astype(np.int32)
            nearest = np.square(pixels - palette).sum(axis=2).argmin(axis=1)
            embeddings[row, : len(COLOURS)] = np.bincount(nearest, minlength=len(COLOURS))
        return _normalised(embeddings)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: colours by name, other words by hash.

        Returns:
            float32 of shape (n, dim), L2-normalised.
        """
        import numpy as np

        embeddings = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        names = list(COLOURS)
        for row, text in enumerate(texts):
            for word in text.lower().split() or [""]:
                if word in COLOURS:
                    embeddings[row, names.index(word)] += 1
                else:
                    digest = hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()
                    embeddings[row, len(COLOURS) + digest[0] % _OTHER_WORDS] += 1
        return _normalised(embeddings)


def _normalised(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    unit: NDArray[np.float32] = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit
