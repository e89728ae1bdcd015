"""Long images are read in tiles: each line once, in its place."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from memery.ocr.interface import OcrEngineInfo, OcrResult
from memery.ocr.rapidocr import RapidOcrEngine
from memery.ocr.tiling import is_long, long_side, recognize_tiles
from memery.query.text_search.tokens import tokens
from memery.types import Line


class MarkReader:
    """Finds runs of black rows, or of black columns where the tile is wider than high."""

    info = OcrEngineInfo("marks", "1", side=200)

    def __init__(self):
        self.shapes = []

    def read(self, pixels):
        self.shapes.append(pixels.shape[:2])
        is_wide = pixels.shape[1] > pixels.shape[0]
        dark = (pixels[:, :, 0] < 128).any(axis=0 if is_wide else 1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], dark.astype(int), [0]])))
        lines = []
        for first, last in edges.reshape(-1, 2) / len(dark):
            box = (first, 0.2, last, 0.4) if is_wide else (0.2, first, 0.4, last)
            lines.append(Line("mark", 1.0, box))
        return OcrResult(tuple(lines), 1.0, 2.0)


@pytest.mark.parametrize("extent", [300, 301, 555, 1600, 3000])
@pytest.mark.parametrize("is_wide", [False, True])
def test_recognises_each_line_once_and_whole(extent, is_wide):
    pixels = np.full((extent, 100, 3), 255, dtype=np.uint8)
    marks = [(start, start + 12) for start in range(3, extent - 12, 17)]
    for first, last in marks:
        pixels[first:last, 20:40] = 0
    reader = MarkReader()
    reading = recognize_tiles(reader, pixels.swapaxes(0, 1) if is_wide else pixels)
    assert max(max(shape) for shape in reader.shapes) <= reader.info.side
    side = 0 if is_wide else 1
    found = [(line.box[side] * extent, line.box[side + 2] * extent) for line in reading.lines]
    assert found == [pytest.approx(mark) for mark in marks]
    across = (reading.lines[0].box[1 - side], reading.lines[0].box[3 - side])
    assert across == (0.2, 0.4)
    assert (reading.finding, reading.recognising) == (len(reader.shapes), 2 * len(reader.shapes))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1080, 3240), 3000),  # its width becomes 1,000
        ((600, 6000), 6000),  # as it is
        ((500, 1600), 2000),  # what the reader takes anyway
        ((6000, 600), 6000),
        ((1080, 100_000), 20_000),
        ((10, 60_000), 20_000),
    ],
)
def test_reduces_long_images_no_more_than_needed(size, expected):
    assert is_long(*size)
    assert long_side(*size, 2000) == expected


def test_recognises_small_text_of_a_long_screenshot():
    words = ["apple", "bridge", "castle", "dragon", "engine", "forest", "garden", "harbour"]
    image = Image.new("RGB", (540, 540 * 8), "white")
    for number, word in enumerate(words):
        place = (40, 60 + number * 540)
        ImageDraw.Draw(image).text(place, word, fill="black", font=ImageFont.load_default(16))
    reader = RapidOcrEngine()
    reading = recognize_tiles(reader, np.asarray(image))
    assert [tokens(line.text) for line in reading.lines] == [[word] for word in words]
    tops = [line.box[1] * image.height for line in reading.lines]
    assert tops == [pytest.approx(60 + number * 540, abs=15) for number in range(len(words))]
