"""A query: texts and images, each with a boost."""

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
        text: what to look for, in words.
        image: a path, or the bytes of an encoded image. A PIL image, an array of pixels or an open
            file is taken too, and becomes bytes.
        boost: weight in the query vector, at most `BOOST_MAX`; negative means "less of this".
        id: of an indexed image (`ImageFile.id`): no file is read, nothing is encoded.

    Raises:
        QueryError: not just one of text, image and id; blank text; boost zero or out of range.
        QueryTypeError: image is nothing that is an image.
    """

    text: str | None = None
    image: str | os.PathLike[str] | bytes | None = None
    boost: float = 1.0
    id: str | None = None

    def __post_init__(self) -> None:
        if sum(kind is not None for kind in (self.text, self.image, self.id)) != 1:
            raise QueryError("A term is either a text or an image: give exactly one of them.")
        if self.image is not None and not isinstance(self.image, (str, os.PathLike)):
            object.__setattr__(self, "image", encoded(self.image))
        if self.text is not None and not self.text.strip():
            raise QueryError("A text to search for is empty: say what the picture shows.")
        if self.text is not None and not _is_unicode(self.text):
            raise QueryError("A text to search for is not valid UTF-8: type it anew.")
        if self.image == "":
            raise QueryError("A picture to search for has no name: give a path.")
        if self.image == b"":
            raise QueryError("An image to search for is an empty file: give one that has content.")
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
    """What to search for: one or more terms.

    Raises:
        QueryError: no term at all.
    """

    terms: tuple[Term, ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise QueryError("There is no query: give a text, an image, or both.")
