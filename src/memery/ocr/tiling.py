"""Long images, such as screenshots of whole pages, are read in tiles that overlap."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from memery.ocr.interface import Reading, TextReader
from memery.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG = 3
"""Images are long whose one side is at least so many times the other."""
_TILES = 16
"""Images longer than so many tiles of full width are reduced, for memory's sake."""
_ASPECT = 1.5
"""Of a tile: one that is much longer than wide is searched for text at a smaller scale."""
_OVERLAP = 6
"""A tile shares this part of its length with the next: twice the height of the largest lines."""


def is_long(width: int, height: int) -> bool:
    """Whether an image of that size is to be read in tiles once it must be reduced to be read."""
    short, long = sorted((width, height))
    return long >= LONG * short


def long_side(width: int, height: int, side: int) -> int:
    """What the longer side of a long image is to be reduced to, pixels.

    Args:
        width: of the whole image, pixels.
        height: likewise.
        side: the longest side that the reader takes, pixels.
    """
    short, long = sorted((width, height))
    factor = min(1.0, side / 2 / short)
    return max(side, min(round(long * factor), _TILES * _step(_length(side // 2, side))))


def read_tiles(reader: TextReader, pixels: NDArray[np.uint8]) -> Reading:
    """Read a long image, height × width × 3, tile by tile.

    A line belongs to the tile that holds its middle farther from an edge: it is whole there, and
    none is read twice.
    """
    side = reader.info.side
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
        reading = reader.read((tile.swapaxes(0, 1) if is_wide else tile).copy())
        finding, recognising = finding + reading.finding, recognising + reading.recognising
        first = (start + starts[number - 1] + length) / 2 if number else -math.inf
        last = (starts[number + 1] + start + length) / 2 if number + 1 < count else math.inf
        for line in reading.lines:
            placed = _placed(line, start / extent, length / extent, is_wide=is_wide)
            middle = (placed.box[not is_wide] + placed.box[3 - is_wide]) / 2 * extent
            if first <= middle < last:
                lines.append(placed)
    return Reading(tuple(lines), finding, recognising)


def _length(short: int, side: int) -> int:
    """Of a tile: no longer than the reader takes."""
    return min(side, max(round(_ASPECT * short), side // 2))


def _step(length: int) -> int:
    return length - length // _OVERLAP


def _placed(line: Line, offset: float, scale: float, *, is_wide: bool) -> Line:
    """A line of a tile with its box as fractions of the whole image."""
    left, top, right, bottom = line.box
    if is_wide:
        return replace(line, box=(offset + left * scale, top, offset + right * scale, bottom))
    return replace(line, box=(left, offset + top * scale, right, offset + bottom * scale))
