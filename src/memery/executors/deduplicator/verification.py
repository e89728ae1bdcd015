"""Verification of near duplicates by miniatures: cropped, framed, captioned, rotated or mirrored.

Two miniatures match if one of them, in one of eight orientations, matches a window of the other.
Coarse windows are tried first; the best one is refined (Lucas and Kanade 1981, for axis-parallel
windows), and the correlation after refinement decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memery.imaging.perceptual_hash import SIDE, dihedral_views

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_COARSE = 8
_COARSE_MIN = 0.8
"""Minimum correlation of 8 × 8 pixels for refinement."""
_STEPS = 4
"""Refinement steps: the coarse windows are a pixel or two off."""
_WHOLE = 0.03
"""Maximum distance of a window from the whole image to count as the whole."""
_CORRELATION_MIN = 0.93
"""Minimum correlation of refined miniatures."""
_EDGES_WHOLE, _EDGES_CUT = 0.94, 0.86
"""Minimum correlation of differences of neighbouring pixels, for the whole image and for a crop.

In a crop, pixels do not coincide. These thresholds and the next were chosen by evaluation."""
_PATCHES_WHOLE, _PATCHES_CUT = 0.95, 0.82
"""Minimum correlation within patches, except for a few patches that a watermark may cover.

Different text on the same image covers more."""
_PATCH, _COVERED = 4, 1 / 7
"""Side of a patch, pixels, and the share of patches that may be covered."""
_PLAIN_VARIANCE = 0.02
"""Maximum variance of a plain patch, relative to the image."""
_PATCHES_MIN = 8
"""Minimum number of patches that are not plain: plain images all correlate."""
_BORDER = 2
"""Border of a window, pixels, that blur mixes with its surroundings."""
_BLOCK_SIZE = 4096
"""Pairs compared at a time; limits memory use."""
_CUTS = (0.0, 0.05, 0.1)
_BARS = (0.12, 0.2, 0.28)
_WINDOWS = (
    *((cut, cut, 1 - cut, 1 - cut) for cut in _CUTS),
    *((0.0, bar, 1.0, 1.0) for bar in _BARS),
    *((0.0, 0.0, 1.0, 1 - bar) for bar in _BARS),
    *((bar, 0.0, 1.0, 1.0) for bar in _BARS),
    *((0.0, 0.0, 1 - bar, 1.0) for bar in _BARS),
)
"""Left, top, right, bottom: the whole image, its center, and the image without a caption bar.

Bars at the sides are for images that were rotated after captioning."""


def verify_pairs(miniatures: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Verify candidate pairs of near duplicates.

    Args:
        miniatures: uint8 of shape (n, SIDE, SIDE).
        pairs: rows of miniatures, int64 of shape (m, 2).

    Returns:
        bool of shape (m,).
    """
    import numpy as np

    found = np.zeros(len(pairs), dtype=np.bool_)
    numbers, rows = np.unique(pairs, return_inverse=True)
    rows, images = rows.reshape(pairs.shape), miniatures[numbers]
    blocks = range(0, len(images), _BLOCK_SIZE)
    windows = [_window_descriptors(images[start : start + _BLOCK_SIZE]) for start in blocks]
    descriptors = np.concatenate([*windows, np.empty((0, len(_WINDOWS), _COARSE**2), np.float16)])
    for start in range(0, len(pairs), _BLOCK_SIZE):
        part = slice(start, start + _BLOCK_SIZE)
        found[part] = _verify(images, descriptors, rows[part])
    return found


