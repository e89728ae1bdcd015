"""Run the evaluations of the given folders: `python -m evaluation --help`.

Each evaluation runs in its own process and prints one JSON line; this module adds its name, the
date and the commit.
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
"""The evaluation modules for each kind of folder."""


def commit() -> str:
    """The current commit, with "+" if there are uncommitted changes."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--abbrev=10", "--dirty=+"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def measure(part: str, folder: Path, model: str) -> str:
    """Run one evaluation; return its JSON line with name, date and commit."""
    command = [sys.executable, "-m", f"evaluation.{part}", str(folder), "--model", model]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    facts = {
        "evaluation": part.replace("_", "-"),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }
    return json.dumps({**facts, **json.loads(done.stdout.splitlines()[-1])})


def selected(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The evaluations to run, with their folders."""
    for kind, parts in PARTS.items():
        folder = getattr(arguments, kind)
        if folder is not None:
            yield from ((part, folder) for part in parts)


def main() -> None:
    """Parse the arguments, and print a JSON line for each evaluation."""
    parser = argparse.ArgumentParser(prog="python -m evaluation", description="measure memery")
    parser.add_argument("--captions", type=Path, help="photos with a captions.jsonl")
    parser.add_argument("--labelled", type=Path, help="images with labels in a captions.jsonl")
    parser.add_argument("--memes", type=Path, help="rendered memes with a truth.jsonl")
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    parts = list(selected(arguments))
    if not parts:
        parser.error("give a folder to measure on")
    for part, folder in parts:
        try:
            print(measure(part, folder, arguments.model), flush=True)
        except subprocess.CalledProcessError as error:
            raise SystemExit(
                f"evaluation.{part} failed with exit code {error.returncode}."
            ) from None


if __name__ == "__main__":
    main()
