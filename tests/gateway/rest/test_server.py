"""Folders that cannot be written, and models that are not available."""

import json
import os
import subprocess
import sys

import pytest

from support.commands import run_command
from support.servers.memery import serving

READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
shift
exec "$@"
"""
ASK = """
import json, pathlib, re, subprocess, sys, time, urllib.request
folder = sys.argv[1]
try:
    (pathlib.Path(folder) / "x").touch()
except OSError:
    print(json.dumps("read-only"))
server = subprocess.Popen([sys.executable, "-m", "memery", "serve", folder, "--port", "0"],
                          stderr=subprocess.PIPE, text=True)
try:
    while not (found := re.search("on (http\\S+)", line := server.stderr.readline())):
        assert line, "it ended"
    def get(path):
        with urllib.request.urlopen(found[1] + path) as answer:
            return answer.read()
    until = time.monotonic() + 60
    while json.loads(get("/v1/index"))[0]["state"] not in ("done", "failed"):
        assert time.monotonic() < until
        time.sleep(0.05)
    hit = json.loads(get("/v1/search?text=blue"))["hits"][0]
    job = json.loads(get("/v1/index"))[0]
    kind = get(hit["thumbnail_url"])[:4].decode()
    print(json.dumps([job["state"], job["searchable"], hit["path"], kind]))
finally:
    server.terminate()
    server.communicate(timeout=60)
"""


def test_serves_read_only_folder(photos, tmp_path, mount_namespace):
    """Its archive lies in the user's cache: nothing is written to it, and all works."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("red.png", "blue.png"):
        (folder / name).write_bytes((photos / name).read_bytes())
    before = sorted(folder.rglob("*"))
    environment = os.environ | {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "MEMERY_MODEL": "colours",
    }
    done = subprocess.run(
        [*mount_namespace, "sh", "-c", READ_ONLY, "sh", folder,
         sys.executable, "-c", ASK, folder],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert said == ["read-only", ["done", 2, "blue.png", "RIFF"]]
    assert sorted(folder.rglob("*")) == before
    assert list((tmp_path / "cache").rglob("store.sqlite3"))


def test_names_model_that_is_not_available(photos, tmp_path):
    """It is said which, and what to do: nothing is served in its place."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "red.png").write_bytes((photos / "red.png").read_bytes())
    run_command("build", folder, "-q")
    without = {"MEMERY_MODEL": "auto", "COLOURS_FINGERPRINT": "another"}
    words = ("serve", folder, "--port", "0", "--model", "gone/away")
    done = run_command(*words, env=os.environ | without, check=4, timeout=60)
    assert "gone/away" in done.stderr


@pytest.mark.slow
def test_answers_again_once_its_encoder_is_back(photos):
    """A server whose model is another server: 503 while that is away, answers when it is back."""
    with serving(encoder_only=True) as encoder:
        port = encoder.port
        with serving(photos, words=["--model", f"http://127.0.0.1:{port}"]) as server:
            server.wait_until_indexed()
            assert server.get("/v1/search?text=purple").status == 200
            encoder.end()
            answer = server.get("/v1/search?text=never+asked")
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            assert str(port) in answer.json()["detail"]
            assert server.get("/v1/images").status == 200
            assert server.get("/v1/search?text=purple").status == 200  # remembered
            with serving(words=["--encoder-only", "--port", str(port)]):
                assert server.get("/v1/search?text=never+asked").status == 200
