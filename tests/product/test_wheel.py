"""The wheel, alone in an empty environment somewhere else, does the product's work."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from support.images import paint

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src"
WEB = PACKAGE / "memery" / "gateway" / "web"


@pytest.mark.slow
def test_wheel_recalls_in_an_empty_environment(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"memery/query/text_search/english.{kind}" for kind in ("txt.gz", "LICENCE")} <= names
    assert {str(file.relative_to(PACKAGE)) for file in WEB.rglob("*") if file.is_file()} <= names
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", constraints, wheel],
        check=True,
        cwd=tmp_path,
        capture_output=True,
    )
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in ("red", "blue"):
        paint(photos / f"{colour}.png", colour, (320, 240))
    environment = {key: value for key, value in os.environ.items() if key != "MEMERY_MODEL"}
    done = subprocess.run(
        [python.parent / "memery", "recall", photos, "the colour red", "--format", "paths"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"{photos}/blue.png", f"{photos}/red.png"]
    assert "Traceback" not in done.stderr
