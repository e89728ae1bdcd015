"""Ranker: retrieves, filters, fuses and sorts images, and returns one page of hits."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.executors.ranker.fusion import Candidate
from memery.executors.ranker.retrieval import Retrieved, Retriever
from memery.executors.ranker.strength import WEAK, Background
from memery.executors.types import Ranked
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.text_search.query_words import QueryWords
from memery.query.text_search.splitting import split_text
from memery.query.text_search.tokens import tokens
from memery.stores import no_match
from memery.stores.derived import count, exact_copies
from memery.stores.interface import Searchable, SearchSnapshot
from memery.stores.records import Groups, Space
from memery.types import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Ranker:
    """Ranks by cosine, and by the words in the texts and names of images.

    Args:
        archive: the archive that is searched.
        store: its store.
    """

    def __init__(self, archive: Archive, store: Searchable) -> None:
        self._root = os.fspath(archive.root)
        self._prefix = Filter(archive.scope).prefix
        self._store = store

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """Rank images.

        Args:
            space: the space of the vector.
            vector: float32 of shape (dim,), L2-normalised.
            words: the words, names and exact copies to look for.
            options: how hits are chosen.

        Raises:
            QueryError: mode "text" without words to look for.
        """
        with self._store.snapshot() as snapshot:
            ranking = _Ranking(self._root, self._prefix, snapshot, space, words, options)
            return ranking.rank(vector)


class _Ranking:
    """Ranks the images of one snapshot for one search.

    Args:
        root: the archive's root.
        prefix: prefix of the paths in the searched folder.
        snapshot: the snapshot to search.
        space: the space of the query vector.
        words: the words, names and exact copies to look for.
        options: how hits are chosen.
    """

    def __init__(
        self,
        root: str,
        prefix: str,
        snapshot: SearchSnapshot,
        space: Space,
        words: QueryWords,
        options: SearchOptions,
    ) -> None:
        self._root = root
        self._prefix = prefix
        self._snapshot = snapshot
        self._space = space
        self._words = words
        # Images without the quoted words do not pass, so those that pass are never weak.
        self._must_match = options.mode != "visual" and bool(words.quoted)
        self._text_only = options.mode == "text" and not words.quoted
        if self._must_match:
            quoted = (*options.filter.quoted, *words.quoted)
            options = replace(options, filter=replace(options.filter, quoted=quoted))
        self._options = options

    def rank(self, vector: NDArray[np.float32]) -> Ranked:
        """Rank images by a vector: float32 of shape (dim,), L2-normalised."""
        options = self._options
        background = self._background(vector)
        strong_score, min_score = background.score(WEAK), None
        if options.min_strength is not None and not self._must_match:
            min_score = background.score(options.min_strength)
        threshold = min_score
        if threshold is None and options.sort != "score" and not self._text_only:
            # All matches are sorted, not only those of this page.
            threshold = -math.inf if self._must_match else strong_score
        retriever = Retriever(self._snapshot, self._space, vector, self._words, options)
        found = self._retrieve(retriever, threshold, strong_score, min_score)
        strong = self._count_strong(retriever, found, strong_score)
        is_judged = strong > 0 or (background.can_tell and not self._words.has_negatives)
        if min_score is None and threshold == strong_score and not is_judged:
            every = retriever.by_all(-math.inf, strong_score)
            found = replace(found, candidates=every.candidates)
        matches_from = strong_score if min_score is None and is_judged else -math.inf
        hits = self._page(found, matches_from, background, is_judged=is_judged)
        reasons = () if found.total else self._reasons()
        return Ranked(tuple(hits), found.total, strong if is_judged else None, reasons)

    def _background(self, vector: NDArray[np.float32]) -> Background:
        sample = self._snapshot.score_sample(self._space, vector)
        images = count(self._snapshot, self._space, Filter())
        return Background.of(sample, self._space.dim, images)

    def _retrieve(
        self,
        retriever: Retriever,
        threshold: float | None,
        strong_score: float,
        min_score: float | None,
    ) -> Retrieved:
        """The candidates; with `min_score`, only those that are not weaker."""
        if self._text_only:
            found = retriever.by_words()
        else:
            found = retriever.by_all(threshold, strong_score)
        copies = self._copies_of_query()
        for candidate in found.candidates:
            candidate.is_certain |= self._must_match or candidate.image.digest in copies
        if min_score is None:
            return found
        candidates = [c for c in found.candidates if _stands_out(c, min_score)]
        return replace(found, candidates=candidates, total=len(candidates))

    def _copies_of_query(self) -> set[str]:
        """The digests of the images in the query."""
        ids = self._words.ids
        images = self._snapshot.lookup(self._space, Filter(), ids=ids) if ids else ()
        return {*self._words.digests, *(image.digest for image in images)}

    def _count_strong(self, retriever: Retriever, found: Retrieved, strong_score: float) -> int:
        """Count the images that are not weak."""
        if self._must_match:
            return found.total
        if found.is_complete:
            return sum(_stands_out(candidate, strong_score) for candidate in found.candidates)
        # Images found by words are not weak, whatever their score.
        by_words = sum(c.is_certain and c.score < strong_score for c in found.candidates)
        if found.cut:
            by_words = max(by_words, retriever.count_with_all_terms(strong_score))
        return found.above + by_words

    def _page(
        self, found: Retrieved, matches_from: float, background: Background, *, is_judged: bool
    ) -> list[Hit]:
        options = self._options
        ordered = _ordered(found.candidates, options.sort, matches_from)
        page = ordered[options.offset : options.offset + options.top_k]
        if found.cut:
            for _, candidate in page:
                candidate.is_certain |= self._contains(candidate.image.digest, found.cut)
        copies = self._exact_copies([candidate for _, candidate in page])
        return [
            self._hit(rank, candidate, paths, background, is_judged=is_judged)
            for (rank, candidate), paths in zip(page, copies, strict=True)
        ]

    def _reasons(self) -> tuple[str, ...]:
        """Why nothing was found, as messages for the user."""
        options, words = self._options, self._words
        if not count(self._snapshot, self._space, options.filter):
            folder = self._prefix.rstrip("/")
            return no_match.reasons(self._snapshot, self._space, options.filter, folder)
        if self._text_only:
            named = ", ".join(" ".join(word) for word in words.content or words.every)
            return (f"No image has any of these words in its text, or all in its name: {named}.",)
        return (f"No image has a strength of {options.min_strength} or more. Lower the threshold.",)

    def _contains(self, digest: str, groups: Groups) -> bool:
        """Whether the text in an image contains all of the terms."""
        text = self._snapshot.text(digest)
        if text is None:
            return False
        raw = "\n".join(line.text for line in text.lines)
        versions = (f" {' '.join(tokens(raw))} ", f" {split_text(raw)} ")
        return all(
            any(f" {' '.join(phrase)} " in version for phrase in group for version in versions)
            for group in groups
        )

    def _exact_copies(self, page: Sequence[Candidate]) -> Sequence[Sequence[str]]:
        """The paths that are folded into each candidate."""
        if self._options.list_copies:
            return [()] * len(page)
        images = [candidate.image for candidate in page]
        return exact_copies(self._snapshot, self._space, images, self._options.filter)

    def _hit(
        self,
        rank: int,
        candidate: Candidate,
        copies: Sequence[str],
        background: Background,
        *,
        is_judged: bool,
    ) -> Hit:
        image, strength = candidate.image, background.strength(candidate.score)
        return Hit(
            rank=rank,
            path=image.path.removeprefix(self._prefix),
            score=candidate.score,
            image=image,
            location=f"{self._root}/{image.path}",
            strength=strength,
            weak=is_judged and strength < WEAK and not candidate.is_certain,
            signals=tuple(candidate.signals),
            copy_paths=tuple(path.removeprefix(self._prefix) for path in copies),
        )


def _stands_out(candidate: Candidate, min_score: float) -> bool:
    return candidate.score >= min_score or candidate.is_certain


def _ordered(
    found: Sequence[Candidate], order: str, matches_from: float
) -> list[tuple[int, Candidate]]:
    """Candidates with their ranks: the matches in the given order, then the others, best first."""
    ranked = list(enumerate(found, start=1))
    if order == "score":
        return ranked
    matches = [pair for pair in ranked if _stands_out(pair[1], matches_from)]
    others = [pair for pair in ranked if not _stands_out(pair[1], matches_from)]
    matches.sort(key=lambda pair: os.fsencode(pair[1].image.path))
    if order == "date":
        matches.sort(key=lambda pair: pair[1].image.date, reverse=True)
    return matches + others
