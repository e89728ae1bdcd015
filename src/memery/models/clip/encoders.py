"""Encoders that run the image tower and the text tower of a prepared model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memery.models.clip.cache import Images, Texts
from memery.models.clip.text import Tokens
from memery.models.runtime import Network

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STEP = 8
"""Images per run of a network with a dynamic batch."""


class ImageEncoder:
    """Runs an image tower.

    Args:
        images: how the tower is run.
        device: compute device.
        step: maximum number of images per run.
    """

    def __init__(self, images: Images, device: str = "cpu", step: int = STEP) -> None:
        self._images = images
        self._network = Network(images.file, device)
        self._step = images.batch or step

    def encode(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode uint8 RGB images (n, size, size, 3) to (n, dim), not normalised."""
        import numpy as np

        inputs = (
            self.preprocess(pictures[start : start + self._step])
            for start in range(0, len(pictures), self._step)
        )
        name, output = self._images.input, self._images.output
        parts = [self._network.run({name: part}, output) for part in inputs]
        return np.concatenate(parts)[: len(pictures)]

    def preprocess(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Convert images to the network's input: normalisation, axes, type and batch size."""
        import numpy as np

        if self._images.batch and len(pictures) < self._images.batch:
            missing = self._images.batch - len(pictures)
            pictures = np.concatenate([pictures, np.repeat(pictures[-1:], missing, axis=0)])
        if self._images.dtype == "uint8":
            crafted: NDArray[Any] = pictures
        else:
            scale, shift = self._scaling
            crafted = (pictures * scale + shift).astype(self._images.dtype, copy=False)
        if not self._images.channels_last:
            crafted = crafted.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(crafted)

    @cached_property
    def _scaling(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(x / 255 - mean) / std as x · scale + shift."""
        import numpy as np

        if self._images.mean is None or self._images.std is None:
            return np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
        mean, std = (
            np.array(part, dtype=np.float64) for part in (self._images.mean, self._images.std)
        )
        return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)


class TextEncoder:
    """Runs a text tower.

    Args:
        texts: how the tower is run.
        device: compute device.
    """

    def __init__(self, texts: Texts, device: str = "cpu") -> None:
        self._texts = texts
        self._loaded = False
        self.tokens = Tokens(texts.tokenizer, texts.clean, texts.context, texts.pad)
        self._network = Network(
            texts.file,
            device,
            # Repacking 255 MB of weights takes longer than the few texts of a query.
            optimisation="disabled" if texts.mmap_weights else "all",
            mmap_weights=texts.mmap_weights,
        )

    def encode(self, text: str) -> NDArray[np.float32]:
        """Encode a text to a vector of shape (dim,), not normalised."""
        self._load()
        return self.run(self.tokens.encode(text), filled=not self._texts.accepts_unpadded)

    def _load(self) -> None:
        """At the first text, load network and tokenizer concurrently."""
        if not self._loaded:
            with ThreadPoolExecutor(1) as pool:
                loading = pool.submit(self._network.load)
                self.tokens.load()
                loading.result()
            self._loaded = True

    def run(self, ids: Sequence[int], *, filled: bool) -> NDArray[np.float32]:
        """Encode token ids, with or without padding."""
        import numpy as np

        row = self.tokens.fill(ids) if filled else ids
        inputs = {self._texts.ids: np.array([row], dtype=self._texts.dtype)}
        if self._texts.mask is not None:
            mask = np.zeros((1, len(row)), dtype=self._texts.dtype)
            mask[0, : len(ids)] = 1
            inputs[self._texts.mask] = mask
        vector: NDArray[np.float32] = self._network.run(inputs, self._texts.output)[0]
        return vector
