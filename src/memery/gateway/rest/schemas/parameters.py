"""The parameters of searches: addresses and JSON bodies to `SearchOptions`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from pydantic import Field

from memery.errors import FilterConflict, QueryError
from memery.gateway.rest.schemas.problems import Problem
from memery.query.options import SearchOptions, search_parameters
from memery.query.parameters import Parameter
from memery.query.terms import BOOST_MAX
from memery.text.escaping import printable

TEXT_MAX, NAME_MAX = 1000, 4096
NAMES_MAX = 64

Text = Annotated[str, Field(max_length=TEXT_MAX)]
Name = Annotated[str, Field(max_length=NAME_MAX)]
Boost = Annotated[float, Field(allow_inf_nan=False, ge=-BOOST_MAX, le=BOOST_MAX)]
CollectionName = Annotated[str | None, Query(max_length=NAME_MAX, description="Its name.")]

_DEFINED = {
    defined.rest_name or name: (name, defined) for name, defined in search_parameters().items()
}
"""By their names in REST: names in the library, and definitions."""
_FOLDERS = {name for name, (_, defined) in _DEFINED.items() if defined.is_folder}
"""Parameters that name folders, of which a name may be any bytes."""
_PAIRS_MAX = 1000


def body_fields() -> dict[str, Any]:
    """The parameters of a search as fields of a pydantic model."""
    return {
        name: (
            _type(defined),
            Field(_default(defined), description=defined.help, **_limits(defined)),
        )
        for name, (_, defined) in _DEFINED.items()
    }


def query_options(*omitted: str) -> Callable[..., SearchOptions]:
    """A dependency of FastAPI: the options that an address asks for.

    Args:
        omitted: parameters that it does not take, by their names in REST.
    """

    def options(request: Request, **values: Any) -> SearchOptions:
        return make_options(values, _raw_folders(request))

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("request", keyword, annotation=Request)]
    for name, (_, defined) in _DEFINED.items():
        if name not in omitted:
            details = Query(description=defined.help, **_limits(defined))
            annotation: Any = Annotated[_type(defined), details]
            default = _default(defined)
            parameters.append(
                inspect.Parameter(name, keyword, default=default, annotation=annotation)
            )
    options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return options


def _type(defined: Parameter) -> Any:
    kind: Any = Literal[defined.choices] if defined.choices else defined.kind
    if defined.kind is str and not defined.choices:
        kind = Name
    if defined.is_list:
        return list[kind]
    return kind | None if _default(defined) is None else kind


def _default(defined: Parameter) -> Any:
    if defined.rest_default is not None:
        return defined.rest_default
    if defined.is_list:
        return []
    is_given = type(defined.default) is defined.kind and defined.default != ""
    return defined.default if is_given else None


def _limits(defined: Parameter) -> dict[str, Any]:
    limits = {
        "ge": defined.minimum,
        "le": defined.rest_maximum,
        "max_length": NAMES_MAX if defined.is_list else None,
        "allow_inf_nan": False if defined.kind is float else None,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def make_options(values: Mapping[str, Any], folders: dict[str, Any]) -> SearchOptions:
    """The options that a request asks for, by their names in REST.

    Args:
        values: as they were checked; empty ones count as not given.
        folders: names of folders as they were sent, which need not be UTF-8.

    Raises:
        Problem: a value is not allowed; it names the field.
    """
    sent = {name: value for name, value in values.items() if value not in ("", [])} | folders
    given = {_DEFINED[name][0]: value for name, value in sent.items()}
    wrong = []
    for name, value in sent.items():
        try:
            SearchOptions.of({_DEFINED[name][0]: value})
        except QueryError as error:
            wrong.append((name, str(error)))
    if wrong:
        raise Problem(422, wrong[0][1], errors=wrong)
    try:
        return SearchOptions.of(given)
    except FilterConflict as error:
        raise Problem(
            422, str(error), errors=[(name, str(error)) for name in error.fields]
        ) from None


def _raw_folders(request: Request) -> dict[str, Any]:
    """Folders whose names are not UTF-8, from the percent signs of an address."""
    values: dict[str, Any] = {}
    for name, value in _pairs(request):
        if name in _FOLDERS and value:
            values.setdefault(name, []).append(value)
    return {name: sent if _DEFINED[name][1].is_list else sent[-1] for name, sent in values.items()}


def _pairs(request: Request) -> list[tuple[str, str]]:
    """Names and values of an address; bytes that are not UTF-8 as surrogate escapes."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_PAIRS_MAX
        )
    except ValueError:
        raise Problem(422, f"The address has more than {_PAIRS_MAX} parameters.") from None


Searched = Annotated[SearchOptions, Depends(query_options())]
SearchedBySight = Annotated[SearchOptions, Depends(query_options("mode"))]
Browsed = Annotated[SearchOptions, Depends(query_options("mode", "min_strength", "sort"))]
Counted = Annotated[
    SearchOptions,
    Depends(query_options("top_k", "offset", "mode", "min_strength", "sort")),
]
Paged = Annotated[SearchOptions, Depends(query_options(*(_DEFINED.keys() - {"top_k", "offset"})))]


def raw_folders(value: Mapping[str, Any]) -> dict[str, Any]:
    """Folders as a body that has been checked names them, UTF-8 or not."""
    return {name: value[name] for name in _FOLDERS if value.get(name)}


def refuse_others(request: Request) -> None:
    """Refuse unknown parameters, and values that are not UTF-8.

    A filter with a slip in its name would be lost, and another text searched for than was sent.
    """
    known = set(_names(request.scope["route"].dependant))
    wrong = [name for name in request.query_params if name not in known]
    if wrong:
        raise Problem(
            422,
            f"There is no parameter {printable(wrong[0])!r} here.",
            errors=[(printable(name), "there is no such parameter") for name in wrong],
        )
    pairs = _pairs(request)
    undecoded = dict.fromkeys(n for n, value in pairs if n not in _FOLDERS and not _is_utf8(value))
    if undecoded:
        message = "it is not valid UTF-8: send UTF-8 with percent signs, as %C3%A9 for é"
        errors = [(name, message) for name in undecoded]
        raise Problem(422, f"{next(iter(undecoded))}: {message}.", errors=errors)


def _is_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)
