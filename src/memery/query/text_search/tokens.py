"""Tokenisation of stored texts and of queries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

_APOSTROPHE = re.compile(r"(?<=\w)['’ʼ＇](?=\w)")
_TOKEN = re.compile(r"[^\W_]+")
_RARE_HAN, _RUNE = "\U0002a6d6", "\u16a0"
"""Two characters that are in hardly any vocabulary."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_CORRECTED_LENGTHS = range(4, 31)
"""Shorter tokens have too many neighbours; longer ones are not words, and have thousands."""
WORDS_MAX = 32
"""Maximum number of content words of a query; more words of a long text add nothing."""

STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being below
    between both but by can cannot could did do does doing don down during each few for from further
    had has have having he her here hers herself him himself his how i if in into is isn it its
    itself just let ll me more most my myself no nor not now of off on once only or other our ours
    ourselves out over own re s same she should so some such t than that the their theirs them
    themselves then there these they this those through to too under until up upon ve very was wasn
    we were what when where which while who whom why will with would you your yours yourself
    yourselves
    arent cant couldnt didnt doesnt dont hasnt havent hes im isnt ive lets shes shouldnt thats
    theres theyre wasnt werent whats wont wouldnt youre youve
    image images meme memes photo photograph photographs photography photos pic pics picture
    pictures screenshot screenshots
    """.split()  # noqa: SIM905 - a list of 150 strings is not easier to read
)
"""English function words, and words for images."""


@cache
def _cjk() -> re.Pattern[str]:
    """Kana and Han, which are written without spaces, and Hangul, whose words have endings.

    The range from U+4E00 on includes Han and Hangul; stored texts were tokenised with it. Compiling
    the pattern takes 3 ms, and few texts need it.
    """
    return re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\ufaff\U00020000-\U0003ffff]")


@cache
def _han() -> re.Pattern[str]:
    return re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def tokens(text: str) -> list[str]:
    """Tokenise a text: runs of letters and digits in lower case, without diacritics."""
    return _TOKEN.findall(_folded(text))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Twice: NFKD turns some symbols into capitals, and lowering turns some letters into two.
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).lower())
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare)


def with_rare_letters(text: str) -> str | None:
    """Replace the letters of a text by characters that hardly any model knows.

    If the embedding stays the same, the model does not know the script of the text.

    Returns:
        The text; None if it has a Latin letter or a digit, which every model knows, or nothing to
        replace.
    """
    if text.isascii() or re.search("[a-z0-9]", _folded(text)):
        return None
    replaced = "".join(map(_rare_letter, text))
    other = re.sub(f"{_RUNE}+", _RUNE, replaced)  # a word is one unknown token
    return None if other == text else other


def _rare_letter(letter: str) -> str:
    if letter.isascii() or unicodedata.category(letter)[0] in "PZC":
        return letter
    return _RARE_HAN if _han().match(letter) else _RUNE


def strip_apostrophes(text: str) -> str:
    """Remove the apostrophes in words, as many users and OCR engines do: dont."""
    return _APOSTROPHE.sub("", text)


def split_cjk(text: str) -> str:
    """Separate kana, Han and Hangul characters, so that each one is a word."""
    if text.isascii():
        return text
    return _cjk().sub(lambda match: f" {match[0]} ", text)


def content_words(text: str) -> list[tuple[str, ...]]:
    """The content words of a query, each a phrase of one token or more.

    Stop words and single letters are dropped; a run of kana, Han or Hangul is one phrase.
    Apostrophes are stripped, as in `splitting.split_text`.
    """
    found = dict.fromkeys(
        tuple(tokens(split_cjk(word)))
        for word in tokens(strip_apostrophes(text))
        if word not in STOP_WORDS and (len(word) > 1 or _stands_alone(word))
    )
    return list(found)[:WORDS_MAX]


def _stands_alone(letter: str) -> bool:
    return letter.isdecimal() or (not letter.isascii() and _cjk().match(letter) is not None)


def is_inflected(one: str, other: str) -> bool:
    """Whether one of two tokens is the other with a plural s."""
    return f"{one}s" == other or f"{other}s" == one


def edits1(token: str) -> Iterator[str]:
    """Generate the tokens at one edit: a letter deleted, inserted, replaced or transposed.

    (Damerau 1964.) There are none for numbers and for short or very long tokens. The letters are
    a-z, digits, and those of the token.
    """
    if len(token) not in _CORRECTED_LENGTHS or token.isdecimal():
        return
    letters = dict.fromkeys(_LETTERS + token)
    for at in range(len(token) + 1):
        head, tail = token[:at], token[at:]
        yield from (f"{head}{letter}{tail}" for letter in letters)
        if tail:
            yield head + tail[1:]
            yield from (f"{head}{letter}{tail[1:]}" for letter in letters)
        if len(tail) > 1:
            yield f"{head}{tail[1]}{tail[0]}{tail[2:]}"
