"""What the command prints, against the files in `golden/`: a missing file fails.

`MEMERY_WRITE_GOLDEN=1 pytest tests/gateway/cli/test_golden.py` rewrites them: read
the difference before you commit it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.commands import isolated_environment
from support.images import paint
from support.output import assert_output

GOLDEN = Path(__file__).parent / "golden"
COMMANDS = {
    "help": "--help",
    "recall-help": "recall --help",
    "build-help": "build --help",
    "status-help": "status --help",
    "purge-help": "purge --help",
    "similar-help": "similar --help",
    "serve-help": "serve --help",
    "models-list-help": "models list --help",
    "recall-table": "recall photos red -n 3",
    "recall-paths": "recall photos blue --format paths -n 2",
    "recall-json": "recall photos -t red^2 -i photos/trip/sea.png --not green --format json -n 2",
    "recall-jsonl": "recall photos grey --not-image photos/red.png^0.5 --format jsonl -n 2",
    "recall-queries": "recall photos --queries-from queries.txt -n 1",
    "recall-offset": "recall photos red --offset 2 -n 2 --no-index --format paths",
    "recall-dash": "recall photos -n 1 --format json -- -red",
    "recall-explain": "recall photos -t green -t words --explain -n 2",
    "recall-explain-json": "recall photos green --explain --format json -n 1",
    "recall-filters": "recall photos red --under trip --ext png --orientation landscape",
    "recall-nothing-strong": "recall photos submarine -n 1",
    "recall-sort": "recall photos red --sort name --format paths",
    "similar": "similar photos photos/green.png -n 2",
    "no-such-date": "recall photos red --since 2023-02-30",
    "no-such-folder": "recall photos red --under ../elsewhere",
    "recall-caret": r"recall photos a\^2 -n 1 --format json",
    "build-text": "build photos --rebuild",
    "build-json": "build photos --format json",
    "dry-run": "build photos --dry-run",
    "status-text": "status photos",
    "status-json": "status photos --format json",
    "no-query": "recall photos",
    "no-folder": "recall nowhere red",
    "no-model": "recall photos red --model nobody",
    "no-option": "recall photos red --nonsense",
    "quiet": "recall photos red -q -n 1 --model colours",
}

AS_A_PROCESS = {"help", "recall-table", "recall-json", "build-text", "no-folder", "no-option"}
"""Commands that run as a user runs them; the others run in the process of the tests."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("golden")
    (place / "photos" / "trip").mkdir(parents=True)
    pictures = {"red": "red", "green": "green", "grass": "green", "trip/sea": (30, 60, 220)}
    for name, colour in pictures.items():
        paint(place / "photos" / f"{name}.png", colour)
    (place / "photos" / "notes.png").write_text("words")
    (place / "photos" / "link.png").symlink_to("red.png")
    for file in (place / "photos").rglob("*.png"):
        os.utime(file, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
    (place / "queries.txt").write_text("green\nblue\n")
    run(["build", "photos", "-q"], place)
    return place


def environment(place):
    return isolated_environment(place, COLUMNS="100")


def run(words, place):
    return subprocess.run(
        [Path(sys.executable).parent / "memery", *words],
        cwd=place,
        env=environment(place),
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_prints_what_the_golden_file_holds(folder, name, invoke):
    words = COMMANDS[name].split(" ")
    if name in AS_A_PROCESS:
        done = run(words, folder)
    else:
        done = invoke(words, cwd=folder, env=environment(folder))
    printed = f"$ memery {COMMANDS[name]}\n{done.stdout.decode()}--- {done.returncode}\n"
    printed += done.stderr.decode()
    printed = printed.replace(str(folder), "FOLDER")
    printed = re.sub(r'"took_ms": \{[^}]*\}', '"took_ms": TIMES', printed)
    printed = re.sub(r'(?<="seconds": )[\d.]+', "TIME", printed)
    printed = re.sub(r'(?<="id": ")[0-9a-f]{32}', "ID", printed)
    printed = re.sub(r"\d+ kB|(?<=\"size\": )\d+", "SIZE", printed)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("MEMERY_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(printed, encoding="utf-8")
    assert_output(printed, file.read_text(encoding="utf-8"))
