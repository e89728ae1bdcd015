"""Numbers and their nouns: one is singular, in whatever a command prints."""

import re
from pathlib import Path

import pytest

from memery.text.plurals import counted
from support.commands import run_command
from support.images import paint

SOURCES = Path(__file__).parents[2] / "src" / "memery"
BY_HAND = re.compile(
    r"\{[^{}]*\} (?:images|groups|files|folders|embeddings|pictures|copies|words|terms|faults)\b"
)


def test_one_takes_the_singular():
    assert [counted(count, "image") for count in (0, 1, 2)] == ["0 images", "1 image", "2 images"]
    assert [counted(count, "copy", "copies") for count in (1, 2)] == ["1 copy", "2 copies"]


def test_every_counted_noun_goes_through_one_function():
    speed = "{task.speed:.0f} images/s"
    found = [
        f"{file.name}: {match[0]}"
        for file in SOURCES.rglob("*.py")
        for match in BY_HAND.finditer(file.read_text(encoding="utf-8").replace(speed, ""))
    ]
    assert found == []


@pytest.mark.slow
def test_one_image_is_singular_in_every_command(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    for name in ("a.png", "b.png"):
        paint(tmp_path / name, "red")
    said = ""
    for words in (
        "duplicates . --exact",
        "recall . red --copy-to copied --copies -n 1",
        "status .",
        "build . --dry-run",
        "recall . red --offset 1",
    ):
        (tmp_path / "a.png").touch()
        done = run_command(*words.split(" "), cwd=tmp_path, check=None)
        said += done.stdout + done.stderr
    assert "1 group of copies; 1 file in addition to the best" in said
    assert "1 image copied to copied" in said
    assert not re.search(r"\b1 (?:images|files|groups|embeddings|copies|words)\b", said)
