"""Retrieval: the candidates of a search by vector, text and names, from one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memery.errors import QueryError
from memery.executors.ranker.corrections import correct, optional_terms
from memery.executors.ranker.fusion import (
    DEPTH,
    EXACT_FILE_NAME_WEIGHT,
    EXACT_FOLDER_NAME_WEIGHT,
    LITERAL_NAME_FACTOR,
    QUOTED_NAME_FACTOR,
    Candidate,
    fuse,
)
from memery.query.options import SearchOptions
from memery.query.text_search.names import matches_name
from memery.query.text_search.query_words import QueryWords
from memery.stores.derived import content_key, scores_of
from memery.stores.interface import SearchSnapshot
from memery.stores.records import Groups, Match, Space, TextSearch, VectorSearch
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXT_MATCHES_MAX = 1000
"""Images ranked by their text in addition to their vector.

Matches of a name have no limit, because each of them is strong."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The candidates of a search.

    Attributes:
        candidates: best first.
        total: images that pass the filter.
        above: images whose score is strong; 0 if they were not counted.
        cut: the terms, if more texts contain all of them than were ranked by text.
        is_complete: no match is missing among the candidates.
    """

    candidates: Sequence[Candidate]
    total: int
    above: int = 0
    cut: Groups = ()
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class _TextMatches:
    """Images found by words.

    Attributes:
        texts: images whose text contains terms.
        names: images whose name contains all terms.
        exact_names: weights of the images whose file or folder name is a text of the query.
        is_sure: as in `correct`.
        cut: as in `Retrieved`.
    """

    texts: Sequence[Match] = ()
    names: Sequence[ImageFile] = ()
    exact_names: Mapping[ImageFile, float] = field(default_factory=dict)
    is_sure: bool = True
    cut: Groups = ()


class Retriever:
    """Finds the candidates of one search.

    Args:
        snapshot: the snapshot to search.
        space: the space of the vector.
        vector: float32 of shape (dim,), L2-normalised.
        words: the words and names to look for.
        options: how hits are chosen.
    """

    def __init__(
        self,
        snapshot: SearchSnapshot,
        space: Space,
        vector: NDArray[np.float32],
        words: QueryWords,
        options: SearchOptions,
    ) -> None:
        self._snapshot = snapshot
        self._space = space
        self._vector = vector
        self._words = words
        self._options = options
        self._fold = not options.list_copies

    def by_words(self) -> Retrieved:
        """Find only images whose text or name contains words of the query.

        Raises:
            QueryError: the query has no words.
        """
        terms = self._words.content or self._words.every
        matches = _TextMatches(exact_names=self._exact_names())
        if not terms and not matches.exact_names:
            raise QueryError("Mode text needs words to look for: give a text.")
        if terms:
            groups, _ = correct(self._snapshot, terms, eager=True)
            matches = replace(
                matches,
                texts=self._search_text(groups, None),
                names=self._search_names(groups),
            )
        candidates = self._fused([], matches, len(terms))
        return Retrieved(candidates, len(candidates))

    def by_all(self, min_score: float | None, strong_score: float) -> Retrieved:
        """Find images by vector, text and name.

        Args:
            min_score: find every image with this score or more; None finds enough for the page.
            strong_score: without `min_score`, count the images with this score or more.
        """
        matches = self._by_text(_TEXT_MATCHES_MAX if min_score is None else None)
        limit = self._options.offset + self._options.top_k
        if matches.texts or matches.names or matches.exact_names:
            limit = max(limit, DEPTH)
        request = VectorSearch(
            vector=self._vector,
            filter=self._options.filter,
            limit=limit,
            fold=self._fold,
            min_score=strong_score if min_score is None else None,
        )
        found = self._snapshot.search(self._space, request)
        while min_score is not None and (
            len(found.ranked) == limit and found.ranked[-1][1] >= min_score
        ):
            limit *= 4
            found = self._snapshot.search(self._space, replace(request, limit=limit))
        candidates = self._fused(found.ranked, matches, len(self._words.content))
        is_complete = min_score is not None
        return Retrieved(candidates, found.total, found.above or 0, matches.cut, is_complete)

    def count_with_all_terms(self, below: float) -> int:
        """Count the images that contain every word of the query and have a score below `below`."""
        phrases = (" ".join(word) for word in self._words.content)
        every = replace(self._options.filter, quoted=(*self._options.filter.quoted, *phrases))
        request = VectorSearch(
            vector=self._vector, filter=every, limit=1, fold=self._fold, min_score=below
        )
        found = self._snapshot.search(self._space, request)
        return found.total - (found.above or 0)

    def _by_text(self, limit: int | None) -> _TextMatches:
        if self._options.mode == "visual":
            return _TextMatches()
        exact_names, terms = self._exact_names(), self._words.content
        if not terms:
            return _TextMatches(exact_names=exact_names)
        groups, is_sure = correct(self._snapshot, terms, eager=False)
        texts = self._search_text(groups, limit)
        names = self._search_names(groups if is_sure else [[phrase] for phrase in terms])
        cut = groups if is_sure and len(texts) == limit else ()
        return _TextMatches(texts, names, exact_names, is_sure, cut)

    def _search_text(self, groups: Groups, limit: int | None) -> Sequence[Match]:
        request = TextSearch(
            terms=groups,
            filter=self._options.filter,
            limit=limit,
            optional_terms=optional_terms(self._words, groups),
        )
        return self._snapshot.search_text(self._space, request)

    def _search_names(self, groups: Groups) -> Sequence[ImageFile]:
        return self._snapshot.search_names(self._space, groups, self._options.filter)

    def _exact_names(self) -> dict[ImageFile, float]:
        """Weights of the images whose file or folder name is a text of the query.

        A name that equals a text as typed, with its boost, dash or quotation marks, outweighs one
        that equals the text alone.
        """
        weights: dict[ImageFile, float] = {}
        words, filter_ = self._words, self._options.filter
        for names, factor in (
            (words.names, 1),
            ([f'"{name}"' for name in words.names], QUOTED_NAME_FACTOR),
            (words.literal_names, LITERAL_NAME_FACTOR),
        ):
            for name in names:
                for image in self._snapshot.search_paths(self._space, name, filter_):
                    is_file = matches_name(image.path, name)
                    weight = EXACT_FILE_NAME_WEIGHT if is_file else EXACT_FOLDER_NAME_WEIGHT
                    weights[image] = max(factor * weight, weights.get(image, 0))
        return weights

    def _fused(
        self, visual: Sequence[tuple[ImageFile, float]], matches: _TextMatches, term_count: int
    ) -> list[Candidate]:
        names = [*matches.exact_names, *matches.names]
        digests = {image.digest for image in (*(match.image for match in matches.texts), *names)}
        scores = scores_of(self._snapshot, self._space, self._vector, digests) if digests else {}
        return fuse(
            visual,
            matches.texts,
            names,
            {image.path: weight for image, weight in matches.exact_names.items()},
            scores,
            term_count,
            content_key if self._fold else _path,
            is_sure=matches.is_sure,
        )


def _path(image: ImageFile) -> str:
    return image.path
