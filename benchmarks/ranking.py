"""Warm searches over 100,000 images, a fifth of them with text: by vector, words and filters."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import say
from benchmarks.recall import ROWS, digest_of, fill
from memery import Filter, Memery, assembly
from memery.archive import find_archive
from memery.config import Config
from memery.stores.records import RecognizedText
from memery.types import Line

RUNS, EVERY, BATCH = 15, 5, 2_000
WORDS = [
    "mountain",
    "river",
    "dog",
    "cat",
    "birthday",
    "monday",
    "coffee",
    "meeting",
    "winter",
    "summer",
    "python",
    "server",
    "keyboard",
    "nobody",
    "everything",
    "finally",
    "simply",
    "walk",
    "run",
    "sleep",
    "never",
    "always",
    "money",
    "house",
    "garden",
    "school",
    "teacher",
    "student",
    "doctor",
    "problem",
    "solution",
    "question",
    "answer",
    "morning",
    "evening",
    "weekend",
    "holiday",
]
SEARCHES = {
    "visual": {"query": "a dog on a beach", "mode": "visual"},
    "auto, no word occurs anywhere": {"query": "zebra submarine"},
    "auto, words occur in images": {"query": "birthday dog at the evening meeting"},
    "auto, with a typo": {"query": "birthday mornign coffee"},
    "mode text": {"query": "coffee meeting monday", "mode": "text"},
    "one folder": {"query": "a dog on a beach", "mode": "visual", "where": Filter("album007")},
    "half of all, by size and extension": {
        "query": "a dog on a beach",
        "mode": "visual",
        "where": Filter(ext="jpg", min_size="600x400", not_under="album001"),
    },
    "with text": {"query": "a dog", "mode": "visual", "where": Filter(has_text=True)},
}


def _write(folder: Path) -> None:
    store = assembly.open_store(find_archive(folder), Config())
    random = np.random.default_rng(1)
    with store.writing() as writer:
        for start in range(0, ROWS, EVERY * BATCH):
            texts = [
                RecognizedText(
                    digest_of(number), "bench 1", (Line(" ".join(words), 0.9, (0, 0, 1, 1)),)
                )
                for number in range(start, min(start + EVERY * BATCH, ROWS), EVERY)
                for words in (random.choice(WORDS, 6),)
            ]
            writer.commit_texts(texts)
    store.close()


def run() -> None:
    """Measure the cost of each part of a search, compared with a plain search; medians."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        _write(Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in SEARCHES}
        with Memery(folder, model="starter") as memery:
            for _ in range(RUNS):
                for name, search in SEARCHES.items():
                    started = time.perf_counter()
                    memery.recall(**search)
                    seconds[name].append(time.perf_counter() - started)
        for name, times in seconds.items():
            say("warm search", what=name, rows=ROWS, ms=round(1000 * statistics.median(times), 1))
