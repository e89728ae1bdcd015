"""Reciprocal rank fusion of several rankings (Cormack, Clarke and Büttcher 2009).

Each ranking adds weight / (60 + rank). Only the first `DEPTH` visual ranks count, so that the order
does not depend on the number of hits requested. Images beyond them keep their visual order.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from memery.stores.records import Match
from memery.types import ImageFile, Signal

_K = 60
"""The constant k of the paper."""
DEPTH = 500
"""How many visual ranks are fused with other rankings."""
TEXT_WEIGHT = 1.5
"""An image whose text contains all words outweighs the first visual rank."""
PHRASE_WEIGHT = 1.0
"""A text that contains the words consecutively, as in the query, counts twice."""
UNSURE_FACTOR = 1 / 3
"""Factor of the text weight if the corrected words may not be what the user meant."""
NAME_WEIGHT = 0.5
EXACT_FILE_NAME_WEIGHT, EXACT_FOLDER_NAME_WEIGHT = 10.0, 5.0
"""A name that equals the query outweighs all other rankings, whose weights add up to 4.5."""
LITERAL_NAME_FACTOR, QUOTED_NAME_FACTOR = 3, 0.95
"""A folder named `a^2` outweighs a file named `a`, which outweighs one named `"a"`."""


@dataclass(slots=True)
class Candidate:
    """An image that may become a hit.

    Attributes:
        image: the image.
        score: cosine of query and image.
        signals: the contribution of each ranking.
        is_certain: a match, whatever its score: all words of the query occur in its text or name,
            its name is the query, or it is an exact copy of an image of the query.
    """

    image: ImageFile
    score: float
    signals: list[Signal] = field(default_factory=list)
    is_certain: bool = False

    @property
    def rrf_score(self) -> float:
        """The sum over all rankings."""
        return sum(signal.rrf_score for signal in self.signals)


def fuse(
    visual: Sequence[tuple[ImageFile, float]],
    texts: Sequence[Match],
    names: Sequence[ImageFile],
    exact_names: Mapping[str, float],
    scores: Mapping[str, float],
    term_count: int,
    key: Callable[[ImageFile], str],
    *,
    is_sure: bool = True,
) -> list[Candidate]:
    """Fuse rankings into one, best first.

    Args:
        visual: images and their scores, best first; their keys are distinct.
        texts: images whose text contains words of the query, best first.
        names: images whose name contains all words of the query or equals it; all rank equally.
        exact_names: by path, the weights of images whose file or folder name equals the query.
        scores: by digest, the scores of the images in `texts` and `names`.
        term_count: the number of words in the query.
        key: images with the same key are one candidate.
        is_sure: the words of `texts` are in the query, or their correction is beyond doubt.
    """
    found = {key(image): Candidate(image, score) for image, score in visual}
    for rank, candidate in enumerate(itertools.islice(found.values(), DEPTH), start=1):
        candidate.signals.append(Signal("visual", rank, 1 / (_K + rank)))

    def candidate_of(image: ImageFile) -> Candidate:
        return found.setdefault(key(image), Candidate(image, scores[image.digest]))

    matches: dict[str, Match] = {}
    for match in texts:
        matches.setdefault(key(match.image), match)
    for rank, match in enumerate(matches.values(), start=1):
        # An image with half of the words gets a quarter of the weight.
        matched, optional = match.matched_terms, match.optional_share
        weight = TEXT_WEIGHT * (matched / term_count) ** 2 * (1 + PHRASE_WEIGHT * optional)
        weight *= 1 if is_sure else UNSURE_FACTOR
        candidate = candidate_of(match.image)
        candidate.signals.append(Signal("text", rank, weight / (_K + rank), matched))
        candidate.is_certain |= is_sure and matched == term_count
    for image in _best_copies(names, exact_names, key):
        rrf_score = exact_names.get(image.path, NAME_WEIGHT) / (_K + 1)
        candidate = candidate_of(image)
        candidate.image = image  # of several copies, the one with this name
        candidate.signals.append(Signal("name", 1, rrf_score, term_count))
        candidate.is_certain = True
    return sorted(found.values(), key=lambda c: (-c.rrf_score, -c.score, os.fsencode(c.image.path)))


def _best_copies(
    names: Sequence[ImageFile], exact_names: Mapping[str, float], key: Callable[[ImageFile], str]
) -> list[ImageFile]:
    """One image of each key: the one whose name has the highest weight."""
    best: dict[str, ImageFile] = {}
    for image in names:
        other = best.setdefault(key(image), image)
        if exact_names.get(image.path, 0) > exact_names.get(other.path, 0):
            best[key(image)] = image
    return list(best.values())
