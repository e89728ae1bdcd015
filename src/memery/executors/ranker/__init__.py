"""Ranker: scores, filters, fuses, cuts, pages: hits."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import QueryError
from memery.executors.ranker.fusion import (
    BOOSTED_NAME_FACTOR,
    DEPTH,
    EXACT_FILE_NAME_WEIGHT,
    EXACT_FOLDER_NAME_WEIGHT,
    Candidate,
    fuse,
)
from memery.executors.ranker.strength import WEAK, Background
from memery.executors.types import Ranked
from memery.query.filters import Filter
from memery.query.options import SearchOptions
from memery.query.text_search.names import matches_name
from memery.query.text_search.query_words import QueryWords
from memery.query.text_search.splitting import is_word, split_text
from memery.query.text_search.tokens import edits1, is_inflected, tokens
from memery.stores import no_match
from memery.stores.derived import content_key, count, exact_copies, scores_of
from memery.stores.interface import Searchable, SearchSnapshot
from memery.stores.records import Groups, Match, Space, TextSearch, VectorSearch
from memery.types import Hit, ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MEANINGS = 8
"""Readings of two words that follow one another, where they may be slips of others."""
_SLIPS_MAX = 2
"""Words of a query that may all be misspelt; looking for what one is a slip of takes 30 ms."""
_MATCHES_MAX = 1000
"""Images whose text holds words of a query and that are ranked by that, beside those by sight.
Matches of a name have no limit: each of them is strong, however many there are."""


class Ranker:
    """Ranks by cosine, and by the words that stand in pictures and their names.

    Args:
        archive: which archive is searched.
        store: what searches.
    """

    def __init__(self, archive: Archive, store: Searchable) -> None:
        self._root = os.fspath(archive.root)
        self._prefix = Filter(archive.scope).prefix
        self._store = store

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """One page of hits, and how many there are in all.

        Raises:
            QueryError: mode "text" without a word to look for.
        """
        with self._store.snapshot() as snapshot:
            return _SnapshotRanker(self._root, self._prefix, snapshot).rank(
                space, vector, words, options
            )


class _SnapshotRanker:
    """Ranks what one snapshot holds.

    Args:
        root: of the archive.
        prefix: what the paths in the folder that is searched begin with.
        snapshot: of the store.
    """

    def __init__(self, root: str, prefix: str, snapshot: SearchSnapshot) -> None:
        self._root = root
        self._prefix = prefix
        self._snapshot = snapshot

    def rank(
        self, space: Space, vector: NDArray[np.float32], words: QueryWords, options: SearchOptions
    ) -> Ranked:
        """As `Ranker.rank`."""
        sample = self._snapshot.score_sample(space, vector)
        background = Background.of(sample, space.dim, count(self._snapshot, space, Filter()))
        least = None
        must_hold = options.mode != "visual" and bool(words.quoted)
        if options.min_strength is not None and not must_hold:
            least = background.score(options.min_strength)
        if options.mode != "visual":
            quoted = (*options.filter.quoted, *words.quoted)
            options = replace(options, filter=replace(options.filter, quoted=quoted))
        strong_from, reach = background.score(WEAK), least
        by_words = options.mode == "text" and not words.quoted
        cut: Groups = ()
        if reach is None and options.sort != "score" and not by_words:
            # Every match is put in order, not only those of this page.
            reach = -math.inf if must_hold else strong_from
        if by_words:
            found, is_whole = self._by_words(space, vector, words, options), True
            total = len(found)
        else:
            found, total, above, cut = self._by_all(
                space, vector, words, options, reach, strong_from
            )
            is_whole = reach is not None
        copied = self._copied(space, words)
        for candidate in found:
            # What must hold quoted words would not have passed without them.
            candidate.is_certain |= must_hold or candidate.image.digest in copied
        if least is not None:
            found = [candidate for candidate in found if _stands_out(candidate, least)]
            total = len(found)
        strong = sum(_stands_out(candidate, strong_from) for candidate in found)
        if must_hold:
            strong = total
        elif not is_whole:
            # And those found by words, whatever their score.
            matched = sum(c.is_certain and c.score < strong_from for c in found)
            if cut:
                held = self._count_held(space, vector, words, options, strong_from)
                matched = max(matched, held)
            strong = above + matched
        is_judged = strong > 0 or (background.can_tell and not words.has_negatives)
        if least is None and reach == strong_from and not is_judged:
            found, *_ = self._by_all(space, vector, words, options, -math.inf, strong_from)
        matches_from = strong_from if least is None and is_judged else -math.inf
        ordered = _ordered(found, options.sort, matches_from)
        page = ordered[options.offset : options.offset + options.top_k]
        for _, candidate in page:
            candidate.is_certain |= bool(cut) and self._holds(candidate.image.digest, cut)
        copies = self._copies(space, [candidate for _, candidate in page], options)
        hits = [
            self._hit(rank, candidate, others, background, is_judged=is_judged)
            for (rank, candidate), others in zip(page, copies, strict=True)
        ]
        reasons = () if total else self._reasons(space, words, options)
        judged = strong if is_judged else None
        return Ranked(tuple(hits), total, judged, reasons)

    def _reasons(self, space: Space, words: QueryWords, options: SearchOptions) -> tuple[str, ...]:
        """Why nothing was found, in sentences."""
        if not count(self._snapshot, space, options.filter):
            return no_match.reasons(self._snapshot, space, options.filter, self._prefix.rstrip("/"))
        if options.mode == "text" and not words.quoted:
            named = ", ".join(" ".join(word) for word in words.content or words.every)
            return (f"No image has any of these words in its text, or all in its name: {named}.",)
        return (f"No image has a strength of {options.min_strength} or more. Lower the threshold.",)

    def _copied(self, space: Space, words: QueryWords) -> set[str]:
        """The contents that were given to be found."""
        images = self._snapshot.lookup(space, Filter(), ids=words.ids) if words.ids else ()
        return {*words.digests, *(image.digest for image in images)}

    def _count_held(
        self,
        space: Space,
        vector: NDArray[np.float32],
        words: QueryWords,
        options: SearchOptions,
        below: float,
    ) -> int:
        """How many images hold every word of the query and have a score below this."""
        phrases = (" ".join(word) for word in words.content)
        every = replace(options.filter, quoted=(*options.filter.quoted, *phrases))
        fold = not options.list_copies
        request = VectorSearch(vector=vector, filter=every, limit=1, fold=fold, min_score=below)
        found = self._snapshot.search(space, request)
        return found.total - (found.above or 0)

    def _holds(self, digest: str, groups: Groups) -> bool:
        """Whether the text in an image holds all of the words."""
        text = self._snapshot.text(digest)
        if text is None:
            return False
        raw = "\n".join(line.text for line in text.lines)
        written = (f" {' '.join(tokens(raw))} ", f" {split_text(raw)} ")
        return all(
            any(f" {' '.join(phrase)} " in words for phrase in group for words in written)
            for group in groups
        )

    def _copies(
        self, space: Space, page: Sequence[Candidate], options: SearchOptions
    ) -> Sequence[Sequence[str]]:
        """The paths that are folded into each candidate."""
        if options.list_copies:
            return [()] * len(page)
        images = [candidate.image for candidate in page]
        return exact_copies(self._snapshot, space, images, options.filter)

    def _by_words(
        self,
        space: Space,
        vector: NDArray[np.float32],
        words: QueryWords,
        options: SearchOptions,
    ) -> list[Candidate]:
        """Only images whose text or name holds words of the query, all of them."""
        asked = words.content or words.every
        called = self._called(space, words, options.filter)
        if not asked and not called:
            raise QueryError("Mode text needs words to look for: give a text.")
        texts: Sequence[Match] = ()
        names: Sequence[ImageFile] = ()
        if asked:
            groups, _ = self._corrected(asked, eager=True)
            besides = _besides(words, groups)
            request = TextSearch(terms=groups, filter=options.filter, optional_terms=besides)
            texts = self._snapshot.search_text(space, request)
            names = self._snapshot.search_names(space, groups, options.filter)
        fold = not options.list_copies
        return self._fused(space, vector, [], texts, names, called, len(asked), fold=fold)

    def _called(self, space: Space, words: QueryWords, scope: Filter) -> dict[ImageFile, float]:
        """Images whose name, or whose folder's name, is a text of the query, with their weights.

        A name that reads as a text with a boost comes before that of the text alone.
        """
        called: dict[ImageFile, float] = {}
        for names, factor in ((words.names, 1), (words.boosted_names, BOOSTED_NAME_FACTOR)):
            for name in names:
                for image in self._snapshot.search_paths(space, name, scope):
                    is_file = matches_name(image.path, name)
                    weight = factor * (
                        EXACT_FILE_NAME_WEIGHT if is_file else EXACT_FOLDER_NAME_WEIGHT
                    )
                    called[image] = max(weight, called.get(image, 0))
        return called

    def _by_all(
        self,
        space: Space,
        vector: NDArray[np.float32],
        words: QueryWords,
        options: SearchOptions,
        least: float | None,
        strong_from: float,
    ) -> tuple[list[Candidate], int, int, Groups]:
        """Every image that passes, as far as this page needs or the threshold least reaches.

        Also how many there are in all, without a threshold how many have a score of strong_from or
        more, and the words that more texts hold than were ranked by them.
        """
        asked, scope, limit = words.content, options.filter, options.offset + options.top_k
        texts: Sequence[Match] = ()
        names: Sequence[ImageFile] = ()
        called: dict[ImageFile, float] = {}
        is_sure = True
        cut: Groups = ()
        # With a threshold everything that holds the words is counted, else the best will do.
        most = _MATCHES_MAX if least is None else None
        if options.mode != "visual":
            called = self._called(space, words, scope)
        if options.mode != "visual" and asked:
            groups, is_sure = self._corrected(asked, eager=False)
            besides = _besides(words, groups)
            text_search = TextSearch(terms=groups, filter=scope, limit=most, optional_terms=besides)
            texts = self._snapshot.search_text(space, text_search)
            cut = groups if is_sure and len(texts) == most else ()
            literal = [[phrase] for phrase in asked]
            names = self._snapshot.search_names(space, groups if is_sure else literal, scope)
        if texts or names or called:
            limit = max(limit, DEPTH)
        fold = not options.list_copies
        counted_from = strong_from if least is None else None
        request = VectorSearch(
            vector=vector, filter=scope, limit=limit, fold=fold, min_score=counted_from
        )
        found = self._snapshot.search(space, request)
        while least is not None and len(found.ranked) == limit and found.ranked[-1][1] >= least:
            limit *= 4
            found = self._snapshot.search(space, replace(request, limit=limit))
        candidates = self._fused(
            space,
            vector,
            found.ranked,
            texts,
            names,
            called,
            len(asked),
            fold=fold,
            is_sure=is_sure,
        )
        return candidates, found.total, found.above or 0, cut

    def _fused(
        self,
        space: Space,
        vector: NDArray[np.float32],
        visual: Sequence[tuple[ImageFile, float]],
        texts: Sequence[Match],
        names: Sequence[ImageFile],
        called: Mapping[ImageFile, float],
        asked: int,
        *,
        fold: bool,
        is_sure: bool = True,
    ) -> list[Candidate]:
        names = [*called, *names]
        digests = {image.digest for image in (*(match.image for match in texts), *names)}
        known = scores_of(self._snapshot, space, vector, digests) if digests else {}
        key = content_key if fold else _path
        weights = {image.path: weight for image, weight in called.items()}
        return fuse(visual, texts, names, weights, known, asked, key, is_sure=is_sure)

    def _corrected(self, asked: Sequence[tuple[str, ...]], *, eager: bool) -> tuple[Groups, bool]:
        """Each word with what it may be a slip of: words of pictures at one edit from it.

        A word that stands in a picture is no slip. Unless eager, several words of which none does
        describe what a picture shows. Also whether it is text that is asked for: that
        is in doubt where no word of the query stands in a picture, and those corrected are English
        words for something else, which pictures may show.
        """
        known = self._snapshot.vocabulary({token for phrase in asked for token in phrase})
        if not eager and len(asked) > _SLIPS_MAX and not any(set(p) <= known for p in asked):
            return [[phrase] for phrase in asked], True
        slips: dict[tuple[str, ...], list[str]] = {
            phrase: list(edits1(phrase[0]))
            for phrase in asked
            if len(phrase) == 1 and phrase[0] not in known
        }
        found = self._snapshot.vocabulary({token for tokens in slips.values() for token in tokens})
        groups: list[list[tuple[str, ...]]] = []
        for phrase in asked:
            meant = sorted(found.intersection(slips.get(phrase, ())))
            groups.append([phrase, *((token,) for token in meant)])
        is_sure = (
            any(set(phrase) <= known for phrase in asked)
            or all(len(group) == 1 for group in groups)
            or any(_is_slip(*group) for group in groups)
        )
        return groups, is_sure

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


def _besides(words: QueryWords, groups: Groups) -> Groups:
    """What makes one text a better match than another that holds the same words.

    Stop words, and words that follow one another as they do in the query: where a word was
    corrected, with what it may have meant.
    """
    meant = {
        group[0][0]: [phrase[0] for phrase in group[1:]] or [group[0][0]]
        for group in groups
        if len(group[0]) == 1
    }
    pairs = [
        [(a, b) for a in meant.get(first, [first]) for b in meant.get(second, [second])][:_MEANINGS]
        for first, second in words.pairs
    ]
    asked = {group[0] for group in groups}
    return [*pairs, *([word] for word in words.every if word not in asked)]


def _is_slip(word: tuple[str, ...], *meant: tuple[str, ...]) -> bool:
    """Whether a word is surely meant for others: no English word, or the same in the plural."""
    return bool(meant) and (
        not is_word(word[0]) or any(is_inflected(word[0], other[0]) for other in meant)
    )


def _path(image: ImageFile) -> str:
    return image.path


def _stands_out(candidate: Candidate, least: float) -> bool:
    return candidate.score >= least or candidate.is_certain


def _ordered(
    found: Sequence[Candidate], order: str, matches_from: float
) -> list[tuple[int, Candidate]]:
    """Candidates with their ranks: the matches as asked for, then the others, the best first."""
    ranked = list(enumerate(found, start=1))
    if order == "score":
        return ranked
    matches = [pair for pair in ranked if _stands_out(pair[1], matches_from)]
    others = [pair for pair in ranked if not _stands_out(pair[1], matches_from)]
    matches.sort(key=lambda pair: os.fsencode(pair[1].image.path))
    if order == "date":
        matches.sort(key=lambda pair: pair[1].image.date, reverse=True)
    return matches + others
