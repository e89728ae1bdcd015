"""Grouping of 100,000 images, a tenth of them near duplicates of others."""

import resource
import time

import numpy as np
from PIL import Image

from benchmarks.measure import say
from memery.executors.deduplicator import group_by_center
from memery.executors.deduplicator.candidate_pairs import find_candidate_pairs
from memery.executors.deduplicator.verification import verify_pairs
from memery.imaging.perceptual_hash import duplicate_signature, unpack_signatures

ROWS, DIM, COPIES, SCENES = 100_000, 512, 10_000, 2_000


def run() -> None:
    """Seconds and memory from the store's records to the groups."""
    rng = np.random.default_rng(0)
    signatures = [duplicate_signature(_scene(rng)) for _ in range(SCENES)]
    _, miniatures = unpack_signatures(signatures)
    # Further images are mixtures of two: as smooth as real images, and similar to neither.
    one, two = rng.integers(0, SCENES, (2, ROWS))
    mixed = (miniatures[one] // 2 + miniatures[two][:, ::-1] // 2).astype(np.uint8)
    hashes = rng.integers(0, 1 << 63, (ROWS, 8), dtype=np.uint64)
    near = rng.standard_normal((ROWS // 50, DIM), dtype=np.float32)[np.arange(ROWS) // 50]
    embeddings = near + rng.standard_normal((ROWS, DIM), dtype=np.float32)
    copies, originals = rng.permutation(ROWS)[: 2 * COPIES].reshape(2, COPIES)
    noise = rng.integers(0, 4, mixed[originals].shape, dtype=np.uint8)
    mixed[copies], hashes[copies] = np.minimum(mixed[originals], 251) + noise, hashes[originals]
    embeddings[copies] = embeddings[originals]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    began, worked = time.perf_counter(), time.process_time()
    pairs = find_candidate_pairs(hashes, embeddings.astype(np.float16))
    found = time.perf_counter()
    groups = group_by_center(
        pairs[verify_pairs(mixed, pairs)], lambda some: verify_pairs(mixed, some)
    )
    say(
        "duplicates",
        images=ROWS,
        pairs=len(pairs),
        groups=len(groups),
        copies=COPIES,
        candidates_s=round(found - began, 1),
        matching_s=round(time.perf_counter() - found, 1),
        processor_s=round(time.process_time() - worked, 1),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def _scene(rng: np.random.Generator) -> Image.Image:
    """A random image with large shapes and fine detail."""
    broad, fine = (
        Image.fromarray(rng.integers(0, 255, (*shape, 3), dtype=np.uint8)).resize((144, 144))
        for shape in ((4, 5), (18, 24))
    )
    return Image.blend(broad, fine, 0.4)


if __name__ == "__main__":
    run()
