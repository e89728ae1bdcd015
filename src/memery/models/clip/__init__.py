"""CLIP and SigLIP models in every common layout, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import ModelError
from memery.models.clip.cache import Prepared
from memery.models.clip.encoders import ImageEncoder, TextEncoder
from memery.models.clip.preparation import prepare
from memery.models.interface import ModelInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


INT8 = "+int8"
"""Ends the name of a model's int8 variant."""


class ClipModel:
    """A model in a folder; its towers are loaded at their first use.

    Args:
        folder: the model, in one of the layouts of `memery.models.clip.layouts`.
        model_id: the name that users type.
        precision: "fp32", "int8", or "" for the best that the folder contains.
        device: "auto", "cpu", "cuda" or an execution provider of ONNX Runtime.
        licence: of the weights.
        source: where they come from, one line.
        digests: SHA-256 that the files must have, by path relative to the folder.
        prompts: of the registry's entry, see `ModelInfo`.
    """

    def __init__(
        self,
        folder: Path,
        model_id: str,
        *,
        precision: str = "",
        device: str = "auto",
        licence: str = "",
        source: str = "",
        digests: Mapping[str, str] | None = None,
        prompts: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._model_id = model_id
        self._precision = precision
        self._device = device
        self._licence = licence
        self._source = source
        self._digests = digests or {}
        self._prompts = prompts

    @cached_property
    def info(self) -> ModelInfo:
        """The model's facts, cached until its files change.

        Raises:
            ModelError: the folder does not contain a model in a known layout, or its files are not
                those that were downloaded.
        """
        made = self._prepared
        return ModelInfo(
            model_id=self._model_id + (INT8 if made.is_variant else ""),
            fingerprint=made.fingerprint,
            dim=made.dim,
            resize=made.images.resize,
            text_context=made.texts.context,
            licence=self._licence,
            source=self._source,
            size=made.size,
            prompts=self._prompts,
        )

    @cached_property
    def _prepared(self) -> Prepared:
        made = prepare(self._folder, self._precision)
        for name, expected in self._digests.items():
            if made.digests.get(name, expected) != expected:
                raise ModelError(
                    f"{self._folder / name} is not the file that was downloaded."
                    f" Get it again: memery models pull {self._model_id}"
                )
        return made

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode uint8 RGB images (n, size, size, 3) to float32 (n, dim)."""
        return _normalised(self._image_encoder.encode(images))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode n texts to float32 (n, dim), one by one, so that they do not affect each other."""
        import numpy as np

        runner = self._text_encoder
        rows = [runner.encode(text) for text in texts]
        return _normalised(np.stack(rows)) if rows else np.empty((0, self.info.dim), np.float32)

    @cached_property
    def _image_encoder(self) -> ImageEncoder:
        return ImageEncoder(self._prepared.images, self._device)

    @cached_property
    def _text_encoder(self) -> TextEncoder:
        return TextEncoder(self._prepared.texts, self._device)


def _normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    import numpy as np

    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
