"""The exported files, run as memery runs them, for the figures in the model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import pictures
from .data import Photo
from .features import Floats, session
from .language import Tokenizers


class Exported:
    """Both towers of one folder."""

    def __init__(self, folder: Path) -> None:
        self._image = session(folder / "image.onnx")
        self._text = session(folder / "text.onnx")
        self._tokenizers = Tokenizers(
            *(
                (folder / name).read_text(encoding="utf-8")
                for name in ("tokenizer.json", "words.json")
            )
        )

    def pictures(self, photos: Sequence[Photo]) -> Floats:
        """float32 [n, dim]."""
        rows = [
            self._image.run(None, {"image": pictures.pixels(photo.path)[None]})[0]
            for photo in photos
        ]
        return np.concatenate(rows)

    def texts(self, texts: Sequence[str]) -> Floats:
        """float32 [n, dim], one by one as memery does."""
        rows = [self._text.run(None, self._tokenizers.inputs(text))[0] for text in texts]
        return np.concatenate(rows)
