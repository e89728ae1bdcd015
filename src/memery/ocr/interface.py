"""What a reader is: pixels of a picture → the lines of text in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """Facts about a reader.

    Attributes:
        name: of the engine.
        version: of the engine; its models belong to it.
        side: pictures are handed to it with no side longer than this, pixels.
    """

    name: str
    version: str
    side: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in one picture.

    Attributes:
        lines: from the top to the bottom; none where there is no text.
        finding: seconds spent on finding where text stands.
        recognising: seconds spent on saying what it is; 0 where none was found.
    """

    lines: tuple[Line, ...]
    finding: float
    recognising: float


class TextReader(Protocol):
    """Reads pictures. It may be called from several threads at once."""

    @property
    def info(self) -> ReaderInfo:
        """What it is, known without loading it."""
        ...

    def read(self, pixels: NDArray[np.uint8]) -> Reading:
        """Read an upright picture, RGB, height × width × 3."""
        ...
