"""Parses the terms of a command line: texts and images with an optional boost, as in Lucene."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from memery.errors import ImageError
from memery.query.terms import Query, Term
from memery.query.text_search.query_words import parse_text, split_boost
from memery.text.plurals import counted

STDIN = "-"
_STDIN_IMAGE = "The image on standard input"


def parse_query(
    texts: Sequence[str],
    images: Sequence[str],
    excluded: Sequence[str],
    excluded_images: Sequence[str],
    max_bytes: int,
) -> Query:
    """Parse the terms of a command line, in the order of the parameters.

    A text may contain negatives (`-word`). An excluded text is taken literally.

    Args:
        texts: texts to find.
        images: paths of images, or - for standard input.
        excluded: texts to find less of.
        excluded_images: images to find less of.
        max_bytes: size limit of an image on standard input, in bytes.

    Raises:
        QueryError: a term is empty, its boost is zero, or there is no term.
        ImageError: standard input is empty or larger than max_bytes.
    """
    read = _StandardInput(max_bytes)
    return Query(
        (
            *text_terms(texts),
            *(_image_term(image, read, 1) for image in images),
            *(_negative_term(text) for text in excluded),
            *(_image_term(image, read, -1) for image in excluded_images),
        )
    )


def text_terms(texts: Iterable[str]) -> Iterator[Term]:
    """Parse texts as users type them."""
    parsed = (part for text in texts for part in parse_text(_decoded(text)))
    return (Term(text=text, boost=boost) for text, boost in parsed)


class _StandardInput:
    """The bytes of standard input, read once."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data: bytes | None = None

    def __call__(self) -> bytes:
        if self._data is None:
            self._data = sys.stdin.buffer.read(self._max_bytes + 1)
        if len(self._data) > self._max_bytes:
            limit = f"more than {counted(self._max_bytes, 'byte')}"
            raise ImageError("too large", limit, subject=_STDIN_IMAGE)
        if not self._data:
            raise ImageError("truncated", "it is empty", subject=_STDIN_IMAGE)
        return self._data


def _negative_term(value: str) -> Term:
    text, boost = split_boost(_decoded(value))
    return Term(text=text, boost=-boost)


def _decoded(argument: str) -> str:
    """Decode an argument as UTF-8 if the locale's encoding cannot represent it."""
    with contextlib.suppress(UnicodeError):
        argument.encode()
        return argument
    with contextlib.suppress(UnicodeError):
        return os.fsencode(argument).decode()
    return argument


def _image_term(value: str, read: Callable[[], bytes], sign: int) -> Term:
    if _exists(value):
        return Term(image=value, boost=float(sign))
    name, boost = split_boost(value)
    return Term(image=read() if name == STDIN else name, boost=sign * boost)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False
