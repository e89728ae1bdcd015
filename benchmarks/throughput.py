"""Indexing compared with a bare loop of decoding and encoding: same photos, model and threads."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from evaluation.folders import image_files

from benchmarks.measure import say
from memery import index_flow
from memery.config import processors
from memery.imaging.decoding import decode
from memery.models import selection

BATCH, ROUNDS = 32, 3
_NO_LIMIT = 1 << 40


def bare_loop(files: list[Path]) -> float:
    """Seconds to read, decode (in threads) and encode all photos, without storing anything."""
    model = selection.open_model("starter")
    info = model.info

    def pixels(file: Path) -> np.ndarray:
        return decode(file.read_bytes(), info.resize, _NO_LIMIT).pixels

    started = time.perf_counter()
    with ThreadPoolExecutor(processors()) as pool:
        for batch in _batches(files):
            model.encode_images(np.stack(list(pool.map(pixels, batch))))
    return time.perf_counter() - started


def indexing(folder: Path) -> float:
    """Seconds of the indexing flow into a new archive."""
    with tempfile.TemporaryDirectory() as archive:
        started = time.perf_counter()
        index_flow(folder, model="starter", archive=Path(archive))
        return time.perf_counter() - started


def _batches(files: list[Path]) -> Iterator[list[Path]]:
    return (files[start : start + BATCH] for start in range(0, len(files), BATCH))


def run(folder: Path) -> None:
    """Budget: a ratio of 0.85 or more."""
    files = image_files(folder)
    pairs = [(bare_loop(files), indexing(folder)) for _ in range(ROUNDS)]
    ratio = statistics.median(bare / flow for bare, flow in pairs)
    rate = statistics.median(len(files) / flow for _, flow in pairs)
    say("throughput", images=len(files), images_s=round(rate, 1), ratio=round(ratio, 2))
