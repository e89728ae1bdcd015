"""Spelling correction: the words that a query may mean, by the vocabulary of the images."""

from __future__ import annotations

from collections.abc import Sequence

from memery.query.text_search.query_words import QueryWords
from memery.query.text_search.splitting import is_word
from memery.query.text_search.tokens import edits1, is_inflected
from memery.stores.interface import SearchSnapshot
from memery.stores.records import Groups

_PHRASES_MAX = 8
"""Corrected forms of a pair of consecutive words."""
_TYPOS_MAX = 2
"""Maximum number of words of a query that may all be misspelt; correcting one takes 30 ms."""


def correct(
    snapshot: SearchSnapshot, terms: Sequence[tuple[str, ...]], *, eager: bool
) -> tuple[Groups, bool]:
    """Add to each term the words of images at one edit from it, unless it occurs in an image.

    Args:
        snapshot: knows the words in images.
        terms: the words of the query, each a phrase of one token or more.
        eager: correct the words of a long query too, none of which occurs in an image. Such a query
            more likely describes what an image shows.

    Returns:
        Each term with its corrections, and whether the query surely asks for text. That is in doubt
        if no word occurs in an image and the corrected ones are English words for something else,
        which images may show.
    """
    vocabulary = snapshot.vocabulary({token for phrase in terms for token in phrase})
    if not eager and len(terms) > _TYPOS_MAX and not any(set(p) <= vocabulary for p in terms):
        return [[phrase] for phrase in terms], True
    edits: dict[tuple[str, ...], list[str]] = {
        phrase: list(edits1(phrase[0]))
        for phrase in terms
        if len(phrase) == 1 and phrase[0] not in vocabulary
    }
    found = snapshot.vocabulary({token for tokens in edits.values() for token in tokens})
    groups: list[list[tuple[str, ...]]] = []
    for phrase in terms:
        corrections = sorted(found.intersection(edits.get(phrase, ())))
        groups.append([phrase, *((token,) for token in corrections)])
    is_sure = (
        any(set(phrase) <= vocabulary for phrase in terms)
        or all(len(group) == 1 for group in groups)
        or any(_is_typo(*group) for group in groups)
    )
    return groups, is_sure


def optional_terms(words: QueryWords, groups: Groups) -> Groups:
    """The terms that rank texts with the same matched terms: stop words and consecutive words.

    Args:
        words: the words of the query.
        groups: its terms with their corrections, which replace the words in pairs.
    """
    corrected = {
        group[0][0]: [phrase[0] for phrase in group[1:]] or [group[0][0]]
        for group in groups
        if len(group[0]) == 1
    }
    pairs = [
        [(a, b) for a in corrected.get(first, [first]) for b in corrected.get(second, [second])][
            :_PHRASES_MAX
        ]
        for first, second in words.pairs
    ]
    terms = {group[0] for group in groups}
    return [*pairs, *([word] for word in words.every if word not in terms)]


def _is_typo(word: tuple[str, ...], *corrections: tuple[str, ...]) -> bool:
    """Whether a word surely means its corrections: not an English word, or in another number."""
    return bool(corrections) and (
        not is_word(word[0]) or any(is_inflected(word[0], other[0]) for other in corrections)
    )
