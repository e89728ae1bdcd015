"""Run each evaluation for which a folder is given: `python -m evaluation --help`.

Each evaluation is a process that prints one JSON line; this module adds name, date and commit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

PARTS = {
    "captions": ("captions", "no_match", "duplicates"),
    "labelled": ("feedback",),
    "memes": ("memes",),
}
"""The modules of this package that measure each kind of folder."""


def commit() -> str:
    """The current commit, with "+" if there are uncommitted changes."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--abbrev=10", "--dirty=+"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def measure(part: str, folder: Path, model: str) -> str:
    """Run one part; the JSON line that it ends with, named and dated."""
    command = [sys.executable, "-m", f"evaluation.{part}", str(folder), "--model", model]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    facts = {
        "evaluation": part.replace("_", "-"),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }
    return json.dumps({**facts, **json.loads(done.stdout.splitlines()[-1])})


def wanted(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The parts that have a folder."""
    for kind, parts in PARTS.items():
        folder = getattr(arguments, kind)
        if folder is not None:
            yield from ((part, folder) for part in parts)


def main() -> None:
    """Read the arguments, print a JSON line for each part."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description="measure memery")
    parser.add_argument("--captions", type=Path, help="photos with a captions.jsonl")
    parser.add_argument("--labelled", type=Path, help="images with labels in a captions.jsonl")
    parser.add_argument("--memes", type=Path, help="rendered memes with a truth.jsonl")
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    parts = list(wanted(arguments))
    if not parts:
        parser.error("give a folder to measure on")
    for part, folder in parts:
        try:
            print(measure(part, folder, arguments.model), flush=True)
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                f"evaluation.{part} ended with exit code {error.returncode}."
            ) from None


if __name__ == "__main__":
    main()
