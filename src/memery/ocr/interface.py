"""The interface of OCR engines, which recognise the lines of text in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class OcrEngineInfo:
    """Facts about an OCR engine.

    Attributes:
        name: the engine's name.
        version: version of the engine and its models.
        side: the longest side of the images it takes, pixels.
    """

    name: str
    version: str
    side: int


@dataclass(frozen=True, slots=True)
class OcrResult:
    """The text recognised in an image.

    Attributes:
        lines: from top to bottom; empty without text.
        finding: seconds spent on text detection.
        recognising: seconds spent on text recognition; 0 if no text was detected.
    """

    lines: tuple[Line, ...]
    finding: float
    recognising: float


class OcrEngine(Protocol):
    """Recognises text. Several threads may call it at once."""

    @property
    def info(self) -> OcrEngineInfo:
        """Facts about the engine, available without loading it."""
        ...

    def read(self, pixels: NDArray[np.uint8]) -> OcrResult:
        """Recognise the text in an upright image: uint8 RGB of shape (height, width, 3)."""
        ...
