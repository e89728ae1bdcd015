"""Whether two pictures are one, by their miniatures: cut, framed, captioned, turned or mirrored.

Two miniatures match where one whole picture, in one of eight orientations, is found in a window of
the other. Coarse windows are tried first; the best one is then fitted (Lucas and Kanade 1981,
for windows with sides along the picture's), and what is left after that decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memery.imaging.perceptual_hash import SIDE, orientations

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_COARSE = 8
_COARSE_LEAST = 0.8
"""Correlation of 8 × 8 pixels that makes fitting worth while."""
_STEPS = 4
"""Of fitting: the windows tried first lie a pixel or two from the right ones."""
_WHOLE = 0.03
"""How far a window may be from the whole picture and count as the whole."""
_LEAST = 0.93
"""Correlation of miniatures, fitted, of pictures that are one."""
_EDGES_WHOLE, _EDGES_CUT = 0.94, 0.86
"""Likewise of the differences between neighbouring pixels, if the window is the whole picture, and
if it is cut: then pixels lie across one another. Evaluated, as is the next."""
_PATCHES_WHOLE, _PATCHES_CUT = 0.95, 0.82
"""Likewise within the patches of the picture, but for a few of them, which a watermark may cover.
Other words on the same picture cover more."""
_PATCH, _COVERED = 4, 1 / 7
"""Side of a patch, pixels, and the share of the patches that may be covered."""
_PLAIN = 0.02
"""Variance, of the picture's, of a patch that shows nothing."""
_FEWEST = 8
"""Patches that show something: a picture of fog is like any other."""
_RIM = 2
"""Pixels that what lies outside a window shines into."""
_PAIRS = 4096
"""Compared at a time: this bounds the memory."""
_CUTS = (0.0, 0.05, 0.1)
_BARS = (0.12, 0.2, 0.28)
_WINDOWS = (
    *((cut, cut, 1 - cut, 1 - cut) for cut in _CUTS),
    *((0.0, bar, 1.0, 1.0) for bar in _BARS),
    *((0.0, 0.0, 1.0, 1 - bar) for bar in _BARS),
    *((bar, 0.0, 1.0, 1.0) for bar in _BARS),
    *((0.0, 0.0, 1 - bar, 1.0) for bar in _BARS),
)
"""Left, top, right, bottom: the whole, its middle, and all but a bar. Bars at the sides are for
pictures that were turned after they were captioned."""


