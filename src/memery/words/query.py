"""What a query asks for in words: the content words, and the phrases in quotation marks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from memery.words.tokens import WORDS_MAX, content_words, joined, spaced, tokens

_QUOTED = re.compile(r'"([^"]*)"|“([^“”]*)”|„([^„“”]*)[“”]|«([^«»]*)»')

_BOOSTED = re.compile(r"(?s)(?P<term>.*)(?<!\\)\^(?P<boost>\d+(?:\.\d*)?|\.\d+)")


PAIRS_MAX = 64
"""Of a long text the beginning is enough: each costs a look-up."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words to look for in the text of pictures.

    Attributes:
        content: each word as the tokens that follow one another, stop words left out.
        every: the same with stop words.
        pairs: words that follow one another in the query, stop words included.
        quoted: phrases that must stand in a picture's text, its name or its notes.
        name: the whole text, which may be the name of a file or folder; empty if there are several.
        digests: of the images to find, as far as files were given; exact copies of them match.
        ids: of the images to find, as far as ids were given.
        has_less: there is something to find less of.
    """

    content: tuple[tuple[str, ...], ...] = ()
    every: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    quoted: tuple[str, ...] = ()
    name: str = ""
    digests: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()
    has_less: bool = False


def words_of(texts: Iterable[str]) -> Words:
    """The words of a query's texts."""
    listed = list(texts)
    content = dict.fromkeys(word for text in listed for word in content_words(text))
    every = dict.fromkeys(
        tuple(tokens(spaced(word))) for text in listed for word in tokens(joined(text))
    )
    pairs = dict.fromkeys(
        pair for text in listed for pair in itertools.pairwise(tokens(spaced(joined(text))))
    )
    phrases = (phrase for text in listed for match in _QUOTED.findall(text) for phrase in match)
    return Words(
        tuple(content)[:WORDS_MAX],
        tuple(every)[:PAIRS_MAX],
        tuple(pairs)[:PAIRS_MAX],
        tuple(phrase for phrase in phrases if tokens(phrase)),
        unquoted(listed[0]).strip() if len(listed) == 1 else "",
    )


def unquoted(text: str) -> str:
    """A text as a model should see it: what is in quotation marks without the marks."""
    bare = _QUOTED.sub(lambda match: next(filter(None, match.groups()), ""), text)
    return bare if bare.strip() else text


def split_boost(value: str) -> tuple[str, float]:
    r"""`beach^2` → ("beach", 2.0); `\^` is a literal ^."""
    match = _BOOSTED.fullmatch(value)
    term, boost = (match["term"], float(match["boost"])) if match else (value, 1.0)
    return term.replace("\\^", "^"), boost
