"""Candidate pairs of near duplicates, by perceptual hash and by embedding.

Not all pairs are compared: hashes are sorted by bands (Manku, Jain and Das Sarma 2007), and
embeddings are searched with an IVF index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BANDS, _BAND_BITS = 4, 16
_BAND_PAIRS_MAX = 8
"""Maximum pairs per image, band and orientation: plain images share a band with thousands."""
_DISTANCE_MAX = 12
"""Maximum Hamming distance of the 64-bit hashes of a pair."""
_NEIGHBOURS = 12
"""Nearest neighbours of each image by embedding, including itself."""
_BRUTE_FORCE_MAX = 4096
"""Up to this number of images brute force is faster than an IVF index."""
_CELL_SIZE, _PROBES = 128, 6
"""Images per IVF cell, and cells searched per image."""
_TRAINING_PER_CELL = 40
"""Training images per IVF cell."""


def find_candidate_pairs(
    hashes: NDArray[np.uint64], embeddings: NDArray[np.float16]
) -> NDArray[np.int64]:
    """Find pairs of rows that may be near duplicates.

    Args:
        hashes: uint64 of shape (n, 8): of each image in eight orientations.
        embeddings: float16 unit vectors of shape (n, dim).

    Returns:
        int64 of shape (m, 2), the lower row first.
    """
    import numpy as np

    pairs = np.concatenate([_by_hash(hashes), _by_embedding(embeddings)])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs.sort(axis=1)
    keys = np.unique(pairs[:, 0] * len(hashes) + pairs[:, 1])
    return np.stack(np.divmod(keys, max(1, len(hashes))), axis=1)


def _by_hash(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs whose hashes have a small Hamming distance in any orientation of one image."""
    import numpy as np

    upright = hashes[:, 0]
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(_BANDS):
        keys = _band(upright, band)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for oriented in hashes.T:
            position = np.searchsorted(keys, _band(oriented, band))
            for step in range(_BAND_PAIRS_MAX):
                rows = np.flatnonzero(position + step < len(keys))
                other = order[position[rows] + step]
                near = np.bitwise_count(oriented[rows] ^ upright[other]) <= _DISTANCE_MAX
                found.append(np.stack([rows[near], other[near]], axis=1))
    return np.concatenate(found)


def _band(hashes: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    import numpy as np

    shifted: NDArray[np.uint64] = (hashes >> np.uint64(band * _BAND_BITS)) & np.uint64(
        (1 << _BAND_BITS) - 1
    )
    return shifted


def _by_embedding(embeddings: NDArray[np.float16]) -> NDArray[np.int64]:
    """Pairs of each row and its nearest neighbours."""
    import faiss
    import numpy as np

    count, dim = embeddings.shape
    if count == 0:
        return np.empty((0, 2), dtype=np.int64)
    rows = embeddings.astype(np.float32)
    index: Any = faiss.IndexFlatIP(dim)
    if count > _BRUTE_FORCE_MAX:
        cells = count // _CELL_SIZE
        quantizer = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dim, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.nprobe = 6, _PROBES
        sample = np.random.default_rng(0).permutation(count)[: _TRAINING_PER_CELL * cells]
        index.train(rows[np.sort(sample)])
    index.add(rows)
    _, nearest = index.search(rows, min(_NEIGHBOURS, count))
    pairs = np.stack([np.repeat(np.arange(count), nearest.shape[1]), nearest.ravel()], axis=1)
    return pairs[pairs[:, 1] >= 0]
