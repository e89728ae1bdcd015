"""Parsing of query texts: words, quoted phrases, boosts and negative terms."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from memery.errors import QueryError
from memery.query.terms import BOOST_MAX
from memery.query.text_search.tokens import (
    WORDS_MAX,
    content_words,
    split_cjk,
    strip_apostrophes,
    tokens,
)

_QUOTED = re.compile(r'"([^"]*)"|“([^“”]*)”|„([^„“”]*)[“”]|«([^«»]*)»')
_PHRASE = r'"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»'
_PART = re.compile(
    rf"""
    (?:^|\s)[-−](?:(?P<phrase>{_PHRASE})(?P<boost>\^(?:\d+(?:\.\d*)?|\.\d+))?(?!\S)
        |(?P<word>[^\W\d_]\S*))
    |(?P<plain>{_PHRASE}|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_DASH = re.compile(r"(?<!\S)\\(?=[-−])")

_BOOSTED = re.compile(r"(?s)(?P<term>.*)(?<!\\)\^(?P<boost>\d+(?:\.\d*)?|\.\d+)")
_NO_BOOST = re.compile(
    r"(?si).*(?<!\\)\^(?P<boost>[+-]?(?:nan|inf(?:inity)?|(?:\d+(?:\.\d*)?|\.\d+)e[+-]?\d+))"
)
"""Numbers as programs write them: probably a mistake rather than part of the text."""
_SHOWN = 20
"""How many characters of a boost a message quotes."""

PAIRS_MAX = 64
"""The first pairs of a long text are enough; each one costs a lookup."""


@dataclass(frozen=True, slots=True)
class QueryWords:
    """What a query asks for in addition to its vector: words, names, exact copies.

    Attributes:
        content: words without stop words; each is a phrase of one token or more.
        every: the same with stop words.
        pairs: consecutive tokens of the query, including stop words.
        quoted: phrases that must occur in an image's text, name or metadata.
        names: whole texts, each of which may be the name of a file or folder.
        literal_names: texts with boosts, dashes and quotation marks as typed, such as `IMG^2`,
            each of which may be the name of a file.
        digests: of the query images given as files; exact copies of them match.
        ids: of the query images given by id.
        has_negatives: whether the query has negative terms.
    """

    content: tuple[tuple[str, ...], ...] = ()
    every: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    quoted: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    literal_names: tuple[str, ...] = ()
    digests: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()
    has_negatives: bool = False


def parse_words(texts: Iterable[str]) -> QueryWords:
    """Parse the texts of a query into words."""
    listed = list(texts)
    content = dict.fromkeys(word for text in listed for word in content_words(text))
    every = dict.fromkeys(
        tuple(tokens(split_cjk(word)))
        for text in listed
        for word in tokens(strip_apostrophes(text))
    )
    pairs = dict.fromkeys(
        pair
        for text in listed
        for pair in itertools.pairwise(tokens(split_cjk(strip_apostrophes(text))))
    )
    phrases = (phrase for text in listed for match in _QUOTED.findall(text) for phrase in match)
    return QueryWords(
        tuple(content)[:WORDS_MAX],
        tuple(every)[:PAIRS_MAX],
        tuple(pairs)[:PAIRS_MAX],
        tuple(phrase for phrase in phrases if tokens(phrase)),
        tuple(filter(None, (unquoted(text).strip() for text in listed)))[:PAIRS_MAX],
    )


def unquoted(text: str) -> str:
    """Remove the quotation marks around phrases, for the model."""
    bare = _QUOTED.sub(lambda match: next(filter(None, match.groups()), ""), text)
    return bare if bare.strip() else text


def parse_text(value: str) -> list[tuple[str, float]]:
    r"""Parse a typed query into a text, negative texts, and their boosts.

    `cup^2 -coffee -"red car"` → ("cup", 2.0), ("coffee", -1.0), ("red car", -1.0). A dash
    makes a term negative at the start of a word, if a letter or a phrase in quotation marks follows
    it; `\-` is a literal dash. The page's `state/terms.js` parses queries in the same way; both are
    tested with the cases of `tests/query/texts.json`.

    Raises:
        QueryError: as in `split_boost`.
    """
    plain, less = "", []
    for part in _PART.finditer(value):
        if part["phrase"]:
            less.append(split_boost(f"{part['phrase'][1:-1]}{part['boost'] or ''}"))
        elif part["word"]:
            less.append(split_boost(part["word"]))
        else:
            plain += part["plain"]
    terms = [(text, -boost) for text, boost in less]
    if plain.strip() or not terms:
        text, boost = split_boost(plain.strip() if terms else plain)
        terms.insert(0, (_ESCAPED_DASH.sub("", text), boost))
    return terms


def split_boost(value: str) -> tuple[str, float]:
    r"""`beach^2` → ("beach", 2.0); `\^` is a literal ^.

    Raises:
        QueryError: the boost has an exponent, or is infinite or NaN in words.
    """
    if wrong := _NO_BOOST.fullmatch(value):
        raise QueryError(
            f"Invalid boost {wrong['boost'][:_SHOWN]}. Use plain digits, at most {BOOST_MAX}, for"
            r" example dog^2; write \^ for a literal ^."
        )
    match = _BOOSTED.fullmatch(value)
    term, boost = (match["term"], float(match["boost"])) if match else (value, 1.0)
    return term.replace("\\^", "^"), boost
