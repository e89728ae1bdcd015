"""RapidOCR: PP-OCR networks on the onnxruntime; they come inside its wheel.

Configured as measured best on memes and screenshots: pictures are searched with their longest side
at 960 pixels, upright, and each line is recognised by itself.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from memery.errors import ReaderError
from memery.readers.interface import ReaderInfo, Reading
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 2000
"""Lines are cut out of the picture at this size: small text needs it. RapidOCR's own limit."""
_PARAMETERS = {
    "Global.use_cls": False,
    "Global.text_score": 0.5,
    "Global.log_level": "critical",
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_HAN = re.compile(r"(?<![㐀-鿿])[㐀-鿿](?![㐀-鿿])")
"""A Han character alone: what a mark or an ornament is taken for."""


class RapidReader:
    """Reads Chinese, Japanese, English and other languages in Latin script."""

    def __init__(self) -> None:
        if importlib.util.find_spec("rapidocr") is None:
            raise ReaderError(
                "Reading the text in pictures needs RapidOCR: pip install 'memery[ocr]'"
            )
        self._of_thread = threading.local()

    @cached_property
    def info(self) -> ReaderInfo:
        """The installed version."""
        from importlib.metadata import version

        return ReaderInfo("rapidocr", version("rapidocr"), _SIDE)

    def _engine(self) -> Any:
        """This thread's own: an engine keeps what it is doing in itself."""
        if not hasattr(self._of_thread, "engine"):
            from rapidocr import RapidOCR

            self._of_thread.engine = RapidOCR(params=_PARAMETERS)
        return self._of_thread.engine

    def read(self, pixels: NDArray[np.uint8]) -> Reading:
        """Read an upright picture, RGB, height × width × 3."""
        engine = self._engine()
        started = time.perf_counter()
        found = engine(pixels[:, :, ::-1])  # it takes BGR, as OpenCV does
        seconds = time.perf_counter() - started
        texts = getattr(found, "txts", None)
        if not texts:
            return Reading((), seconds, 0.0)
        recognising = float(found.elapse_list[-1] or 0)
        height, width = pixels.shape[:2]
        lines = (
            _line(text, score, box / (width, height))
            for text, score, box in zip(texts, found.scores, found.boxes, strict=True)
        )
        return Reading(
            tuple(line for line in lines if line.text), seconds - recognising, recognising
        )


def _line(text: str, score: float, corners: NDArray[np.float32]) -> Line:
    words = " ".join(_HAN.sub(" ", text).split())
    left, top = corners.min(axis=0).clip(0, 1)
    right, bottom = corners.max(axis=0).clip(0, 1)
    box = (float(left), float(top), float(right), float(bottom))
    return Line(words, float(score), box)
