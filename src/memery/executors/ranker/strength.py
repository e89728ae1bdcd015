"""Strength: a score calibrated against the background of the archive for the same query.

Cosines are not comparable: they lie around 0.25 for one model, around 0.1 for another, and their
level depends on the query. docs/decisions/0007-strength.md has the alternatives and the figures
behind the constants.

    strength(score) = (score - level) / unit - sqrt(2 ln n)

level: the lower quartile of the n background scores. It stays the same even if about half of the
folder matches the query.
unit: the geometric mean of two standard deviations: that of the scores below the level, shrunk
towards the other if there are few images; and that of random directions, 1 / sqrt(dim).
sqrt(2 ln n): the expected maximum of n normal deviates (Gumbel 1958).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEAK = 3.5
"""Hits below this strength are weak."""
_LEVEL = 0.25
_BELOW_LEVEL = 1.294
"""Standard deviation of a normal distribution, relative to the RMS distance of values below its
lower quartile from it."""
_PRIOR_IMAGES = 30
"""Weight of the deviation of random directions, as a number of images.

With fewer images this prior dominates the unit, and the level is uncertain by a quarter of a
deviation, so an archive without strong hits may still have matches.
"""


@dataclass(frozen=True, slots=True)
class Background:
    """The distribution of scores of images that do not match the query.

    Attributes:
        level: their lower quartile.
        unit: score difference of one unit of strength, positive.
        chance: expected maximum by chance, in units above the level.
        count: number of sampled scores.
    """

    level: float
    unit: float
    chance: float
    count: int

    @classmethod
    def of(cls, scores: NDArray[np.float32], dim: int, images: int = 0) -> Background:
        """Estimate the background.

        Args:
            scores: sampled cosines, float32 of shape (n,); n may be 0.
            dim: dimension of the space.
            images: number of images in the archive.
        """
        import numpy as np

        prior = 1 / dim
        if not len(scores):
            return cls(0.0, math.sqrt(prior), 0.0, 0)
        level = _lower_quartile(np.sort(scores))
        below = scores[scores < level] - level
        seen = _BELOW_LEVEL**2 * float(np.square(below).mean()) if len(below) else 0.0
        count = len(scores)
        variance = (count * seen + _PRIOR_IMAGES * prior) / (count + _PRIOR_IMAGES)
        chance = math.sqrt(2 * math.log(max(count, images)))
        return cls(level, (variance * prior) ** 0.25, chance, count)

    @property
    def can_tell(self) -> bool:
        """Whether an archive without strong hits has no match."""
        return self.count >= _PRIOR_IMAGES

    def strength(self, score: float) -> float:
        """The strength of a score."""
        return (score - self.level) / self.unit - self.chance

    def score(self, strength: float) -> float:
        """The score that has this strength."""
        return self.level + (strength + self.chance) * self.unit


def _lower_quartile(ordered: NDArray[np.float32]) -> float:
    """The result of numpy.quantile, which would import numpy.ma (6 ms)."""
    below, part = divmod(_LEVEL * (len(ordered) - 1), 1)
    first, second = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return float(first + part * (second - first))
