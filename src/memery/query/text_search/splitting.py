"""Splitting of joined words in recognised text, with a list of English words.

`english.txt.gz` has 60,000 words, the most frequent first; see `english.LICENCE`. The cost of a
word is the logarithm of its rank (Zipf's law); the split with the lowest cost is found by dynamic
programming (Viterbi 1967).
"""

from __future__ import annotations

import gzip
import math
import re
from functools import cache
from importlib.resources import files

from memery.query.text_search.tokens import split_cjk, strip_apostrophes, tokens

_LONGEST_WORD = 18
_SHORTEST, _LONGEST = 5, 80
"""Length of the tokens that may be split."""
_PIECES = re.compile(r"[a-z]+|\d+|[^a-z\d]+")
_LETTER_COST = 2.6
"""Cost of a letter outside any word: more than any split into frequent words."""


@cache
def _costs() -> dict[str, float]:
    """The cost of every word."""
    packed = files("memery.query.text_search").joinpath("english.txt.gz").read_bytes()
    words = gzip.decompress(packed).decode("ascii").split()
    scale = math.log(len(words))
    return {word: math.log((rank + 1) * scale) for rank, word in enumerate(words)}


def is_word(token: str) -> bool:
    """Whether a token is in the list of English words."""
    return token in _costs()


def split(token: str) -> list[str]:
    """Split a token into words; a word, and a token without a good split, stays whole."""
    if not _SHORTEST <= len(token) <= _LONGEST:
        return [token]
    return [word for piece in _PIECES.findall(token) for word in _split_letters(piece)]


def _split_letters(piece: str) -> list[str]:
    costs = _costs()
    if piece in costs or len(piece) < _SHORTEST or not piece.isascii():
        return [piece]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(piece) + 1):
        best.append(
            min(
                (best[start][0] + costs.get(piece[start:end], math.inf), start)
                for start in range(max(0, end - _LONGEST_WORD), end)
            )
        )
    if best[-1][0] > _LETTER_COST * len(piece):
        return [piece]
    words: list[str] = []
    end = len(piece)
    while end:
        start = best[end][1]
        words.append(piece[start:end])
        end = start
    return words[::-1]


def split_text(text: str) -> str:
    """Normalise a text for search: split joined words and CJK characters, strip apostrophes."""
    return " ".join(
        word for token in tokens(split_cjk(strip_apostrophes(text))) for word in split(token)
    )
