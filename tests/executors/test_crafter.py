"""How the Crafter reads: in order, ahead but not far, each content once."""

import itertools
import os
import threading
import time
from types import SimpleNamespace

import pytest

from memery.archive import Archive
from memery.config import Config
from memery.executors import crafter as module
from memery.executors.crafter import Crafter
from memery.imaging import files
from memery.testing import ColourModel
from memery.types import FileEntry
from support.damaged_images import damaged_avif
from support.images import paint

OLD = 1_700_000_000 * 10**9


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def entries(folder, count, colour=None):
    found = []
    for number in range(count):
        name = f"{number:03}.png"
        paint(folder / name, colour or (number, 0, 0), (4 + number, 4))
        os.utime(folder / name, ns=(OLD, OLD))
        found.append(FileEntry(name, (folder / name).stat().st_size, OLD))
    return found


def crafter(folder, **settings):
    return Crafter(Archive(folder, folder / ".memery"), ColourModel().info, Config(**settings))


def test_keeps_order_of_images(folder):
    files = entries(folder, 50)
    batches = list(crafter(folder, batch_size=8, workers=4).craft(files, set()))
    assert [len(batch.images) for batch in batches] == [8] * 6 + [2]
    pictures = itertools.chain.from_iterable(batch.images for batch in batches)
    assert [picture.entry for picture in pictures] == files


def test_first_batches_are_small(folder):
    files = entries(folder, 100)
    sizes = [len(batch.images) for batch in crafter(folder).craft(files, set())]
    assert sizes == [8, 16, 32, 32, 12]


def test_reading_runs_ahead_but_not_far(folder, monkeypatch):
    files = entries(folder, 60)
    read = []
    lock = threading.Lock()
    original = module.read_file

    def counted(*arguments):
        with lock:
            read.append(arguments[0])
        return original(*arguments)

    monkeypatch.setattr(module, "read_file", counted)
    batches = crafter(folder, batch_size=5).craft(files, set())
    next(batches)
    time.sleep(0.5)
    assert 5 < len(read) <= 15
    batches.close()


def test_known_and_repeated_contents_carry_no_pixels(folder):
    files = entries(folder, 3)
    (folder / "copy.png").write_bytes((folder / "000.png").read_bytes())
    files.append(FileEntry("copy.png", files[0].size, OLD))
    (batch,) = crafter(folder).craft(files, set())
    assert [picture.decoded is None for picture in batch.images] == [False, False, False, True]
    known = {batch.images[1].digest}
    (again,) = crafter(folder).craft(files, known)
    assert [picture.decoded is None for picture in again.images] == [False, True, False, True]


def test_bad_file_does_not_cost_its_batch(folder):
    files = entries(folder, 3)
    (folder / "avif.avif").write_bytes(damaged_avif())
    files.append(FileEntry("avif.avif", 5, OLD))
    (folder / "001.png").write_bytes(b"words")
    files.append(FileEntry("gone.png", 5, OLD))
    os.mkfifo(folder / "pipe.png")
    files.append(FileEntry("pipe.png", 0, OLD))
    (batch,) = crafter(folder).craft(files, set())
    assert len(batch.images) == 2
    assert [(skip.skip.path, skip.skip.reason) for skip in batch.skips] == [
        ("001.png", "not an image"),
        ("avif.avif", "damaged"),
        ("pipe.png", "not an image"),
    ]
    assert [skip.reason for skip in batch.vanished] == ["vanished"]


def test_applies_limits_of_the_config(folder):
    files = entries(folder, 1)
    (batch,) = crafter(folder, max_bytes=10).craft(files, set())
    assert batch.skips[0].skip.reason == "too large"
    (batch,) = crafter(folder, max_pixels=10).craft(files, set())
    assert batch.skips[0].skip.reason == "too large"
    assert "max_pixels=10" in batch.skips[0].decoder_fingerprint


def test_time_of_a_file_that_may_still_change_is_stored_one_off(folder, monkeypatch):
    (settled,) = entries(folder, 1)
    now = time.time_ns()
    monkeypatch.setattr(files, "time", SimpleNamespace(time_ns=lambda: now))
    os.utime(folder / "000.png", ns=(now, now))
    fresh = FileEntry("000.png", settled.size, now)
    (batch,) = crafter(folder).craft([fresh], set())
    assert batch.images[0].entry.mtime_ns == now - 1
    os.utime(folder / "000.png", ns=(OLD, OLD))
    (batch,) = crafter(folder).craft([settled], set())
    assert batch.images[0].entry.mtime_ns == OLD
