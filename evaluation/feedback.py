"""Relevance feedback: does it help to mark the first hits as right or wrong?

    python -m evaluation.feedback FOLDER [--model NAME]

FOLDER has a `captions.jsonl` with labels. Each label is a query; its first ten hits are judged by
their labels, and up to three right and three wrong ones are the feedback. Judged images are
excluded from the measurement, before and after (a residual collection). Labels without a right or
a wrong image among the ten, or with fewer than three other right ones, are skipped. Prints one
JSON line:

    labels    number of labels measured
    before    mean precision of the next ten, in percent
    more      the same with the right ones as feedback
    less      with the wrong ones
    both      with both
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from evaluation.captions import percent, print_measurements, read_rows
from memery import Memery

_JUDGED = 10
"""Number of hits that are judged, and number of hits that are measured."""
_FEEDBACK = 3
"""Maximum number of relevant and of irrelevant hits for feedback."""
_REMAINING_MIN = 3
"""Minimum number of right images that are not judged."""


def precision(paths: list[str], judged: list[str], right: set[str]) -> float:
    """Precision of the best ten hits that were not judged, or of fewer if fewer are right."""
    rest = [path for path in paths if path not in judged][:_JUDGED]
    return sum(path in right for path in rest) / min(_JUDGED, len(right.difference(judged)))


def measure(memery: Memery, label: str, right: set[str]) -> dict[str, float] | None:
    """Precision without and with feedback; None if the label cannot be measured."""
    first = memery.recall(label, top_k=2 * _JUDGED, mode="visual", list_copies=True)
    judged = [hit.path for hit in first[:_JUDGED]]
    more = [hit for hit in first[:_JUDGED] if hit.path in right][:_FEEDBACK]
    less = [hit for hit in first[:_JUDGED] if hit.path not in right][:_FEEDBACK]
    if not more or not less or len(right.difference(judged)) < _REMAINING_MIN:
        return None
    answers = {
        "before": first,
        "more": memery.recall(label, more=more, top_k=2 * _JUDGED, mode="visual", list_copies=True),
        "less": memery.recall(label, less=less, top_k=2 * _JUDGED, mode="visual", list_copies=True),
        "both": memery.recall(
            label, more=more, less=less, top_k=2 * _JUDGED, mode="visual", list_copies=True
        ),
    }
    return {
        name: precision([hit.path for hit in hits], judged, right) for name, hits in answers.items()
    }


def evaluate(folder: Path, model: str) -> dict[str, Any]:
    """Index the folder into a temporary archive, and measure every label."""
    labels: dict[str, set[str]] = defaultdict(set)
    for row in read_rows(folder):
        if "label" in row:
            labels[row["label"]].add(row["file"])
    with (
        tempfile.TemporaryDirectory() as archive,
        Memery(folder, model=model, read_text=False, archive=Path(archive)) as memery,
    ):
        model_id = memery.build().model_id
        found = [measure(memery, label, files) for label, files in labels.items()]
    measured = [one for one in found if one is not None]
    if not measured:
        raise SystemExit(f"{folder} has no label that can be measured.")
    return {
        "folder": folder.name,
        "model_id": model_id,
        "labels": len(measured),
        **{name: percent(statistics.mean(one[name] for one in measured)) for name in measured[0]},
    }


if __name__ == "__main__":
    print_measurements("measure relevance feedback", evaluate)
