"""Does memery know when nothing matches? Captions of photos in a folder, and of removed ones.

    python -m evaluation.no_match FOLDER [--model NAME] [--seed N]

FOLDER has a `captions.jsonl` as for `evaluation.captions`; photos with a label have no captions
and are excluded. Folders of each size are drawn at random, without repeating a photo; the captions
of as many other photos are the queries without a match. Prints one JSON line, with figures for
each size and for all sizes together ("all", where a measure must be comparable across folders):

    queries          number of queries, half of them with a match
    cosine_AUROC     how often the best cosine is higher with a match than without
    strength_AUROC   the same for the best strength
    strong           share of queries with a match whose best hit is not weak, in percent
    silent           share of queries without a match that have only weak hits, in percent

A caption of a removed photo may match another one, so 100 is not attainable.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from evaluation.captions import percent, read_rows
from memery import Memery
from memery.executors.ranker.strength import WEAK

_FOLDERS = {6: 25, 20: 8, 150: 1}
"""Images in a folder, and how many folders of that size are made."""
Best = tuple[float, float, bool]
"""Cosine and strength of the first hit of a query, and whether it is weak."""


def auroc(positive: list[float], negative: list[float]) -> float:
    """Share of pairs in which the positive is higher; ties count half."""
    higher = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    return higher / (len(positive) * len(negative))


def best_hits(folder: Path, inside: list[str], texts: list[str], model: str) -> list[Best]:
    """Find the first hit of each text in a folder with some of the photos."""
    with tempfile.TemporaryDirectory() as made:
        for name in inside:
            copy = Path(made, "photos", name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, copy)
        with Memery(
            Path(made, "photos"), model=model, read_text=False, archive=Path(made, "archive")
        ) as memery:
            memery.build()
            hits = [memery.recall(text, top_k=1, mode="visual")[0] for text in texts]
            # memery itself does not mark weak hits in small folders.
            return [(hit.score, hit.strength, hit.strength < WEAK) for hit in hits]


def evaluate(folder: Path, model: str, seed: int) -> dict[str, Any]:
    """Make the folders, search them, and measure."""
    rows = [row for row in read_rows(folder) if "label" not in row]
    chance = random.Random(seed)
    found: dict[int, tuple[list[Best], list[Best]]] = defaultdict(lambda: ([], []))
    for size, folders in _FOLDERS.items():
        chance.shuffle(rows)
        for start in range(0, min(2 * size * folders, len(rows) - 2 * size + 1), 2 * size):
            drawn = rows[start : start + 2 * size]
            texts = [chance.choice(row["captions"]) for row in drawn]
            best = best_hits(folder, [row["file"] for row in drawn[:size]], texts, model)
            found[size][0].extend(best[:size])
            found[size][1].extend(best[size:])
    if not found:
        raise SystemExit(f"{folder} has too few photos with captions.")
    everything = [[best for pair in found.values() for best in pair[side]] for side in (0, 1)]
    measures = {str(size): _measure(*pair) for size, pair in found.items()}
    return {
        "folder": folder.name,
        "model": model,
        "seed": seed,
        **measures,
        "all": _measure(*everything),
    }


def _measure(matched: list[Best], unmatched: list[Best]) -> dict[str, Any]:
    cosine, strength = (
        auroc([best[at] for best in matched], [best[at] for best in unmatched]) for at in (0, 1)
    )
    return {
        "queries": len(matched) + len(unmatched),
        "cosine_AUROC": round(cosine, 3),
        "strength_AUROC": round(strength, 3),
        "strong": percent(sum(not weak for *_, weak in matched) / len(matched)),
        "silent": percent(sum(weak for *_, weak in unmatched) / len(unmatched)),
    }


def main() -> None:
    """Parse the arguments, and print one JSON line."""
    parser = argparse.ArgumentParser(description="measure whether missing matches are detected")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    print(json.dumps(evaluate(folder, arguments.model, arguments.seed)))


if __name__ == "__main__":
    main()
