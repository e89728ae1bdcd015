"""OCR of long images, such as screenshots of whole pages, in overlapping tiles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from memery.ocr.interface import OcrEngine, OcrResult
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG = 3
"""An image is long if one side is at least this many times the other."""
_TILES = 16
"""Images longer than this many tiles of full width are reduced, to limit memory."""
_ASPECT = 1.5
"""Aspect ratio of a tile. In longer tiles, text would be detected at a smaller scale."""
_OVERLAP = 6
"""Overlap of tiles as a fraction (1/n) of their length: twice the height of the largest lines."""


def is_long(width: int, height: int) -> bool:
    """Whether an image of this size is recognised in tiles if it is too large for the engine."""
    short, long = sorted((width, height))
    return long >= LONG * short


def long_side(width: int, height: int, side: int) -> int:
    """Return the length to which the longer side of a long image is reduced, pixels.

    Args:
        width: of the whole image, pixels.
        height: of the whole image, pixels.
        side: the longest side that the engine takes, pixels.
    """
    short, long = sorted((width, height))
    factor = min(1.0, side / 2 / short)
    return max(side, min(round(long * factor), _TILES * _step(_length(side // 2, side))))


def recognize_tiles(engine: OcrEngine, pixels: NDArray[np.uint8]) -> OcrResult:
    """Recognise the text in a long image tile by tile.

    A line in an overlap is taken from the tile in which its middle is farther from the edge: it is
    whole there, and no line is taken twice.

    Args:
        engine: the OCR engine.
        pixels: upright image, uint8 RGB of shape (height, width, 3).
    """
    side = engine.info.side
    is_wide = pixels.shape[1] > pixels.shape[0]
    along = pixels.swapaxes(0, 1) if is_wide else pixels
    extent, short = along.shape[:2]
    length = min(_length(short, side), extent)
    count = max(1, math.ceil((extent - length) / _step(length)) + 1)
    starts = [round((extent - length) * number / max(count - 1, 1)) for number in range(count)]
    lines: list[Line] = []
    finding = recognising = 0.0
    for number, start in enumerate(starts):
        tile = along[start : start + length]
        result = engine.read((tile.swapaxes(0, 1) if is_wide else tile).copy())
        finding, recognising = finding + result.finding, recognising + result.recognising
        first = (start + starts[number - 1] + length) / 2 if number else -math.inf
        last = (starts[number + 1] + start + length) / 2 if number + 1 < count else math.inf
        for line in result.lines:
            moved = _to_image(line, start / extent, length / extent, is_wide=is_wide)
            middle = (moved.box[not is_wide] + moved.box[3 - is_wide]) / 2 * extent
            if first <= middle < last:
                lines.append(moved)
    return OcrResult(tuple(lines), finding, recognising)


def _length(short: int, side: int) -> int:
    """Return the length of a tile, at most the longest side that the engine takes."""
    return min(side, max(round(_ASPECT * short), side // 2))


def _step(length: int) -> int:
    return length - length // _OVERLAP


def _to_image(line: Line, offset: float, scale: float, *, is_wide: bool) -> Line:
    """Convert the box of a tile's line to fractions of the whole image."""
    left, top, right, bottom = line.box
    if is_wide:
        return replace(line, box=(offset + left * scale, top, offset + right * scale, bottom))
    return replace(line, box=(left, offset + top * scale, right, offset + bottom * scale))
