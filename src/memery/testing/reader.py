"""An OCR engine that recognises colours, without networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memery.ocr.interface import OcrEngineInfo, OcrResult
from memery.testing.model import COLOURS
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ColourReader:
    """Recognises the colour of an image as text if the image is wider than high."""

    info = OcrEngineInfo("colour-reader", "1", 64)

    def read(self, pixels: NDArray[np.uint8]) -> OcrResult:
        """Return one line over the whole image: the colour nearest to the center pixel.

        Args:
            pixels: uint8 of shape (height, width, 3).
        """
        import numpy as np

        height, width = pixels.shape[:2]
        if width <= height:
            return OcrResult((), 0.001, 0.0)
        middle = pixels[height // 2, width // 2].astype(np.int32)
        nearest = np.square(np.array(list(COLOURS.values())) - middle).sum(axis=1).argmin()
        line = Line(list(COLOURS)[nearest], 1.0, (0.0, 0.0, 1.0, 1.0))
        return OcrResult((line,), 0.001, 0.002)
