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
"""Hits that are judged, and hits that are measured."""
_HANDED = 3
"""Feedback of each kind."""
_LEFT = 3
"""Right images that must remain to be found."""


def precision(paths: list[str], judged: list[str], right: set[str]) -> float:
    """Of the best ten that were not judged; of fewer, where fewer right ones are left."""
    rest = [path for path in paths if path not in judged][:_JUDGED]
    return sum(path in right for path in rest) / min(_JUDGED, len(right.difference(judged)))


def measure(memery: Memery, label: str, right: set[str]) -> dict[str, float] | None:
    """Precision without and with feedback, or None where there is nothing to say."""
    first = memery.recall(label, top_k=2 * _JUDGED, mode="visual", list_copies=True)
    judged = [hit.path for hit in first[:_JUDGED]]
    more = [hit for hit in first[:_JUDGED] if hit.path in right][:_HANDED]
    less = [hit for hit in first[:_JUDGED] if hit.path not in right][:_HANDED]
    if not more or not less or len(right.difference(judged)) < _LEFT:
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
    """Index the folder into an archive of its own, and measure every label."""
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
        raise SystemExit(f"{folder} has no label that feedback could help.")
    return {
        "folder": folder.name,
        "model_id": model_id,
        "labels": len(measured),
        **{name: percent(statistics.mean(one[name] for one in measured)) for name in measured[0]},
    }


if __name__ == "__main__":
    print_measurements("measure what relevance feedback brings", evaluate)
