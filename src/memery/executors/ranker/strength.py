"""Strength: how far a score stands out from an archive's own background for the same query.

Cosines do not compare: those of one model lie around 0.25, those of another around 0.1, and each
query has a level of its own. Decision 7 has what was tried, and the figures behind the constants.

    strength(score) = (score - level) / unit - sqrt(2 ln n)

level: the lower quartile of the n background scores. Up to about half of a folder may show what
was asked for without moving it.
unit: the geometric mean of two deviations. One is seen: that of the scores below the level, drawn
towards the other where few images are. The other is that of unrelated directions: 1 / sqrt(dim).
sqrt(2 ln n): what the best of n normal deviates reaches by chance (Gumbel 1958).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEAK = 3.5
"""Hits below are called weak."""
_LEVEL = 0.25
_BELOW_LEVEL = 1.294
"""A normal deviation, in root mean squares of the distances from the lower quartile down."""
_PRIOR_IMAGES = 30
"""As many images as the deviation of unrelated directions counts for.

Among fewer, the unit is rather that assumption than what was seen, and the level is known to no
better than a quarter of a deviation: that nothing stands out there proves nothing.
"""


@dataclass(frozen=True, slots=True)
class Background:
    """What the scores of an archive's images are for a query that they do not fit.

    Attributes:
        level: their lower quartile.
        unit: of strength, as a difference of scores; more than 0.
        chance: what the best of them reaches by chance, in units above the level.
        count: how many scores this is known from.
    """

    level: float
    unit: float
    chance: float
    count: int

    @classmethod
    def of(cls, scores: NDArray[np.float32], dim: int, images: int = 0) -> Background:
        """From scores of shape (n,), which may be none, in a space of dim numbers.

        They may be a sample of those of more images.
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
        """Whether that nothing stands out means that nothing matches."""
        return self.count >= _PRIOR_IMAGES

    def strength(self, score: float) -> float:
        """Units above what chance gives; grows with the score."""
        return (score - self.level) / self.unit - self.chance

    def score(self, strength: float) -> float:
        """The score that has this strength."""
        return self.level + (strength + self.chance) * self.unit


def _lower_quartile(ordered: NDArray[np.float32]) -> float:
    """As numpy.quantile has it, which imports numpy.ma: 6 ms of a new process."""
    below, part = divmod(_LEVEL * (len(ordered) - 1), 1)
    first, second = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return float(first + part * (second - first))
