"""Nothing is sent and no trace is left: programs run where reaching a network kills them."""

import os
import platform
import signal
import time

import pytest
from PIL import Image, ImageDraw, ImageFont

from support.commands import run_python
from support.images import paint
from support.network_audit import ARCHITECTURES, forbid_network
from support.servers.memery import serving

pytestmark = pytest.mark.skipif(
    platform.machine() not in ARCHITECTURES, reason="the numbers of system calls are not known"
)
LONGER_THAN_TELEMETRY_WAITS = 12
"""Seconds; onnxruntime 1.32 looks its vendor's address up after nine."""


@pytest.fixture
def place(tmp_path):
    """Folders that stand for all that a user has."""
    for name in ("home", "temporary", "photos"):
        (tmp_path / name).mkdir()
    image = Image.new("RGB", (400, 120), "white")
    ImageDraw.Draw(image).text((30, 30), "offline", fill="black", font=ImageFont.load_default(48))
    image.save(tmp_path / "photos" / "words.png")
    paint(tmp_path / "photos" / "red.png", "red", (64, 64))
    return tmp_path


@pytest.fixture
def environment(place):
    foreign = ("XDG_", "HF_", "MEMERY_", "ORT_", "OTEL_", "DO_NOT_TRACK")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return kept | {
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "temporary"),
        # Were the server to heed them, each request would be reported.
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    }


def traces(place):
    """Files outside of the archive that a program left."""
    return [
        path.relative_to(place)
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.relative_to(place).parts[:2] != ("photos", ".memery")
    ]


OWN = ["photos/red.png", "photos/words.png"]


@pytest.fixture
def run(environment, place):
    def run(*words):
        done = run_python(*words, env=environment, cwd=place, preexec_fn=forbid_network)
        return done.stdout

    return run


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.getaddrinfo('example.org', 443)",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.socket().sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', 9))",
        "ctypes.CDLL(None).gethostbyname(b'example.org')",
    ],
)
def test_audit_kills_process_that_opens_a_connection(attempt):
    code = f"import ctypes, socket; {attempt}"
    run_python("-c", code, check=-signal.SIGSYS, preexec_fn=forbid_network)


def test_build_and_recall_send_nothing_and_leave_nothing(run, place):
    run("-m", "memery", "build", "photos", "--no-ocr")
    assert "red.png" in run("-m", "memery", "recall", "photos", "red", "--format", "paths")
    assert [str(path) for path in traces(place)] == OWN


def test_ocr_sends_nothing_and_leaves_nothing(run, place):
    assert "1 with text" in run("-m", "memery", "build", "photos", "--ocr")
    assert [str(path) for path in traces(place)] == OWN


@pytest.mark.slow
def test_serve_sends_nothing_and_leaves_nothing(environment, place):
    left_out = dict.fromkeys(os.environ.keys() - environment.keys(), "")
    with serving(
        place / "photos", environment=left_out | environment, before=forbid_network
    ) as server:
        server.wait_until_indexed()
        assert server.search(text="red")["hits"]
        assert server.get("/").status == 200
        time.sleep(LONGER_THAN_TELEMETRY_WAITS)
        assert server.search(text="offline")["hits"]
        assert server.end() == 0
    assert not [line for line in server.lines if "elemetry" in line]
    assert [str(path) for path in traces(place)] == OWN


def test_telemetry_is_off_for_plug_ins_and_for_programs_that_use_the_library(run, place):
    """Whoever imports onnxruntime after memery, by whatever way, finds it switched off."""
    imports = "import memery, onnxruntime, huggingface_hub.constants as hub"
    run("-c", f"{imports}; assert hub.HF_HUB_DISABLE_TELEMETRY")
    assert [str(path) for path in traces(place)] == OWN
