"""Index a folder of photographs and search it with the real command.

python examples/demo.py                         on photographs of the scikit-image wheel
python examples/demo.py --dir ~/Pictures --query "a dog on a beach"
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from memery.imaging.html_grid import GridCell, grid_html

OUTPUT = Path("demo")
PHOTOS = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "clock_motion.png", "coffee.png"),
    *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "moon.png"),
    *("motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png"),
)
QUERY_PHOTO = "motorcycle_right.png"
"""A query image that is not indexed: the same motorcycle from another viewpoint."""
SHOWN = 4


@dataclass(frozen=True)
class Recall:
    """A query and the expected best hit."""

    words: tuple[str, ...]
    expected: str | None = None


def demo_recalls() -> list[Recall]:
    """The queries of the demo."""
    return [
        Recall(("a cat",), "chelsea.png"),
        Recall(("a cup of coffee",), "coffee.png"),
        Recall(("an astronaut in a space suit",), "astronaut.png"),
        Recall(("a rocket launch",), "rocket.jpg"),
        Recall(("a motorcycle",), "motorcycle_left.png"),
        Recall(("a man with a camera",), "camera.png"),
        Recall(("old coins",), "coins.png"),
        Recall(("a vehicle", "--not", "a rocket"), "motorcycle_left.png"),
        Recall(("-i", str(OUTPUT / QUERY_PHOTO)), "motorcycle_left.png"),
    ]


def copy_photos(target: Path) -> None:
    """Copy the photographs out of the wheel."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The demo's photographs come in the scikit-image wheel: run make demo.")
    target.mkdir(parents=True, exist_ok=True)
    data = Path(spec.submodule_search_locations[0]) / "data"
    for name in PHOTOS:
        shutil.copy2(data / name, target / name)
    shutil.copy2(data / QUERY_PHOTO, OUTPUT / QUERY_PHOTO)


def memery(*words: str) -> str:
    """Print and run a command as a user would, and return its output."""
    shown = " ".join(f"'{word}'" if " " in word else word for word in words)
    print(f"$ memery {shown}", flush=True)
    command = [sys.executable, "-m", "memery", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(done.stdout, flush=True)
    return done.stdout


def recall(folder: Path, query: Recall) -> tuple[str, list[GridCell]]:
    """Search, print, and check the best hit."""
    # With text search, a page with the word coins would rank above the photo of coins.
    mode = ("--mode", "visual") if query.expected is not None else ()
    words = ("recall", str(folder), *query.words, *mode, "-n", str(SHOWN))
    memery(*words)
    command = [sys.executable, "-m", "memery", *words, "--format", "json", "--no-index"]
    hits = json.loads(subprocess.check_output(command, text=True))["hits"]
    if query.expected is not None and hits[0]["path"] != query.expected:
        sys.exit(f"The best hit should have been {query.expected}.")
    thumbnails = [
        GridCell(str(folder / hit["path"]), hit["path"], f"{hit['score']:.2f}") for hit in hits
    ]
    return " ".join(query.words), thumbnails


def contact_sheet(sections: list[tuple[str, list[GridCell]]]) -> str:
    """Make a self-contained HTML page with a heading and a grid of thumbnails for each query."""
    body = "".join(f"<h2>{html.escape(query)}</h2>{grid_html(hits)}" for query, hits in sections)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>memery</title>'
        f'<body style="font-family:system-ui,sans-serif;margin:24px">{body}</html>\n'
    )


def main() -> None:
    """Index the folder, run the queries, and write the contact sheet."""
    parser = argparse.ArgumentParser(description="index a folder of photographs and recall some")
    parser.add_argument("--dir", type=Path, help="your own folder")
    parser.add_argument("--query", help="what to find in it")
    arguments = parser.parse_args()
    if (arguments.dir is None) != (arguments.query is None):
        parser.error('your own folder needs both: make demo DIR=~/Pictures QUERY="a dog"')
    if arguments.dir is not None:
        folder, recalls = arguments.dir.expanduser(), [Recall((f"--text={arguments.query}",))]
    else:
        folder = OUTPUT / "photos"
        copy_photos(folder)
        recalls = demo_recalls()
    memery("build", str(folder))
    sections = [recall(folder, query) for query in recalls]
    OUTPUT.mkdir(exist_ok=True)
    sheet = OUTPUT / "contact-sheet.html"
    sheet.write_text(contact_sheet(sections), encoding="utf-8")
    print(f"Contact sheet: {sheet.resolve().as_uri()}")


if __name__ == "__main__":
    main()
