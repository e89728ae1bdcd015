"""RapidOCR: PP-OCR networks on the onnxruntime; they come inside its wheel.

Configured as measured best on memes and screenshots: pictures are searched with their longest side
at 960 pixels, and each line is recognised by itself. Where that is unsure of all it finds, the
picture is read once more, turned by half a turn.
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
from memery.ocr.interface import ReaderInfo, Reading
from memery.process.forks import ForkAware, abandon
from memery.process.telemetry import import_onnxruntime
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 2000
"""Lines are cut out of the picture at this size: small text needs it."""
_SURE = 0.5
"""Confidence from which a line counts."""
_UPRIGHT = 0.85
"""Mean confidence that only readable text has: it is 0.94 and more upright, 0.81 and less upside
down, where the engine takes letters for others."""
_REVISION = 1
"""Of how the engine is used: it reads text that is turned by 90° or 180° since revision 1."""
_PARAMETERS = {
    "Global.use_cls": False,
    # It would enlarge a picture of one row to 30, and then to gigabytes; sizes are bounded here.
    "Global.use_preprocess_img": False,
    "Global.text_score": 0.0,  # what it leaves out, it tells no time for
    "Global.log_level": "critical",
    "Det.limit_type": "max",
    "Det.limit_side_len": 960,
    "Rec.rec_batch_num": 1,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
_LONE_HAN = r"(?<![㐀-鿿])[㐀-鿿](?![㐀-鿿])"
"""A Han character alone: what a mark or an ornament is taken for. Compiled when it is used: that
takes 3 ms, and a search only asks for the reader's version."""
_MMAP_THRESHOLD, _THRESHOLD = -3, 4 << 20
"""glibc's M_MMAP_THRESHOLD, and the bytes from which a block goes back to the system when freed."""
_GET = "pip install --force-reinstall 'memery[ocr]'"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run of the engine.

    Attributes:
        reading: its result.
        scores: of each line found, those left out too, its characters and the confidence.
    """

    reading: Reading
    scores: tuple[tuple[int, float], ...] = ()

    @property
    def confidence(self) -> float:
        """The mean over all characters, 0 to 1."""
        characters = sum(length for length, _ in self.scores)
        return sum(length * score for length, score in self.scores) / max(characters, 1)


class RapidReader(ForkAware):
    """Reads Chinese, Japanese, English and other languages in Latin script."""

    def __init__(self) -> None:
        if importlib.util.find_spec("rapidocr") is None:
            raise ReaderError(
                "Reading the text in pictures needs RapidOCR: pip install 'memery[ocr]'"
            )
        self._loading = threading.Lock()
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """In a child, load the engine again at its next use."""
        if in_child:
            self._loading = threading.Lock()
            if (engine := self.__dict__.pop("_loaded", None)) is not None:
                abandon(engine)

    @cached_property
    def info(self) -> ReaderInfo:
        """The installed version, and the revision of how it is used."""
        from importlib.metadata import version

        return ReaderInfo("rapidocr", f"{version('rapidocr')}+{_REVISION}", _SIDE)

    @cached_property
    def _loaded(self) -> Any:
        """The engine. All threads share it: it keeps nothing of a picture in itself."""
        _give_memory_back()
        try:
            import_onnxruntime()  # before rapidocr does
            import rapidocr

            models = Path(rapidocr.__file__).parent / "models"
            # With files named, it looks for none and asks no network.
            files = {
                f"{network}.model_path": str(_network(models, network.lower()))
                for network in ("Det", "Rec")
            }
            return rapidocr.RapidOCR(params=_PARAMETERS | files)
        except Exception as error:  # it stands on half a dozen packages, with errors of their own
            raise ReaderError(
                f"RapidOCR cannot be loaded ({type(error).__name__}: {_first_line(error)})."
                f" Install it anew: {_GET}"
            ) from error

    def _engine(self) -> Any:
        with self._loading:
            return self._loaded

    def read(self, pixels: NDArray[np.uint8]) -> Reading:
        """Read an upright picture, RGB, height × width × 3.

        Raises:
            ReaderError: the engine cannot be loaded.
        """
        upright = self._attempt(pixels)
        if not upright.scores or upright.confidence >= _UPRIGHT:
            return upright.reading
        # The engine turns lines that stand on end to one side: half a turn of the whole image makes
        # those that stand on the other, and those that are upside down, readable.
        turned = self._attempt(pixels[::-1, ::-1])
        finding = upright.reading.finding + turned.reading.finding
        recognising = upright.reading.recognising + turned.reading.recognising
        lines = upright.reading.lines
        if turned.confidence >= _UPRIGHT:
            lines = tuple(
                sorted(map(_half_turn, turned.reading.lines), key=lambda line: line.box[1])
            )
        return Reading(lines, finding, recognising)

    def _attempt(self, pixels: NDArray[np.uint8]) -> _Attempt:
        engine = self._engine()
        started = time.perf_counter()
        found = engine(pixels[:, :, ::-1])  # it takes BGR, as OpenCV does
        if not getattr(found, "txts", None):
            return _Attempt(Reading((), time.perf_counter() - started, 0.0))
        height, width = pixels.shape[:2]
        lines = (
            _line(text, score, box / (width, height))
            for text, score, box in zip(found.txts, found.scores, found.boxes, strict=True)
            if score >= _SURE
        )
        finding, _, recognising = found.elapse_list
        reading = Reading(tuple(line for line in lines if line.text), finding, recognising)
        scores = [(len(text), score) for text, score in zip(found.txts, found.scores, strict=True)]
        return _Attempt(reading, tuple(scores))


def _give_memory_back() -> None:
    """Keep glibc from hoarding: networks free blocks of tens of megabytes of ever other sizes.

    By itself it learns to keep such blocks (mallopt(3)): 728 MB for a build, instead of 500.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):  # other systems have no mallopt
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _THRESHOLD)


def _network(models: Path, kind: str) -> Path:
    """The file of a network: each version of the engine has names of its own."""
    found = sorted(models.glob(f"*_{kind}_*.onnx"))
    if not found:
        raise FileNotFoundError(f"no network *_{kind}_*.onnx in {models}")
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
