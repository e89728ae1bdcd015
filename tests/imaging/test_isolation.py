"""Decoders that abort, hang or eat memory cost one image, and the rest is indexed."""

import dataclasses
import errno
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memery import Memery, index_flow, query_flow
from memery.archive import find_archive
from memery.errors import ImageError
from memery.gateway.maintenance import purge
from memery.imaging import decoding, isolation
from memery.imaging.isolation import IsolatedDecoder
from memery.imaging.resizing import Resize
from support.commands import run_command, run_python
from support.images import encoded, png
from support.servers.memery import serving

ABORTS, HANGS, EATS = (97, 1), (97, 2), (97, 3)
"""Sizes of the images that the decoder below does not survive."""
DECODER = f"""
import os, time
from PIL import ImageFile

load = ImageFile.ImageFile.load

def evil(image):
    if image.size == {ABORTS}:
        os.abort()
    if image.size == {HANGS}:
        time.sleep(1_000_000)
    if image.size == {EATS}:
        eaten = bytes(1 << 31)  # more than a child may have, and no page of it is touched
    return load(image)

ImageFile.ImageFile.load = evil
"""


@pytest.fixture(autouse=True)
def environment(colours, monkeypatch):
    monkeypatch.setenv("MEMERY_WORKERS", "2")


@pytest.fixture
def own_children(monkeypatch):
    """Children that are started for this test."""
    children = isolation._WorkerPool()
    monkeypatch.setattr(isolation, "_workers", children)
    yield
    children.close()


@pytest.fixture
def evil(monkeypatch, tmp_path, own_children):
    """A decoder in every process that is started, as if Pillow had a fault in its native code."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DECODER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.png").write_bytes(png((number, 0, 0), (20, 20)))
    return folder


def built(folder, *words):
    report = json.loads(run_command("build", folder, "--format", "json", *words).stdout)
    return report["searchable"], {skip["path"]: skip["reason"] for skip in report["skipped"]}


@pytest.mark.slow
def test_next_run_skips_image_on_which_the_decoder_aborted(photos, evil):
    for name in ("a.png", "5 bad.png", "z.png"):
        (photos / name).write_bytes(png("red", ABORTS))
    bad = dict.fromkeys(("a.png", "5 bad.png", "z.png"), "decoder crashed")
    run_command("build", photos, check=-signal.SIGABRT)
    done = run_command("recall", photos, "red", "-n", "20", "--format", "paths")
    assert done.stdout.count("\n") == 8
    assert "cut short" in done.stderr
    status = json.loads(run_command("status", photos, "--format", "json").stdout)
    assert {skip["path"]: skip["reason"] for skip in status["skipped"]} == bad
    assert {skip["detail"] for skip in status["skipped"]} == {"SIGABRT"}
    assert built(photos) == (8, {})
    assert built(photos, "--rebuild") == (8, bad)  # read again, and without harm
    (photos / "a.png").write_bytes(png("green", (20, 20)))
    assert built(photos) == (9, {})


@pytest.mark.slow
def test_skips_image_on_which_the_decoder_hangs(photos, evil, monkeypatch):
    (photos / "4 bad.png").write_bytes(png("red", HANGS))
    monkeypatch.setenv("MEMERY_DECODE_SECONDS", "5")
    code = "import sys, memery; print(*memery.index_flow(sys.argv[1]).skips)"
    done = run_python("-c", code, photos)  # a program that ends when its last line is done
    assert done.stdout.count("decoder timed out") == 1
    assert "4 bad.png takes longer" in done.stderr
    assert built(photos) == (8, {})
    assert built(photos, "--rebuild") == (8, {"4 bad.png": "decoder timed out"})


@pytest.mark.slow
def test_skips_image_that_takes_too_much_memory(photos, evil, monkeypatch):
    (photos / "4 bad.png").write_bytes(png("red", EATS))
    monkeypatch.setenv("MEMERY_ISOLATE", "1")
    monkeypatch.setenv("MEMERY_MAX_PIXELS", "1000000")
    assert built(photos) == (8, {"4 bad.png": "too large"})


@pytest.mark.slow
def test_server_survives_uploads_and_images_that_crash_the_decoder(photos, evil):
    (photos / "4 bad.png").write_bytes(png("red", ABORTS))
    with serving(photos) as server:
        server.wait_until_indexed()
        for path in ("/v1/uploads", "/v1/encode"):
            answer = server.send_form(path, [("image", "a.png", png("red", ABORTS))])
            assert answer.status in (415, 422), answer.body
            assert "decoder crashed" in answer.json()["detail"]
        assert server.search(text="red")["total"] == 8
    status = json.loads(run_command("status", photos, "--format", "json").stdout)
    assert [skip["reason"] for skip in status["skipped"]] == ["decoder crashed"]


READER = f"""
import os
from memery.testing import ColourReader

