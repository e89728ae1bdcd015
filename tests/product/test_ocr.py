"""Text in pictures as a user meets it, through the real command."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from PIL import Image, ImageDraw, ImageFont

from memery import Memery
from memery.errors import MemeryError, ReaderError
from memery.testing import COLOURS
from support.archives import count_rows
from support.commands import (
    assert_ended,
    isolated_environment,
    run_command,
    run_python,
    start_command,
)
from support.images import paint

WITHOUT = """
import importlib.util, runpy, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "rapidocr" else found(name, *more)
sys.argv[0] = "memery"
runpy.run_module("memery", run_name="__main__")
"""


@pytest.fixture
def environment(tmp_path):
    reading = {"MEMERY_READER": "colours", "MEMERY_READ_TEXT": ""}
    return isolated_environment(tmp_path, **reading, READER_LOG=str(tmp_path / "read.txt"))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        colour = list(COLOURS.values())[number % len(COLOURS)]
        paint(folder / f"{number:02}.png", colour, (40 + number, 30))
    return folder


def built(folder, *options, environment):
    done = run_command("build", folder, "--format", "json", *options, env=environment)
    return json.loads(done.stdout)


def counted(tmp_path):
    log = tmp_path / "read.txt"
    return len(log.read_text()) if log.exists() else 0


def test_finds_text_that_a_build_recognised(tmp_path, environment):
    folder = tmp_path / "memes"
    folder.mkdir()
    for name, text in (("a", "grumpy penguin"), ("b", "elephant parade")):
        image = Image.new("RGB", (640, 200), "white")
        ImageDraw.Draw(image).text((30, 70), text, "black", ImageFont.load_default(48))
        image.save(folder / f"{name}.png")
    environment["MEMERY_READER"] = "rapidocr"
    built(folder, environment=environment)
    done = run_command(
        *("recall", folder, "penguln", "--mode", "text", "--format", "paths"), env=environment
    )
    assert done.stdout.splitlines() == [f"{folder}/a.png"]


def test_recognises_no_image_twice(tmp_path, photos, environment):
    built(photos, environment=environment)
    assert counted(tmp_path) == 40
    shutil.copy2(photos / "00.png", photos / "copy.png")
    (photos / "01.png").rename(photos / "moved.png")
    built(photos, environment=environment)
    assert counted(tmp_path) == 40
    done = run_command(
        *("recall", photos, "white", "--mode", "text", "--format", "paths"), env=environment
    )
    assert f"{photos}/moved.png" in done.stdout.splitlines()
    built(photos, "--rebuild", environment=environment)
    assert counted(tmp_path) == 80


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_continues_interrupted_ocr(tmp_path, photos, environment, how):
    slow = environment | {"READER_SECONDS": "0.1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start_command("build", photos, env=slow, **quiet) as build:
        while build.poll() is None and (counted(tmp_path) < 18 or not count_rows(photos, "texts")):
            time.sleep(0.02)
        build.send_signal(how)
    assert build.returncode != 0
    kept = count_rows(photos, "texts")
    assert 0 < kept < 40
    before = counted(tmp_path)
    built(photos, environment=environment)
    assert counted(tmp_path) - before == 40 - kept
    assert count_rows(photos, "texts") == 40


@pytest.mark.slow
def test_remembers_choice_of_ocr(tmp_path, photos, environment):
    built(photos, "--no-ocr", environment=environment)
    built(photos, environment=environment)
    assert counted(tmp_path) == 0
    built(photos, "--ocr", environment=environment)
    assert counted(tmp_path) == 40


@pytest.mark.parametrize(
    ("options", "is_recognised"),
    [
        (["--no-read-text"], False),
        (["--read-text"], True),
        (["--read-text", "--no-ocr"], False),
        (["--no-read-text", "--ocr"], True),
    ],
)
def test_accepts_former_names_of_ocr_options(tmp_path, photos, environment, options, is_recognised):
    built(photos, *options, environment=environment)
    assert counted(tmp_path) == 40 * is_recognised


def test_help_hides_former_names_of_ocr_options():
    shown = run_command("build", "--help").stdout
    assert "--ocr / --no-ocr" in shown
    assert "read-text" not in shown


def test_works_without_the_ocr_extra(photos, environment):
    environment["MEMERY_READER"] = "rapidocr"
    run_python("-c", WITHOUT, "build", photos, env=environment)
    told = run_python("-c", WITHOUT, "build", photos, "--ocr", env=environment, check=4)
    assert "pip install 'memery[ocr]'" in told.stderr


def test_names_known_engines_for_an_unknown_one(photos, environment):
    environment["MEMERY_READER"] = "nonsense"
    told = run_command("build", photos, "--ocr", env=environment, check=4)
    assert "no reader named 'nonsense'. Known here: rapidocr, colours" in told.stderr


DAMAGES = [
    "UPDATE texts SET lines = 'garbage'",
    "UPDATE texts SET lines = '[[1, 2, 3]]'",
    "UPDATE texts SET lines = x'ff', reader = x'ff'",
    "DELETE FROM text_words_data",
    "UPDATE text_words_data SET block = x'00ff'",
    "DELETE FROM text_words_content",
    "DELETE FROM text_words_docsize",
    "DELETE FROM text_words_config",
    "UPDATE file_words_data SET block = randomblob(40)",
    "DROP TABLE text_words",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_reports_damaged_texts_where_they_matter(photos, environment, damage, invoke):
    def memery(*words):
        done = invoke(words, cwd=photos.parent, env=environment)
        assert_ended(done, None)
        return done

    assert memery("build", photos, "-q").returncode == 0
    db = sqlite3.connect(photos / ".memery" / "store.sqlite3")
    db.execute("PRAGMA writable_schema = ON")
    db.execute(damage)
    db.commit()
    db.close()
    for words in (["white"], ["whitee", "--mode", "text"], ['"white"']):
        done = memery("recall", photos, *words, "--no-index")
        # Words may go missing (the build below tells), but what is found is whole.
        assert done.returncode in (0, 1) or b"memery purge" in done.stderr
    told = memery("build", photos, "--verify")
    assert told.returncode != 0
    assert b"damaged" in told.stderr


def test_hard_queries_find_or_miss_quietly(photos, environment, monkeypatch):
    built(photos, environment=environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    texts = [
        'white"',
        "white*",
        "NEAR(white)",
        "-white",
        "raw:white",
        "^white",
        "white AND",
        "w\0x",
    ]
    texts += ["שלום", "مرحبا", "e\u0301" * 50, "🙂", "日本", "white " * 2000, "x" * 10_000]
    with Memery(photos) as library:
        for text in texts:
            for mode in ("auto", "text"):
                try:
                    hits = library.recall(text, mode=mode)
                except MemeryError as error:
                    assert "words" in str(error)  # noqa: PT017
                else:
                    held = "white" in text and "\0" not in text
                    assert not held or any("01.png" in hit.path for hit in hits)


def test_names_extra_if_the_engine_is_not_installed(photos, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ReaderError, match=r"memery\[ocr\]"):
        Memery(photos, reader="rapidocr", read_text=True)
