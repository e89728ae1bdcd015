"""Several rankings made one: reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).

Each ranking adds weight / (60 + rank). Only the first `DEPTH` ranks by sight count, so that the
order of an image does not depend on how many hits are asked for; what no ranking adds to keeps its
order by sight.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from memery.stores.records import Match
from memery.types import ImageFile, Signal

_CONSTANT = 60
"""Of the paper."""
DEPTH = 500
"""Ranks by sight that count when there is anything else to fuse them with."""
TEXT_WEIGHT = 1.5
"""All the words in the text of a picture outweigh the first rank by sight."""
PHRASE_WEIGHT = 1.0
"""A text that has them one after another as the query does counts twice."""
DOUBT = 1 / 3
"""What is left of a text's weight where its words may not be what was meant."""
NAME_WEIGHT = 0.5
EXACT_FILE_NAME_WEIGHT, EXACT_FOLDER_NAME_WEIGHT = 10.0, 5.0
"""The name itself, not words of it: more than all other rankings together, which make 4.5."""
BOOSTED_NAME_FACTOR = 3
"""A folder called `a^2` outweighs a file called `a`."""


@dataclass(slots=True)
class Candidate:
    """An image under way to being a hit.

    Attributes:
        image: the image.
        score: its cosine.
        signals: what ranked it, and how.
        is_certain: a match whatever its score: all the words of the query stand in its text or its
            name, it is called so, or it is an exact copy of an image of the query.
    """

    image: ImageFile
    score: float
    signals: list[Signal] = field(default_factory=list)
    is_certain: bool = False

    @property
    def rrf_score(self) -> float:
        """What all rankings add up to."""
        return sum(signal.rrf_score for signal in self.signals)


def fuse(
    visual: Sequence[tuple[ImageFile, float]],
    texts: Sequence[Match],
    names: Sequence[ImageFile],
    called: Mapping[str, float],
    scores: Mapping[str, float],
    asked: int,
    key: Callable[[ImageFile], str],
    *,
    is_sure: bool = True,
) -> list[Candidate]:
    """One order, best first.

    Args:
        visual: images by sight, with their scores.
        texts: images whose text holds words of the query, best first.
        names: images whose names hold all of its words, or are the query; none is better than
            another.
        called: the weight of each of those whose name, or whose folder's name, is the query, by
            path.
        scores: of every content among texts and names, by digest.
        asked: how many words the query has.
        key: what images that are one candidate have in common; in visual no two have it.
        is_sure: the words of texts are what was asked for, not corrections in doubt.
    """
    found = {key(image): Candidate(image, score) for image, score in visual}
    for rank, (image, _) in enumerate(visual[:DEPTH], start=1):
        found[key(image)].signals.append(Signal("visual", rank, 1 / (_CONSTANT + rank)))

    def candidate_of(image: ImageFile) -> Candidate:
        return found.setdefault(key(image), Candidate(image, scores[image.digest]))

    matches: dict[str, Match] = {}
    for match in texts:
        matches.setdefault(key(match.image), match)
    for rank, match in enumerate(matches.values(), start=1):
        # A picture with half of the words is worth a quarter: the rest is what it does not say.
        matched, optional = match.matched_terms, match.optional_share
        weight = TEXT_WEIGHT * (matched / asked) ** 2 * (1 + PHRASE_WEIGHT * optional)
        weight *= 1 if is_sure else DOUBT
        candidate = candidate_of(match.image)
        candidate.signals.append(Signal("text", rank, weight / (_CONSTANT + rank), matched))
        candidate.is_certain |= is_sure and matched == asked
    named: dict[str, ImageFile] = {}
    for image in names:
        other = named.setdefault(key(image), image)
        if called.get(image.path, 0) > called.get(other.path, 0):
            named[key(image)] = image
    for image in named.values():
        rrf_score = called.get(image.path, NAME_WEIGHT) / (_CONSTANT + 1)
        candidate = candidate_of(image)
        candidate.image = image  # of several copies the one that is called so
        candidate.signals.append(Signal("name", 1, rrf_score, asked))
        candidate.is_certain = True
    return sorted(found.values(), key=lambda c: (-c.rrf_score, -c.score, os.fsencode(c.image.path)))