read = ColourReader.read

def evil(reader, pixels):
    if pixels.shape[0] == {ABORTS[1]}:
        os.abort()
    return read(reader, pixels)

ColourReader.read = evil
"""


@pytest.mark.slow
def test_skips_image_on_which_ocr_aborted_twice(photos, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(READER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("MEMERY_READER", "colours")
    monkeypatch.setenv("MEMERY_READ_TEXT", "1")
    (photos / "5 bad.png").write_bytes(png("red", ABORTS))
    run_command("build", photos, check=-signal.SIGABRT)
    run_command("build", photos, check=-signal.SIGABRT)
    done = run_command("build", photos, "--format", "json")
    assert "5 bad.png" in done.stderr
    text = json.loads(run_command("status", photos, "--format", "json").stdout)["text"]
    assert (text["read"], text["unread"]) == (9, 0)
    assert not (find_archive(photos).folder / "reading").exists()


def test_run_after_a_crash_decodes_in_child_processes(photos, caplog):
    mark = find_archive(photos).folder / "decoding"
    assert index_flow(photos).encoded == 8
    assert not mark.exists()
    mark.touch()
    (photos / "newest.png").write_bytes(png("blue", (20, 20)))
    assert index_flow(photos, isolate=False).encoded == 1
    assert not caplog.text
    mark.touch()
    (photos / "new.png").write_bytes(png("red", (20, 20)))
    assert index_flow(photos).encoded == 1
    assert "cut short" in caplog.text
    assert not mark.exists()
    caplog.clear()
    (photos / "newer.png").write_bytes(png("red", (30, 20)))
    assert index_flow(photos).encoded == 1
    assert not caplog.text


def test_interrupted_run_keeps_the_mark_of_another(photos):
    assert index_flow(photos).encoded == 8
    mark = find_archive(photos).folder / "decoding"
    mark.touch()

    def stop(_):
        assert mark.exists()
        raise KeyboardInterrupt

    (photos / "new.png").write_bytes(png("red", (20, 20)))
    with pytest.raises(KeyboardInterrupt):
        index_flow(photos, progress=stop)
    assert mark.exists()
    mark.unlink()
    with pytest.raises(KeyboardInterrupt):
        index_flow(photos, progress=stop_at_once)
    assert not mark.exists()


def stop_at_once(_):
    raise KeyboardInterrupt


def test_purge_deletes_the_mark(photos):
    folder = index_flow(photos).archive
    (folder / "decoding").touch()
    (folder / "reading").write_text(f"{'0' * 64} 1\n")
    purge(photos)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("size", "seconds", "reason"),
    [
        (ABORTS, 120, "decoder crashed"),
        (HANGS, 1, "decoder timed out"),
        pytest.param(EATS, 120, "too large", marks=pytest.mark.slow),
    ],
)
def test_refuses_a_query_image_that_a_decoder_does_not_survive(photos, evil, size, seconds, reason):
    index_flow(photos)
    with Memery(photos, decode_seconds=seconds, max_pixels=1_000_000) as memery:
        for _ in range(2):
            with pytest.raises(ImageError) as refused:
                memery.recall(image_query=png("red", size))
            assert refused.value.reason == reason
        assert not [thread for thread in threading.enumerate() if "memery" in thread.name]
    assert query_flow(photos, image_query=png("red", (20, 20)))


def test_recall_refuses_a_query_image_on_which_the_decoder_aborts(photos, evil, tmp_path):
    assert index_flow(photos).encoded == 8
    (tmp_path / "bad.png").write_bytes(png("red", ABORTS))
    done = run_command("recall", photos, "-i", tmp_path / "bad.png", check=3)
    assert "bad.png" in done.stderr
    assert "decoder crashed" in done.stderr


@pytest.mark.parametrize("arguments", [["script.py"], ["-"]])
def test_program_without_main_guard_runs_once(photos, tmp_path, arguments):
    program = (
        "from memery import query_flow\n"
        f"print(len(query_flow({str(photos)!r}, image_query=open('query.png', 'rb'))))\n"
    )
    (tmp_path / "script.py").write_text(program, encoding="utf-8")
    (tmp_path / "query.png").write_bytes(png("red", (20, 20)))
    done = run_python(*arguments, cwd=tmp_path, input=program, timeout=60)
    assert done.stdout == "8\n"


def fail_to_start(*_, **__):
    raise OSError(errno.EAGAIN, "Resource temporarily unavailable")


def test_decodes_a_query_image_here_where_no_child_can_be_started(
    photos, own_children, monkeypatch
):
    index_flow(photos)
    monkeypatch.setattr(subprocess, "Popen", fail_to_start)
    assert query_flow(photos, image_query=png("red", (20, 20)))
    with pytest.raises(ImageError, match="Resource temporarily unavailable"):
        query_flow(photos, image_query=png("red", (20, 20)), isolate=True)


def test_decodes_a_query_image_here_where_children_end_at_once(photos, own_children, monkeypatch):
    index_flow(photos)
    monkeypatch.setattr(isolation, "_BOOTSTRAP", "raise SystemExit(1)")
    assert query_flow(photos, image_query=png("red", (20, 20)))


@pytest.mark.parametrize(
    ("name", "value"), [("frozen", True), ("executable", "/usr/bin/uwsgi"), ("executable", None)]
)
def test_starts_no_program_that_is_not_an_interpreter(
    photos, own_children, monkeypatch, name, value
):
    index_flow(photos)
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    monkeypatch.setattr(sys, name, value, raising=False)
    assert query_flow(photos, image_query=png("red", (20, 20)))


def test_starts_no_child_for_an_indexed_query_image(photos, own_children, monkeypatch):
    index_flow(photos)
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    assert query_flow(photos, image_query=photos / "1.png")


def test_replaces_a_child_that_ended_while_it_was_idle(own_children):
    child = IsolatedDecoder(60)
    assert child.upright_size(png("red", (20, 20)), 10**6) == (20, 20)
    (idle,) = isolation._workers._idle
    os.kill(idle._process.pid, signal.SIGKILL)
    _wait_until_gone(idle._process.pid)
    assert child.upright_size(png("red", (20, 20)), 10**6) == (20, 20)


def same(one, two):
    if dataclasses.is_dataclass(one):
        return all(
            same(getattr(one, f.name), getattr(two, f.name)) for f in dataclasses.fields(one)
        )
    return type(one) is type(two) and np.array_equal(one, two)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF", "GIF"])
def test_child_decodes_as_this_process_does(format_):
    pixels = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    data, child = encoded(Image.fromarray(pixels), format_), IsolatedDecoder(60)
    resize, limit = Resize(64, "shortest", edge=72), 10**6
    decoded = decoding.decode(data, resize, limit)
    assert same(child.decode(data, resize, limit), decoded)
    assert same(child.decode(data, resize, limit, pixels_only=True).pixels, decoded.pixels)
    upright = child.decode_upright(data, 50, limit)
    assert same(upright, decoding.decode_upright(data, 50, limit))
    assert upright.flags.writeable
    assert child.upright_size(data, limit) == (120, 90)
    assert child.webp(data, 50, limit) == decoding.webp(data, 50, limit)


def test_child_names_reason_for_a_refused_image():
    child = IsolatedDecoder(60)
    with pytest.raises(ImageError) as refused:
        child.decode(b"no image", Resize(64, "squash"), 10**6)
    assert refused.value.reason == "not an image"
    with pytest.raises(ImageError) as refused:
        child.decode(png("red", (20, 20)), Resize(64, "squash"), 100)
    assert refused.value.reason == "too large"


def test_library_and_command_line_index_the_same_in_child_processes(photos, tmp_path):
    with Memery(photos) as one, Memery(photos, isolate=True, archive=tmp_path / "other") as two:
        one.build()
        two.build()
        assert [hit.score for hit in one.recall("red")] == [hit.score for hit in two.recall("red")]


def test_no_child_outlives_its_parent(photos, tmp_path):
    code = (
        "import sys\n"
        "from memery import Memery\n"
        "from memery.imaging.isolation import _workers\n"
        "with Memery(sys.argv[1], isolate=True) as memery:\n"
        "    assert memery.build().encoded == 8\n"
        "print(*(worker._process.pid for worker in _workers._idle), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, photos], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        children = list(map(int, parent.stdout.readline().split()))
        parent.kill()
    assert children
    for child in children:
        _wait_until_gone(child)


def _wait_until_gone(pid):
    """Until the process has ended: who adopts it may be slow to reap it."""
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return


def test_does_not_trust_replies_of_a_child(monkeypatch):
    """One that a decoder's fault gave to a stranger may send anything."""
    nonsense = [
        struct.pack("<Q", 1 << 62),
        struct.pack("<Q", 2) + b"{]" + bytes(8),
        struct.pack("<Q", 12) + b'{"bytes": 7}' + bytes(8),
        struct.pack("<Q", 29) + b'{"class": "os", "fields": {}}' + bytes(8),
        struct.pack("<Q", 2) + b"{}" + b"\xff" * 8,
        b"\1",
    ]
    for reply in [*(b"r" + reply for reply in nonsense), *nonsense]:
        code = f"import sys; sys.stdout.buffer.write({reply!r})"
        monkeypatch.setattr(isolation, "_BOOTSTRAP", code)
        monkeypatch.setattr(isolation, "_workers", isolation._WorkerPool())
        with pytest.raises(ImageError) as refused:
            IsolatedDecoder(60).upright_size(png("red"), 10**6)
        assert refused.value.reason == "decoder crashed"
