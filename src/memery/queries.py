"""What a caller gave, as a Query and a Filter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memery.filters import Day, Filter
from memery.types import Query, Term

Text = str | Term
Image = str | os.PathLike[str] | bytes | Term
ANYWHERE = Filter()
MORE, LESS = 0.5, 0.25
"""What the mean of pictures to find more of, and less of, counts beside the query."""


def make_query(
    query: Text | Query | Sequence[Text] | None = None,
    image_query: Image | Sequence[Image] | None = None,
    exclude: Text | Sequence[Text] = (),
    exclude_images: Image | Sequence[Image] = (),
    more: Image | Sequence[Image] = (),
    less: Image | Sequence[Image] = (),
) -> Query:
    """A Query of whatever was given; what is excluded gets a negative boost.

    Relevance feedback is Rocchio's (1971): the query, plus `MORE` times the mean of what was right,
    minus `LESS` times the mean of what was wrong.

    Raises:
        QueryError: nothing was given, or a part of it makes no term.
    """
    terms = list(query.terms) if isinstance(query, Query) else []
    if query is not None and not isinstance(query, Query):
        terms += [_text_term(text) for text in _listed(query)]
    if image_query is not None:
        terms += [_image_term(image) for image in _listed(image_query)]
    terms += [_negated(_text_term(text)) for text in _listed(exclude)]
    terms += [_negated(_image_term(image)) for image in _listed(exclude_images)]
    for judged, weight in ((_listed(more), MORE), (_listed(less), -LESS)):
        terms += [Term(image=image, boost=weight / len(judged)) for image in judged]
    return Query(tuple(terms))


def _listed(value: Any) -> list[Any]:
    single = isinstance(value, (str, bytes, os.PathLike, Term))
    return [value] if single else list(value)


def _text_term(text: Text) -> Term:
    return text if isinstance(text, Term) else Term(text=text)


def _image_term(image: Image) -> Term:
    return image if isinstance(image, Term) else Term(image=image)


def _negated(term: Term) -> Term:
    return replace(term, boost=-term.boost)


def narrowed(where: Filter, under: str = "", since: Day = None, until: Day = None) -> Filter:
    """A filter with the conditions that have a parameter of their own; those win.

    Raises:
        QueryError: a value makes no sense.
    """
    return replace(
        where,
        under=under or where.under,
        since=where.since if since is None else since,
        until=where.until if until is None else until,
    )
