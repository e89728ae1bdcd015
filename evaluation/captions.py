"""Text → image retrieval on a folder with a `captions.jsonl`, through the public library.

    python -m evaluation.captions FOLDER [--model NAME]

Each line of `captions.jsonl` is an object with `file` (relative to the folder) and `captions` (a
list of texts); `label` is optional. Prints one JSON line:

    R@1, R@5, R@10   share of captions whose image is among the first 1, 5, 10, in percent
    median_rank      median rank of the right image
    label_P@10       mean share of right images among the first 10 with each label as the query
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memery import Memery
from memery.query.text_search.query_words import unquoted

_FIRST_HITS = 100
"""Number of hits requested first; if the image is not among them, all are requested."""


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of a folder's `captions.jsonl`."""
    file = folder / "captions.jsonl"
    if not file.is_file():
        raise SystemExit(f"{folder} contains no captions.jsonl.")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def rank_of(memery: Memery, text: str, file: str, count: int) -> int:
    """Find the rank of an image for a text, from 1."""
    for top_k in (min(_FIRST_HITS, count), count):
        # Words in quotation marks would have to occur in the image.
        for hit in memery.recall(unquoted(text), top_k=top_k, list_copies=True):
            if hit.path == file:
                return hit.rank
    raise SystemExit(f"{file} is in captions.jsonl, but not indexed.")


def label_precision(memery: Memery, labels: dict[str, set[str]]) -> float:
    """Mean precision at 10 with each label as the query."""
    precisions = [
        sum(hit.path in files for hit in memery.recall(label, top_k=10, list_copies=True))
        / min(10, len(files))
        for label, files in labels.items()
    ]
    return statistics.mean(precisions)


def evaluate(folder: Path, model: str) -> dict[str, Any]:
    """Index the folder into a temporary archive, and measure retrieval."""
    rows = read_rows(folder)
    labels: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if "label" in row:
            labels[row["label"]].add(row["file"])
    with (
        tempfile.TemporaryDirectory() as archive,
        Memery(folder, model=model, archive=Path(archive)) as memery,
    ):
        report = memery.build()
        count = report.searchable
        ranks = [
            rank_of(memery, caption, row["file"], count)
            for row in rows
            for caption in row["captions"]
        ]
        result = {
            "folder": folder.name,
            "model_id": report.model_id,
            "images": count,
            "queries": len(ranks),
            **{
                f"R@{k}": percent(sum(rank <= k for rank in ranks) / len(ranks)) for k in (1, 5, 10)
            },
            "median_rank": statistics.median(ranks),
        }
        if labels:
            result["label_P@10"] = percent(label_precision(memery, labels))
        return result


def percent(share: float) -> float:
    """Convert a fraction to percent, rounded to one digit."""
    return round(100 * share, 1)


def print_measurements(description: str, evaluate: Callable[[Path, str], dict[str, Any]]) -> None:
    """Evaluate a model on a folder, both given on the command line, and print one JSON line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    print(json.dumps(evaluate(arguments.folder.resolve(), arguments.model)))


if __name__ == "__main__":
    print_measurements("measure retrieval on captioned images", evaluate)
