"""Make a Query from the arguments of a search."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from memery.errors import QueryTypeError
from memery.query.image_inputs import ACCEPTED, is_image
from memery.query.terms import Query, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image as Pillow

    Pixels = Pillow.Image | NDArray[np.uint8]
else:
    Pixels = Any

Text = str | Term
Image = str | os.PathLike[str] | bytes | BinaryIO | Pixels | Term
"""A path, the bytes of an image file, an open binary file, a PIL image, or uint8 pixels of shape
(height, width), (height, width, 3) or (height, width, 4)."""
MORE, LESS = 0.5, 0.25
"""Weights of the mean of relevant and of irrelevant images, relative to the query."""


def make_query(
    query: Text | Image | Query | Sequence[Text | Image] | None = None,
    image_query: Image | Sequence[Image] | None = None,
    exclude: Text | Sequence[Text] = (),
    exclude_images: Image | Sequence[Image] = (),
    more: Image | Sequence[Image] = (),
    less: Image | Sequence[Image] = (),
) -> Query:
    """Make a Query; excluded texts and images get negative boosts.

    Relevance feedback is that of Rocchio (1971): the query, plus `MORE` times the mean of the
    relevant images, minus `LESS` times the mean of the irrelevant ones.

    Args:
        query: texts, terms, or a Query. A value that is not a str may be an image.
        image_query: images.
        exclude: texts to find less of.
        exclude_images: images to find less of.
        more: relevant hits of an earlier search.
        less: irrelevant hits.

    Raises:
        QueryError: the query is empty, or a term is not valid.
        QueryTypeError: a value is neither a text nor an image.
    """
    terms = list(query.terms) if isinstance(query, Query) else []
    if query is not None and not isinstance(query, Query):
        terms += [_text_term(text) for text in _listed(query)]
    if image_query is not None:
        terms += [_image_term(image) for image in _listed(image_query)]
    terms += [_negated(_text_term(text)) for text in _listed(exclude)]
    terms += [_negated(_image_term(image)) for image in _listed(exclude_images)]
    for judged, weight in ((_listed(more), MORE), (_listed(less), -LESS)):
        terms += [replace(_image_term(image), boost=weight / len(judged)) for image in judged]
    return Query(tuple(terms))


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (str, Term)) or is_image(value):
        return [value]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise _wrong_type("A query", value)
    return list(value)


def _text_term(text: Any) -> Term:
    if isinstance(text, Term):
        return text
    if not isinstance(text, str) and not is_image(text):
        raise _wrong_type("A text", text)
    return Term(text=text) if isinstance(text, str) else Term(image=text)


def _image_term(image: Any) -> Term:
    if isinstance(image, Term):
        return image
    if not isinstance(image, str) and not is_image(image):
        raise _wrong_type("An image", image)
    return Term(image=image)


def _wrong_type(what: str, value: object) -> QueryTypeError:
    text = "a str, or " if what != "An image" else ""
    return QueryTypeError(f"{what} cannot be of type {type(value).__name__}. Use {text}{ACCEPTED}.")


def _negated(term: Term) -> Term:
    return replace(term, boost=-term.boost)
