"""RapidOCR: PP-OCR networks, part of its wheel, run by ONNX Runtime.

The configuration performed best on memes and screenshots: text is detected with the longest side at
960 pixels, and lines are recognised one at a time. If the confidence of all lines is low, the image
is tried again, rotated by 180°.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import re
import threading
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memery.errors import ReaderError
from memery.ocr.interface import OcrEngineInfo, OcrResult
from memery.process.forks import ForkAware, abandon
from memery.process.telemetry import import_onnxruntime
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 2000
"""Longest side of the images that lines are cut from, pixels; small text needs this much."""
_CONFIDENCE_MIN = 0.5
"""Lines with a lower confidence are dropped."""
_UPRIGHT = 0.85
"""Mean confidence that only upright text reaches. It is at least 0.94 for upright text, and at most
0.81 for text upside down."""
_REVISION = 1
"""Revision of how the engine is used. Revision 1 recognises text rotated by 90° or 180°."""
_PARAMETERS = {
    "Global.use_cls": False,
    # It would enlarge an image of one row to 30 rows and take gigabytes; memery limits sizes.
    "Global.use_preprocess_img": False,
    "Global.text_score": 0.0,  # it reports no times if it drops all lines
    "Global.log_level": "critical",
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_LONE_HAN = r"(?<![㐀-鿿])[㐀-鿿](?![㐀-鿿])"
"""A single Han character, usually a misread mark or ornament. Compiled at use: that takes 3 ms, and
a search only needs the version of the engine."""
_MMAP_THRESHOLD, _THRESHOLD = -3, 4 << 20
"""glibc's M_MMAP_THRESHOLD, and the size in bytes of blocks that are returned when freed."""
_INSTALL = "pip install --force-reinstall 'memery[ocr]'"


@dataclass(frozen=True, slots=True)
class _EngineRun:
    """One run of the engine.

    Attributes:
        result: its result.
        scores: number of characters and confidence of each detected line, dropped ones included.
    """

    result: OcrResult
    scores: tuple[tuple[int, float], ...] = ()

    @property
    def confidence(self) -> float:
        """The mean confidence over all characters, 0 to 1."""
        characters = sum(length for length, _ in self.scores)
        return sum(length * score for length, score in self.scores) / max(characters, 1)


class RapidOcrEngine(ForkAware):
    """Recognises Chinese, Japanese, English and other languages in Latin script."""

    def __init__(self) -> None:
        if importlib.util.find_spec("rapidocr") is None:
            raise ReaderError(
                "Recognising the text in images needs RapidOCR: pip install 'memery[ocr]'"
            )
        self._loading = threading.Lock()
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """Make a child load the engine again at its next use."""
        if in_child:
            self._loading = threading.Lock()
            if (engine := self.__dict__.pop("_loaded", None)) is not None:
                abandon(engine)

    @cached_property
    def info(self) -> OcrEngineInfo:
        """Name, installed version and revision of how the engine is used."""
        from importlib.metadata import version

        return OcrEngineInfo("rapidocr", f"{version('rapidocr')}+{_REVISION}", _SIDE)

    @cached_property
    def _loaded(self) -> Any:
        """The engine, shared by all threads: it keeps no state of an image."""
        _limit_malloc_hoarding()
        try:
            import_onnxruntime()  # before rapidocr does, to turn its telemetry off
            import rapidocr

            models = Path(rapidocr.__file__).parent / "models"
            # With explicit files it neither searches nor downloads any.
            files = {
                f"{network}.model_path": str(_network(models, network.lower()))
                for network in ("Det", "Rec")
            }
            return rapidocr.RapidOCR(params=_PARAMETERS | files)
        except Exception as error:  # its dependencies raise many types of errors
            raise ReaderError(
                f"RapidOCR cannot be loaded ({type(error).__name__}: {_first_line(error)})."
                f" Reinstall it: {_INSTALL}"
            ) from error

    def _engine(self) -> Any:
        with self._loading:
            return self._loaded

    def read(self, pixels: NDArray[np.uint8]) -> OcrResult:
        """Recognise the text in an upright image: uint8 RGB of shape (height, width, 3).

        Raises:
            ReaderError: the engine cannot be loaded.
        """
        upright = self._run(pixels)
        if not upright.scores or upright.confidence >= _UPRIGHT:
            return upright.result
        # The engine rotates vertical lines in one direction only. Rotating the image by 180° covers
        # the other direction, and text upside down.
        rotated = self._run(pixels[::-1, ::-1])
        finding = upright.result.finding + rotated.result.finding
        recognising = upright.result.recognising + rotated.result.recognising
        lines = upright.result.lines
        if rotated.confidence >= _UPRIGHT:
            lines = tuple(
                sorted(map(_half_turn, rotated.result.lines), key=lambda line: line.box[1])
            )
        return OcrResult(lines, finding, recognising)

    def _run(self, pixels: NDArray[np.uint8]) -> _EngineRun:
        engine = self._engine()
        started = time.perf_counter()
        found = engine(pixels[:, :, ::-1])  # it takes BGR, as OpenCV does
        if not getattr(found, "txts", None):
            return _EngineRun(OcrResult((), time.perf_counter() - started, 0.0))
        height, width = pixels.shape[:2]
        lines = (
            _line(text, score, box / (width, height))
            for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if score >= _CONFIDENCE_MIN
        )
        finding, _, recognising = found.elapse_list
        result = OcrResult(tuple(line for line in lines if line.text), finding, recognising)
        scores = [(len(text), score) for text, score in zip(found.txts, found.scores, strict=True)]
        return _EngineRun(result, tuple(scores))


def _limit_malloc_hoarding() -> None:
    """Make glibc return large freed blocks to the system.

    The networks free blocks of tens of megabytes in many sizes. glibc's dynamic threshold
    (mallopt(3)) would keep them: a build took 728 MB instead of 500.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):  # other systems have no mallopt
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _THRESHOLD)


def _network(models: Path, kind: str) -> Path:
    """Find the file of a network, whose name differs between versions of the engine."""
    found = sorted(models.glob(f"*_{kind}_*.onnx"))
    if not found:
        raise FileNotFoundError(f"{models} contains no *_{kind}_*.onnx")
    return found[0]


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _half_turn(line: Line) -> Line:
    left, top, right, bottom = line.box
    return replace(line, box=(1 - right, 1 - bottom, 1 - left, 1 - top))


def _line(text: str, score: float, corners: NDArray[np.float32]) -> Line:
    words = " ".join(re.sub(_LONE_HAN, " ", text).split())
    left, top = corners.min(axis=0).clip(0, 1)
    right, bottom = corners.max(axis=0).clip(0, 1)
    box = (float(left), float(top), float(right), float(bottom))
    return Line(words, float(score), box)
