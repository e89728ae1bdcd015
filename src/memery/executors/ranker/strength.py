"""Strength: how far a score stands out from an archive's own background for the same query.

Cosines do not compare: those of one model lie around 0.25, those of another around 0.1, and each
query has a level of its own. What compares is the distance from the mean of all the archive's
images, in standard deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEAK = 3.0
"""Hits below are called weak."""


@dataclass(frozen=True, slots=True)
class Background:
    """The scores of an archive's images for a query.

    Attributes:
        mean: of the scores.
        deviation: their standard deviation.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, scores: NDArray[np.float32]) -> Background:
        """From scores of shape (n,), which may be none."""
        if not len(scores):
            return cls(0.0, 0.0)
        return cls(float(scores.mean()), float(scores.std()))

    def strength(self, score: float) -> float:
        """Standard deviations above the mean; 0 where all images are alike."""
        return (score - self.mean) / self.deviation if self.deviation else 0.0

    def score(self, strength: float) -> float:
        """The least score of this strength; none reaches a positive one where all are alike."""
        if not self.deviation and strength > 0:
            return math.inf
        return self.mean + strength * self.deviation
