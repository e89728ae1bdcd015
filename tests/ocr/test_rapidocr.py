"""The real engine on pictures with text that is known."""

import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from memery.imaging.decoding import decode_upright
from memery.ocr import rapidocr
from memery.ocr.rapidocr import RapidOcrEngine
from memery.query.text_search.tokens import tokens
from support.commands import run_python

ORIENTATION = 0x0112
TEXT = "grumpy penguin dances"


@pytest.fixture(scope="module")
def reader():
    return RapidOcrEngine()


def written(text=TEXT, ink="black", paper="white", size=(640, 200)):
    image = Image.new("RGB", size, paper)
    ImageDraw.Draw(image).text((30, 70), text, fill=ink, font=ImageFont.load_default(48))
    return image


def read(reader, image):
    return reader.read(np.asarray(image))


def test_recognises_text_with_its_position(reader):
    reading = read(reader, written())
    (line,) = reading.lines
    assert tokens(line.text) == TEXT.split()
    assert 0.9 < line.confidence <= 1
    left, top, right, bottom = line.box
    assert left == pytest.approx(30 / 640, abs=0.03)
    assert top == pytest.approx(80 / 200, abs=0.1)
    assert 0.6 < right < 1
    assert top < bottom < 0.75
    assert reading.finding > 0
    assert reading.recognising > 0


def test_recognises_white_on_black(reader):
    (line,) = read(reader, written(ink="white", paper="black")).lines
    assert tokens(line.text) == TEXT.split()


def test_recognises_text_of_an_image_on_its_side(reader):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    file = io.BytesIO()
    written().rotate(90, expand=True).save(file, "JPEG", exif=exif, quality=90)
    (line,) = reader.read(decode_upright(file.getvalue(), reader.info.side, 10**8)).lines
    assert tokens(line.text) == TEXT.split()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_recognises_turned_text(reader, angle):
    image = Image.new("RGB", (640, 300), "white")
    draw = ImageDraw.Draw(image)
    for top, text in ((40, TEXT), (180, "quietly tonight")):
        draw.text((30, top), text, fill="black", font=ImageFont.load_default(48))
    lines = read(reader, image.rotate(angle, expand=True)).lines
    found = sorted(token for line in lines for token in tokens(line.text))
    assert found == sorted([*TEXT.split(), "quietly", "tonight"])
    if angle == 180:
        assert [len(tokens(line.text)) for line in lines] == [2, 3]  # from the top down, as it lies
        assert lines[0].box[1] < 0.5 < lines[1].box[1]
        assert lines[1].box[2] == pytest.approx(1 - 30 / 640, abs=0.03)


def test_recognises_certain_lines_once(reader, monkeypatch):
    attempts = []
    attempt = RapidOcrEngine._run
    monkeypatch.setattr(
        RapidOcrEngine, "_run", lambda self, p: attempts.append(p) or attempt(self, p)
    )
    read(reader, written())
    read(reader, Image.new("RGB", (300, 200), "white"))
    assert len(attempts) == 2


def test_orders_lines_from_the_top_down(reader):
    image = Image.new("RGB", (600, 300), "white")
    draw = ImageDraw.Draw(image)
    for top, word in ((20, "first"), (120, "second"), (220, "third")):
        draw.text((50, top), word, fill="black", font=ImageFont.load_default(48))
    assert [line.text for line in read(reader, image).lines] == ["first", "second", "third"]


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 2000), (2000, 1), (2, 3), (15, 15), (33, 31), (2000, 8), (8, 2000), (2000, 2000)],
)
def test_finds_no_text_in_blank_images(reader, size):
    for paper in ("white", "black"):
        reading = read(reader, Image.new("RGB", size, paper))
        assert reading.lines == ()
        assert reading.recognising == 0


def test_shares_engine_among_threads(reader):
    words = ["apple", "bridge", "castle", "dragon", "engine", "forest"]
    pictures = [np.asarray(written(word, size=(300 + 40 * n, 200))) for n, word in enumerate(words)]
    with ThreadPoolExecutor(3) as pool:
        readings = list(pool.map(reader.read, pictures))
    assert [tokens(reading.lines[0].text) for reading in readings] == [[word] for word in words]


def test_ignores_single_ornament():
    corners = np.array([[-0.1, 0], [0.5, 0], [0.5, 1.2], [0, 1]], dtype=np.float32)
    line = rapidocr._line("田 two 田中 words 口", 0.9, corners)
    assert line.text == "two 田中 words"
    assert line.box == (0.0, 0.0, 0.5, 1.0)


OFFLINE = """
import sys
seen = []
sys.addaudithook(lambda event, a: seen.append(event) if event == "socket.connect" else None)
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from memery.ocr.rapidocr import RapidOcrEngine
reader = RapidOcrEngine()
assert "cv2" not in sys.modules and "onnxruntime" not in sys.modules
image = Image.new("RGB", (400, 120), "white")
ImageDraw.Draw(image).text((30, 30), "offline", fill="black", font=ImageFont.load_default(48))
text = reader.read(np.asarray(image)).lines[0].text
sys.exit(f"{text} {seen}")
"""


def test_uses_no_network_and_prints_nothing():
    done = run_python("-c", OFFLINE, check=1)
    assert (done.stdout, done.stderr.strip()) == ("", "offline []")


BROKEN = """
import numpy as np
from memery.ocr.rapidocr import RapidOcrEngine
try:
    RapidOcrEngine().read(np.zeros((40, 40, 3), np.uint8))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_reports_broken_installation(tmp_path):
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "__init__.py").write_text("raise ImportError('libGL.so.1: missing')")
    told = run_python("-c", BROKEN, env=os.environ | {"PYTHONPATH": str(tmp_path)}).stdout
    assert told.startswith("ReaderError: RapidOCR cannot be loaded (ImportError: libGL.so.1: mis")
    assert "pip install" in told


def test_names_missing_networks(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"contains no \*_det_\*\.onnx"):
        rapidocr._network(tmp_path, "det")