def _window_descriptors(miniatures: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Descriptors of the windows: float16 of shape (n, windows, _COARSE²)."""
    import numpy as np

    wholes = miniatures.astype(np.float32)
    seen = np.stack([_shrink(wholes, window) for window in _WINDOWS], axis=1)
    return _descriptors(seen).astype(np.float16)


def _verify(
    miniatures: NDArray[np.uint8], descriptors: NDArray[np.float16], pairs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    import numpy as np

    found = np.zeros(len(pairs), dtype=np.bool_)
    for one, two in (pairs.T, pairs.T[::-1]):
        squares = descriptors[one, 0].astype(np.float32).reshape(-1, _COARSE, _COARSE)
        views = np.stack(dihedral_views(squares), axis=1).reshape(len(pairs), -1, _COARSE**2)
        scores = views @ descriptors[two].astype(np.float32).transpose(0, 2, 1)
        flat = scores.reshape(len(pairs), -1)
        tried = np.flatnonzero((flat.max(axis=1) > _COARSE_MIN) & ~found)
        if not len(tried):
            continue
        view, window = np.divmod(flat[tried].argmax(axis=1), len(_WINDOWS))
        oriented = np.stack(dihedral_views(miniatures[one[tried]].astype(np.float32)), axis=1)
        starts = np.array(_WINDOWS, dtype=np.float32)[window]
        wholes = miniatures[two[tried]].astype(np.float32)
        found[tried] = _match_windows(oriented[np.arange(len(tried)), view], wholes, starts)
    return found


def _match_windows(templates: Floats, images: Floats, windows: Floats) -> NDArray[np.bool_]:
    """Whether each template matches its image near the given window."""
    import numpy as np

    templates, images = _blur(templates), _blur(images)
    centre = (windows[:, 2:] + windows[:, :2]) / 2
    extent = windows[:, 2:] - windows[:, :2]
    refined = _refine(templates, images, np.concatenate([centre, extent], axis=1))
    inner = np.s_[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
    one, two = (_normalise(seen[inner]) for seen in (templates, _sample(images, refined)))
    whole = (np.abs(refined - (0.5, 0.5, 1, 1)) < _WHOLE).all(axis=1)
    correlation = (one * two).mean(axis=(1, 2))
    same: NDArray[np.bool_] = correlation > _CORRELATION_MIN
    same &= _edges(one, two) > np.where(whole, _EDGES_WHOLE, _EDGES_CUT)
    same &= _patches(one, two) > np.where(whole, _PATCHES_WHOLE, _PATCHES_CUT)
    return same


def _refine(templates: Floats, images: Floats, windows: Floats) -> Floats:
    """Refine windows (center x, y, width, height) to where the templates correlate best."""
    import numpy as np

    across = ((np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5)[None, None, :]
    down = across.transpose(0, 2, 1)
    slope_y, slope_x = (np.gradient(images, 1 / SIDE, axis=axis) for axis in (1, 2))
    target = _normalise(templates)
    best, best_correlation = windows, np.full(len(windows), -1, dtype=np.float32)
    for _ in range(_STEPS):
        seen = _sample(images, windows)
        spread = np.maximum(seen.std(axis=(1, 2), keepdims=True), 1)
        normal = (seen - seen.mean(axis=(1, 2), keepdims=True)) / spread
        correlation = (normal * target).mean(axis=(1, 2))
        better = correlation > best_correlation
        best = np.where(better[:, None], windows, best)
        best_correlation = np.maximum(correlation, best_correlation)
        right, below = (_sample(slope, windows) / spread for slope in (slope_x, slope_y))
        slopes = np.stack([right, below, right * across, below * down], axis=-1)
        slopes = slopes.reshape(len(windows), -1, 4)
        slopes -= slopes.mean(axis=1, keepdims=True)
        rest = (target - normal).reshape(len(windows), -1, 1)
        square = slopes.transpose(0, 2, 1) @ slopes + 1e-2 * np.eye(4, dtype=np.float32)
        step = np.linalg.solve(square, slopes.transpose(0, 2, 1) @ rest)[..., 0]
        windows = windows + np.clip(step, -0.06, 0.06)
        windows = np.clip(windows, [0.3, 0.3, 0.6, 0.6], [0.7, 0.7, 1.1, 1.1]).astype(np.float32)
    return best


def _sample(images: Floats, windows: Floats) -> Floats:
    """Sample windows of images by linear interpolation: shape (n, SIDE, SIDE)."""
    across = _interpolation(windows[:, 0], windows[:, 2])
    down = _interpolation(windows[:, 1], windows[:, 3])
    return down @ images @ across.transpose(0, 2, 1)


def _interpolation(centre: Floats, extent: Floats) -> Floats:
    """Interpolation weights along one axis: shape (n, SIDE, SIDE)."""
    import numpy as np

    pixels = np.arange(SIDE, dtype=np.float32)
    places = centre[:, None] + extent[:, None] * ((pixels + 0.5) / SIDE - 0.5)
    places = np.clip(places * SIDE - 0.5, 0, SIDE - 1)
    weights: Floats = np.maximum(0, 1 - np.abs(places[:, :, None] - pixels))
    return weights


def _shrink(images: Floats, window: tuple[float, float, float, float]) -> Floats:
    """A window of each image, averaged to _COARSE × _COARSE pixels."""
    left, top, right, bottom = window
    return _area_weights(top, bottom) @ images @ _area_weights(left, right).T


def _area_weights(start: float, stop: float) -> Floats:
    import numpy as np

    edges = SIDE * np.linspace(start, stop, _COARSE + 1, dtype=np.float32)
    pixels = np.arange(SIDE, dtype=np.float32)
    first, last = edges[:-1, None], edges[1:, None]
    covered = np.clip(np.minimum(last, pixels + 1) - np.maximum(first, pixels), 0, None)
    weights: Floats = covered / covered.sum(axis=1, keepdims=True)
    return weights


def _descriptors(areas: Floats) -> Floats:
    """Vectors whose dot products are correlations."""
    import numpy as np

    flat = areas.reshape(*areas.shape[:-2], -1)
    flat = flat - flat.mean(axis=-1, keepdims=True)
    unit: Floats = flat / (np.linalg.norm(flat, axis=-1, keepdims=True) + 1)
    return unit


def _blur(images: Floats) -> Floats:
    """Blur with a 1-2-1 kernel, so that sharpness matters less."""
    import numpy as np

    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    soft: Floats = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return soft


def _normalise(images: Floats) -> Floats:
    """Normalise to mean 0 and standard deviation 1; a plain image stays near 0."""
    import numpy as np

    flat = images - images.mean(axis=(1, 2), keepdims=True)
    normal: Floats = flat / np.maximum(flat.std(axis=(1, 2), keepdims=True), 1)
    return normal


def _edges(one: Floats, two: Floats) -> Floats:
    """Correlation of the differences between neighbouring pixels."""
    import numpy as np

    total, squares = np.zeros(len(one), np.float32), np.full(len(one), 1e-6, np.float32)
    squares_two = squares.copy()
    for axis in (1, 2):
        a, b = (np.diff(seen, axis=axis) for seen in (one, two))
        # Ignore even gradients, such as a sky.
        a, b = (steps - steps.mean(axis=(1, 2), keepdims=True) for steps in (a, b))
        total += (a * b).sum(axis=(1, 2))
        squares += (a * a).sum(axis=(1, 2))
        squares_two += (b * b).sum(axis=(1, 2))
    correlation: Floats = total / np.sqrt(squares * squares_two)
    return correlation


def _patches(one: Floats, two: Floats) -> Floats:
    """The lowest correlation of a patch, except for covered patches; 0 for plain images."""
    import numpy as np

    one, two = _split_patches(one), _split_patches(two)
    one, two = (seen - seen.mean(axis=2, keepdims=True) for seen in (one, two))
    spread, spread_two = (one**2).mean(axis=2), (two**2).mean(axis=2)
    correlation = (one * two).mean(axis=2) / np.sqrt(spread * spread_two + 1e-6)
    shown = np.maximum(spread, spread_two) > _PLAIN_VARIANCE
    ordered = np.sort(np.where(shown, correlation, 1), axis=1)
    least: Floats = ordered[:, int(_COVERED * ordered.shape[1])]
    return np.where(shown.sum(axis=1) < _PATCHES_MIN, 0, least)


def _split_patches(images: Floats) -> Floats:
    """Split images into patches: shape (n, count, _PATCH²)."""
    count = images.shape[1] // _PATCH
    split = images.reshape(-1, count, _PATCH, count, _PATCH).transpose(0, 1, 3, 2, 4)
    return split.reshape(len(images), count * count, _PATCH * _PATCH)