def verify_pairs(miniatures: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs are one picture.

    Args:
        miniatures: uint8 of shape (n, SIDE, SIDE).
        pairs: rows of miniatures, shape (m, 2).
    """
    import numpy as np

    found = np.zeros(len(pairs), dtype=np.bool_)
    numbers, rows = np.unique(pairs, return_inverse=True)
    rows, pictures = rows.reshape(pairs.shape), miniatures[numbers]
    blocks = range(0, len(pictures), _PAIRS)
    windows = [_described(pictures[start : start + _PAIRS]) for start in blocks]
    described = np.concatenate([*windows, np.empty((0, len(_WINDOWS), _COARSE**2), np.float16)])
    for start in range(0, len(pairs), _PAIRS):
        part = slice(start, start + _PAIRS)
        found[part] = _matches(pictures, described, rows[part])
    return found


def _described(miniatures: NDArray[np.uint8]) -> NDArray[np.float16]:
    """A descriptor of each window: float16 of shape (n, windows, _COARSE²)."""
    import numpy as np

    wholes = miniatures.astype(np.float32)
    seen = np.stack([_shrunk(wholes, window) for window in _WINDOWS], axis=1)
    return _descriptors(seen).astype(np.float16)


def _matches(
    miniatures: NDArray[np.uint8], described: NDArray[np.float16], pairs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    import numpy as np

    found = np.zeros(len(pairs), dtype=np.bool_)
    for one, two in (pairs.T, pairs.T[::-1]):
        squares = described[one, 0].astype(np.float32).reshape(-1, _COARSE, _COARSE)
        views = np.stack(orientations(squares), axis=1).reshape(len(pairs), -1, _COARSE**2)
        scores = views @ described[two].astype(np.float32).transpose(0, 2, 1)
        flat = scores.reshape(len(pairs), -1)
        tried = np.flatnonzero((flat.max(axis=1) > _COARSE_LEAST) & ~found)
        if not len(tried):
            continue
        view, window = np.divmod(flat[tried].argmax(axis=1), len(_WINDOWS))
        turned = np.stack(orientations(miniatures[one[tried]].astype(np.float32)), axis=1)
        starts = np.array(_WINDOWS, dtype=np.float32)[window]
        wholes = miniatures[two[tried]].astype(np.float32)
        found[tried] = _same(turned[np.arange(len(tried)), view], wholes, starts)
    return found


def _same(templates: Floats, pictures: Floats, windows: Floats) -> NDArray[np.bool_]:
    """Whether each template is a window of its picture, near the window to begin with."""
    import numpy as np

    templates, pictures = _softened(templates), _softened(pictures)
    centre = (windows[:, 2:] + windows[:, :2]) / 2
    extent = windows[:, 2:] - windows[:, :2]
    fitted = _fitted(templates, pictures, np.concatenate([centre, extent], axis=1))
    inner = np.s_[:, _RIM:-_RIM, _RIM:-_RIM]
    one, two = (_normalised(seen[inner]) for seen in (templates, _sampled(pictures, fitted)))
    whole = (np.abs(fitted - (0.5, 0.5, 1, 1)) < _WHOLE).all(axis=1)
    alike = (one * two).mean(axis=(1, 2))
    same: NDArray[np.bool_] = alike > _LEAST
    same &= _edges(one, two) > np.where(whole, _EDGES_WHOLE, _EDGES_CUT)
    same &= _patches(one, two) > np.where(whole, _PATCHES_WHOLE, _PATCHES_CUT)
    return same


def _fitted(templates: Floats, pictures: Floats, windows: Floats) -> Floats:
    """Windows (centre x, y, width, height) moved to where the templates correlate best."""
    import numpy as np

    across = ((np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5)[None, None, :]
    down = across.transpose(0, 2, 1)
    slope_y, slope_x = (np.gradient(pictures, 1 / SIDE, axis=axis) for axis in (1, 2))
    target = _normalised(templates)
    best, best_alike = windows, np.full(len(windows), -1, dtype=np.float32)
    for _ in range(_STEPS):
        seen = _sampled(pictures, windows)
        spread = np.maximum(seen.std(axis=(1, 2), keepdims=True), 1)
        normal = (seen - seen.mean(axis=(1, 2), keepdims=True)) / spread
        alike = (normal * target).mean(axis=(1, 2))
        better = alike > best_alike
        best = np.where(better[:, None], windows, best)
        best_alike = np.maximum(alike, best_alike)
        right, below = (_sampled(slope, windows) / spread for slope in (slope_x, slope_y))
        slopes = np.stack([right, below, right * across, below * down], axis=-1)
        slopes = slopes.reshape(len(windows), -1, 4)
        slopes -= slopes.mean(axis=1, keepdims=True)
        rest = (target - normal).reshape(len(windows), -1, 1)
        square = slopes.transpose(0, 2, 1) @ slopes + 1e-2 * np.eye(4, dtype=np.float32)
        step = np.linalg.solve(square, slopes.transpose(0, 2, 1) @ rest)[..., 0]
        windows = windows + np.clip(step, -0.06, 0.06)
        windows = np.clip(windows, [0.3, 0.3, 0.6, 0.6], [0.7, 0.7, 1.1, 1.1]).astype(np.float32)
    return best


def _sampled(pictures: Floats, windows: Floats) -> Floats:
    """Windows of pictures, SIDE × SIDE, by linear interpolation."""
    across = _interpolation(windows[:, 0], windows[:, 2])
    down = _interpolation(windows[:, 1], windows[:, 3])
    return down @ pictures @ across.transpose(0, 2, 1)


def _interpolation(centre: Floats, extent: Floats) -> Floats:
    """Weights of shape (n, SIDE, SIDE) of a line's pixels for the pixels of its window."""
    import numpy as np

    pixels = np.arange(SIDE, dtype=np.float32)
    places = centre[:, None] + extent[:, None] * ((pixels + 0.5) / SIDE - 0.5)
    places = np.clip(places * SIDE - 0.5, 0, SIDE - 1)
    weights: Floats = np.maximum(0, 1 - np.abs(places[:, :, None] - pixels))
    return weights


def _shrunk(pictures: Floats, window: tuple[float, float, float, float]) -> Floats:
    """A window of each picture, as means of _COARSE × _COARSE areas."""
    left, top, right, bottom = window
    return _areas(top, bottom) @ pictures @ _areas(left, right).T


def _areas(start: float, stop: float) -> Floats:
    import numpy as np

    edges = SIDE * np.linspace(start, stop, _COARSE + 1, dtype=np.float32)
    pixels = np.arange(SIDE, dtype=np.float32)
    first, last = edges[:-1, None], edges[1:, None]
    covered = np.clip(np.minimum(last, pixels + 1) - np.maximum(first, pixels), 0, None)
    weights: Floats = covered / covered.sum(axis=1, keepdims=True)
    return weights


def _descriptors(areas: Floats) -> Floats:
    """Vectors whose products are correlations."""
    import numpy as np

    flat = areas.reshape(*areas.shape[:-2], -1)
    flat = flat - flat.mean(axis=-1, keepdims=True)
    unit: Floats = flat / (np.linalg.norm(flat, axis=-1, keepdims=True) + 1)
    return unit


def _softened(pictures: Floats) -> Floats:
    """Blurred by 1-2-1, so that sharpness counts for less."""
    import numpy as np

    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    soft: Floats = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    return soft


def _normalised(pictures: Floats) -> Floats:
    """Mean 0 and deviation 1; one colour all over stays near 0."""
    import numpy as np

    flat = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    normal: Floats = flat / np.maximum(flat.std(axis=(1, 2), keepdims=True), 1)
    return normal


def _edges(one: Floats, two: Floats) -> Floats:
    """Correlation of the differences between neighbours."""
    import numpy as np

    total, squares = np.zeros(len(one), np.float32), np.full(len(one), 1e-6, np.float32)
    squares_two = squares.copy()
    for axis in (1, 2):
        a, b = (np.diff(seen, axis=axis) for seen in (one, two))
        # A sky's even slope is no likeness.
        a, b = (steps - steps.mean(axis=(1, 2), keepdims=True) for steps in (a, b))
        total += (a * b).sum(axis=(1, 2))
        squares += (a * a).sum(axis=(1, 2))
        squares_two += (b * b).sum(axis=(1, 2))
    alike: Floats = total / np.sqrt(squares * squares_two)
    return alike


def _patches(one: Floats, two: Floats) -> Floats:
    """The least correlation within a patch, but for the share that may be covered; 0 for fog."""
    import numpy as np

    one, two = _cut(one), _cut(two)
    one, two = (seen - seen.mean(axis=2, keepdims=True) for seen in (one, two))
    spread, spread_two = (one**2).mean(axis=2), (two**2).mean(axis=2)
    alike = (one * two).mean(axis=2) / np.sqrt(spread * spread_two + 1e-6)
    shown = np.maximum(spread, spread_two) > _PLAIN
    ordered = np.sort(np.where(shown, alike, 1), axis=1)
    least: Floats = ordered[:, int(_COVERED * ordered.shape[1])]
    return np.where(shown.sum(axis=1) < _FEWEST, 0, least)


def _cut(pictures: Floats) -> Floats:
    """Patches of shape (n, count, _PATCH²)."""
    count = pictures.shape[1] // _PATCH
    split = pictures.reshape(-1, count, _PATCH, count, _PATCH).transpose(0, 1, 3, 2, 4)
    return split.reshape(len(pictures), count * count, _PATCH * _PATCH)
