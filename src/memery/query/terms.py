"""Queries: texts and images, each with a boost."""

from __future__ import annotations

import os
from dataclasses import dataclass

from memery.errors import QueryError
from memery.query.image_inputs import encoded

BOOST_MAX = 1_000_000
"""The largest boost of a term, positive or negative."""


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: a text or an image, with a boost.

    Attributes:
        text: text to search for.
        image: a path, or the bytes of an encoded image. A PIL image, a uint8 array or an open file
            is converted to bytes.
        boost: weight in the query vector, at most `BOOST_MAX`; negative means "less of this".
        id: id of an indexed image (`ImageFile.id`), whose stored embedding is used.

    Raises:
        QueryError: not exactly one of text, image and id; blank text; boost 0 or out of range.
        QueryTypeError: `image` is not an image.
    """

    text: str | None = None
    image: str | os.PathLike[str] | bytes | None = None
    boost: float = 1.0
    id: str | None = None

    def __post_init__(self) -> None:
        if sum(kind is not None for kind in (self.text, self.image, self.id)) != 1:
            raise QueryError("A term is either a text or an image. Give exactly one of them.")
        if self.image is not None and not isinstance(self.image, (str, os.PathLike)):
            object.__setattr__(self, "image", encoded(self.image))
        if self.text is not None and not self.text.strip():
            raise QueryError("A text of the query is empty. Describe what the image shows.")
        if self.text is not None and not _is_unicode(self.text):
            raise QueryError("A text of the query is not valid UTF-8. Type it again.")
        if self.image == "":
            raise QueryError("The path of a query image is empty. Give a path.")
        if self.image == b"":
            raise QueryError("A query image is an empty file. Give one with content.")
        if not 0 < abs(self.boost) <= BOOST_MAX:
            raise QueryError(
                f"Invalid boost {self.boost}. Use a number other than 0, from -{BOOST_MAX} to"
                f" {BOOST_MAX}."
            )


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Query:
    """One or more terms to search for.

    Raises:
        QueryError: the query has no term.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise QueryError("The query is empty. Give a text, an image, or both.")
