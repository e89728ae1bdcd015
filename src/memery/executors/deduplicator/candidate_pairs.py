"""Pairs of pictures that may be one: by perceptual hashes that agree in part, and by embedding.

No picture is compared with all others: hashes are sorted by bands (Manku, Jain and Das Sarma 2007),
embeddings are searched for in the nearest cells only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BANDS, _BAND_BITS = 4, 16
_NEXT = 8
"""A picture is paired with so many that share a band of its hash, at most: plain pictures share
theirs with thousands."""
_HASH_MOST = 12
"""Bits of 64 in which hashes of pictures that may be one differ, at most."""
_NEAREST = 12
"""Neighbours by embedding of each picture, itself among them."""
_EXHAUSTIVE = 4096
"""So few pictures that cells are not worth their making."""
_CELL, _PROBES = 128, 6
"""Pictures per cell, and cells looked into."""
_TRAINED = 40
"""Pictures per cell that the cells' centres are made from."""


def find_candidate_pairs(
    hashes: NDArray[np.uint64], embeddings: NDArray[np.float16]
) -> NDArray[np.int64]:
    """Pairs of rows that may be one picture: int64 of shape (m, 2), the lower row first.

    Args:
        hashes: in eight orientations, shape (n, 8).
        embeddings: unit vectors, shape (n, dim).
    """
    import numpy as np

    pairs = np.concatenate([_by_hash(hashes), _by_embedding(embeddings)])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs.sort(axis=1)
    keys = np.unique(pairs[:, 0] * len(hashes) + pairs[:, 1])
    return np.stack(np.divmod(keys, max(1, len(hashes))), axis=1)


def _by_hash(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs of which one's hash is near to the other's in any orientation."""
    import numpy as np

    upright = hashes[:, 0]
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(_BANDS):
        keys = _band(upright, band)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for turned in hashes.T:
            place = np.searchsorted(keys, _band(turned, band))
            for step in range(_NEXT):
                rows = np.flatnonzero(place + step < len(keys))
                other = order[place[rows] + step]
                near = np.bitwise_count(turned[rows] ^ upright[other]) <= _HASH_MOST
                found.append(np.stack([rows[near], other[near]], axis=1))
    return np.concatenate(found)


def _band(hashes: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    import numpy as np

    shifted: NDArray[np.uint64] = (hashes >> np.uint64(band * _BAND_BITS)) & np.uint64(
        (1 << _BAND_BITS) - 1
    )
    return shifted


def _by_embedding(embeddings: NDArray[np.float16]) -> NDArray[np.int64]:
    """Each row with those nearest to it, in the nearest cells."""
    import faiss
    import numpy as np

    count, dim = embeddings.shape
    if count == 0:
        return np.empty((0, 2), dtype=np.int64)
    rows = embeddings.astype(np.float32)
    index: Any = faiss.IndexFlatIP(dim)
    if count > _EXHAUSTIVE:
        cells = count // _CELL
        quantizer = faiss.IndexFlatIP(dim)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, dim, cells, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.nprobe = 6, _PROBES
        sample = np.random.default_rng(0).permutation(count)[: _TRAINED * cells]
        index.train(rows[np.sort(sample)])
    index.add(rows)
    _, nearest = index.search(rows, min(_NEAREST, count))
    pairs = np.stack([np.repeat(np.arange(count), nearest.shape[1]), nearest.ravel()], axis=1)
    return pairs[pairs[:, 1] >= 0]
