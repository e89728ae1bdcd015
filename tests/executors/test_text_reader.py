"""How the TextReader reads: in order, batch by batch, whatever becomes of single files."""

import hashlib
import os

import pytest

from memery.archive import Archive
from memery.config import Config
from memery.errors import ReaderError
from memery.executors.text_reader import TextReader
from memery.testing import COLOURS, ColourReader
from memery.types import FileEntry
from support.damaged_images import damaged_avif
from support.images import paint

OLD = 1_700_000_000 * 10**9


class Failing(ColourReader):
    """Fails on every picture of a colour, or on all."""

    def __init__(self, colour=None):
        self.colour = colour

    def read(self, pixels):
        if self.colour is None or tuple(pixels[0, 0]) == COLOURS[self.colour]:
            raise RuntimeError("the engine stumbles")
        return super().read(pixels)


class Unloadable(ColourReader):
    def read(self, pixels):
        raise ReaderError("cannot be loaded")


def files(folder, count):
    pending = []
    for number in range(count):
        name, colour = f"{number:03}.png", list(COLOURS)[number % len(COLOURS)]
        paint(folder / name, COLOURS[colour], (9 + number, 6))
        os.utime(folder / name, ns=(OLD, OLD))
        data = (folder / name).read_bytes()
        pending.append((FileEntry(name, len(data), OLD), hashlib.sha256(data).hexdigest()))
    return pending


def reads(folder, pending, reader=None, **settings):
    archive = Archive(folder, folder / ".memery")
    return list(TextReader(archive, reader or ColourReader(), Config(**settings)).read(pending))


@pytest.mark.parametrize("workers", [0, 3])
def test_keeps_order_in_batches(tmp_path, workers):
    pending = files(tmp_path, 40)
    found = reads(tmp_path, pending, workers=workers)
    assert [len(read.texts) for read in found] == [16, 16, 8]
    texts = [text for read in found for text in read.texts]
    assert [text.digest for text in texts] == [digest for _, digest in pending]
    expected = [list(COLOURS)[number % len(COLOURS)] for number in range(40)]
    assert [text.lines[0].text for text in texts] == expected
    assert {text.engine for text in texts} == {"colour-reader 1"}
    assert found[0].finding == pytest.approx(0.016)
    assert found[0].recognising == pytest.approx(0.032)


def test_yields_nothing_without_pending_images(tmp_path):
    assert reads(tmp_path, []) == []


def test_skips_files_that_changed_or_are_gone(tmp_path):
    pending = files(tmp_path, 4)
    (tmp_path / "000.png").unlink()
    paint(tmp_path / "001.png", "white", (9, 6))
    (tmp_path / "002.png").write_bytes(b"words")
    (read,) = reads(tmp_path, pending)
    assert [text.digest for text in read.texts] == [pending[3][1]]
    assert read.skipped == 3


def test_applies_limits_of_the_config(tmp_path):
    (read,) = reads(tmp_path, files(tmp_path, 2), max_pixels=10)
    assert (read.texts, read.skipped) == ((), 2)


def test_does_not_retry_image_that_cannot_be_decoded(tmp_path):
    data = damaged_avif()
    (tmp_path / "a.avif").write_bytes(data)
    entry = FileEntry("a.avif", len(data), OLD)
    (read,) = reads(tmp_path, [(entry, hashlib.sha256(data).hexdigest())])
    assert [text.lines for text in read.texts] == [()]
    assert read.skipped == 0


def test_image_on_which_the_engine_fails_counts_as_without_text(tmp_path):
    pending = files(tmp_path, 3)
    (read,) = reads(tmp_path, pending, Failing("white"))
    assert [len(text.lines) for text in read.texts] == [1, 0, 1]
    assert read.skipped == 0


def test_ends_if_the_engine_fails_on_everything(tmp_path):
    with pytest.raises(ReaderError, match=r"fails on every image \(RuntimeError: the engine"):
        reads(tmp_path, files(tmp_path, 16), Failing())


def test_ends_if_the_engine_cannot_be_loaded(tmp_path):
    with pytest.raises(ReaderError, match="cannot be loaded"):
        reads(tmp_path, files(tmp_path, 1), Unloadable())


def test_retries_image_once_after_a_crash(tmp_path, caplog):
    pending = files(tmp_path, 3)
    reading = tmp_path / ".memery" / "reading"
    reading.parent.mkdir()
    digests = [digest for _, digest in pending]
    reading.write_text(f"{digests[0]} 1\n{digests[1]} 2\nnonsense\n")
    (read,) = reads(tmp_path, pending)
    assert [bool(text.lines) for text in read.texts] == [True, False, True]
    assert "001.png" in caplog.text
    assert not reading.exists()


def test_keeps_width_of_long_images(tmp_path):
    paint(tmp_path / "long.png", "red", (64, 1000))
    paint(tmp_path / "large.png", "red", (640, 1000))
    shapes = {}

    class Shapes(ColourReader):
        def read(self, pixels):
            shapes.setdefault(name, []).append(pixels.shape[:2])
            return super().read(pixels)

    for name in ("long.png", "large.png"):
        data = (tmp_path / name).read_bytes()
        entry = FileEntry(name, len(data), (tmp_path / name).stat().st_mtime_ns)
        reads(tmp_path, [(entry, hashlib.sha256(data).hexdigest())], Shapes())
    assert shapes["large.png"] == [(64, 41)]
    assert set(shapes["long.png"]) == {(48, 32)}
    assert len(shapes["long.png"]) == 13
