"""Recall over 100,000 stored vectors in new processes, with a warm page cache."""

import hashlib
import statistics
import tempfile
import uuid
from pathlib import Path

import numpy as np

from benchmarks.measure import RUNS, command_seconds, memery, one_run, say
from memery import assembly
from memery.archive import find_archive
from memery.config import Config
from memery.models import selection
from memery.stores.records import Content, IndexRecord, Space
from memery.types import FileEntry

ROWS, BATCH = 100_000, 5_000


def fill(folder: Path) -> None:
    """Store random unit vectors in the starter's space."""
    info = selection.open_model("starter").info
    space = Space(info.model_id, info.fingerprint, info.dim)
    store = assembly.open_store(find_archive(folder), Config())
    random = np.random.default_rng(0)
    with store.writing() as writer:
        for start in range(0, ROWS, BATCH):
            vectors = random.standard_normal((BATCH, info.dim), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            writer.commit(space, [_addition(start + row, v) for row, v in enumerate(vectors)], [])
    store.refresh(space)
    store.close()


def digest_of(number: int) -> str:
    """The digest of the image with this number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def _addition(number: int, vector: np.ndarray) -> IndexRecord:
    entry = FileEntry(f"album{number % 100:03d}/image{number:06d}.jpg", 100_000, number)
    return IndexRecord(entry, digest_of(number), Content(640, 480, "JPEG", None, vector))


def run() -> None:
    """Budgets: 0.7 s for a new query, 0.4 s for one with a stored embedding."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        repeated = command_seconds(memery("recall", folder, "a dog on a beach", "--no-index"))
        new = statistics.median(
            one_run(memery("recall", folder, uuid.uuid4().hex, "--no-index")) for _ in range(RUNS)
        )
        say("recall", rows=ROWS, new_s=round(new, 2), repeated_s=round(repeated, 2))
