"""Tokenisation of texts, as in each publisher's code."""

from __future__ import annotations

import gzip
import html
import string
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from memery.errors import ModelError
from memery.models.runtime import bpe_tokenizer, read_tokenizer

if TYPE_CHECKING:
    from memery.models.runtime import Tokenizer

_MERGES = 49152 - 256 - 2
"""Number of merges that CLIP uses, after the first line (OpenAI's simple_tokenizer.py)."""
_MERGES_BYTES = 16 << 20
_START, _END = "<start_of_text>", "<end_of_text>"
_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _canonical(text: str) -> str:
    """Lower case without punctuation, for SigLIP (big_vision's canonicalize_text)."""
    return _collapsed(text.translate(_PUNCTUATION)).lower()


def _openai(text: str) -> str:
    """Fix encoding errors, unescape HTML, collapse white space, lower case: for OpenAI's CLIP."""
    import ftfy

    fixed = html.unescape(html.unescape(ftfy.fix_text(text)))
    return _collapsed(fixed.strip()).lower()


CLEANINGS: dict[str, Callable[[str], str]] = {
    "none": str,
    "whitespace": _collapsed,
    "canonicalize": _canonical,
    "openai": _openai,
}
"""Ways of cleaning a text before tokenisation."""


class Tokens:
    """Converts texts to token ids.

    Args:
        file: a tokenizer.json, or CLIP's list of merges (.txt.gz).
        clean: one of `CLEANINGS`.
        context: maximum number of tokens; a truncated text ends with its end token.
        pad: the padding token or its id; None to pad with the end token.
    """

    def __init__(self, file: Path, clean: str, context: int, pad: str | int | None) -> None:
        self._file = file
        self._clean = CLEANINGS[clean]
        self._context = context
        self._pad = pad

    def load(self) -> None:
        """Load the tokenizer now instead of at the first text."""
        _ = self._tokenizer

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text with start and end tokens, without padding."""
        ids: list[int] = self._tokenizer.encode(self._clean(text)).ids
        return ids

    def fill(self, ids: Sequence[int]) -> list[int]:
        """Pad ids to the context."""
        pad = self._pad_id
        return [*ids, *[ids[-1] if pad is None else pad] * (self._context - len(ids))]

    @cached_property
    def _pad_id(self) -> int | None:
        if not isinstance(self._pad, str):
            return self._pad
        number: int | None = self._tokenizer.token_to_id(self._pad)
        if number is None:
            raise ModelError(f"The tokenizer {self._file} lacks the padding token {self._pad!r}.")
        return number

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        if self._file.suffix == ".json":
            tokenizer = read_tokenizer(self._file)
        else:
            tokenizer = merges_tokenizer(self._file)
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._context)
        return tokenizer


def merges_tokenizer(file: Path) -> Tokenizer:
    """Make CLIP's tokenizer from its list of merges (.txt.gz).

    Raises:
        ModelError: the list cannot be read.
    """
    return bpe_tokenizer(_read_merges(file), _START, _END)


def _read_merges(file: Path) -> list[tuple[str, str]]:
    try:
        with gzip.open(file) as stream:
            lines = stream.read(_MERGES_BYTES).decode("utf-8").split("\n")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ModelError(f"The list of merges {file} cannot be read: {error}") from error
    merges = []
    for line in lines[1 : _MERGES + 1]:
        first, _, second = line.partition(" ")
        if second:
            merges.append((first, second.strip()))
    return merges
