"""The parameters of searches: converts URLs and JSON bodies to `SearchOptions`."""

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
CollectionName = Annotated[
    str | None, Query(max_length=NAME_MAX, description="Name of the collection.")
]

_DEFINED = {
    defined.rest_name or name: (name, defined) for name, defined in search_parameters().items()
}
"""REST name: library name and definition."""
_FOLDERS = {name for name, (_, defined) in _DEFINED.items() if defined.is_folder}
"""Parameters that name folders. Folder names may contain any bytes."""
_PAIRS_MAX = 1000


def body_fields() -> dict[str, Any]:
    """Return the parameters of a search as fields of a pydantic model."""
    return {
        name: (
            _type(defined),
            Field(_default(defined), description=defined.help, **_constraints(defined)),
        )
        for name, (_, defined) in _DEFINED.items()
    }


def query_options(*omitted: str) -> Callable[..., SearchOptions]:
    """Make a FastAPI dependency that parses the search options of a URL.

    Args:
        omitted: REST names of parameters that the route does not accept.
    """

    def options(request: Request, **values: Any) -> SearchOptions:
        return make_options(values, _raw_folders(request))

    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("request", keyword, annotation=Request)]
    for name, (_, defined) in _DEFINED.items():
        if name not in omitted:
            details = Query(description=defined.help, **_constraints(defined))
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


def _constraints(defined: Parameter) -> dict[str, Any]:
    limits = {
        "ge": defined.minimum,
        "le": defined.rest_maximum,
        "max_length": NAMES_MAX if defined.is_list else None,
        "allow_inf_nan": False if defined.kind is float else None,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def make_options(values: Mapping[str, Any], folders: dict[str, Any]) -> SearchOptions:
    """Make search options from REST parameters.

    Args:
        values: validated values by REST name; empty ones count as not given.
        folders: folder names as sent, which need not be UTF-8.

    Raises:
        Problem: a value is invalid; it names the field.
    """
    sent = {name: value for name, value in values.items() if value not in ("", [])} | folders
    given = {_DEFINED[name][0]: value for name, value in sent.items()}
    invalid = []
    for name, value in sent.items():
        try:
            SearchOptions.of({_DEFINED[name][0]: value})
        except QueryError as error:
            invalid.append((name, str(error)))
    if invalid:
        raise Problem(422, invalid[0][1], errors=invalid)
    try:
        return SearchOptions.of(given)
    except FilterConflict as error:
        raise Problem(
            422, str(error), errors=[(name, str(error)) for name in error.fields]
        ) from None


def _raw_folders(request: Request) -> dict[str, Any]:
    """Decode the folder names of a URL, which need not be UTF-8."""
    values: dict[str, Any] = {}
    for name, value in _pairs(request):
        if name in _FOLDERS and value:
            values.setdefault(name, []).append(value)
    return {name: sent if _DEFINED[name][1].is_list else sent[-1] for name, sent in values.items()}


def _pairs(request: Request) -> list[tuple[str, str]]:
    """The parameters of a URL; bytes that are not UTF-8 become surrogate escapes."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_PAIRS_MAX
        )
    except ValueError:
        raise Problem(422, f"The URL has more than {_PAIRS_MAX} parameters.") from None


SearchParams = Annotated[SearchOptions, Depends(query_options())]
VisualSearchParams = Annotated[SearchOptions, Depends(query_options("mode"))]
BrowseParams = Annotated[SearchOptions, Depends(query_options("mode", "min_strength", "sort"))]
FacetParams = Annotated[
    SearchOptions,
    Depends(query_options("top_k", "offset", "mode", "min_strength", "sort")),
]
PageParams = Annotated[
    SearchOptions, Depends(query_options(*(_DEFINED.keys() - {"top_k", "offset"})))
]


def raw_folders(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the folder names of a validated body, which need not be UTF-8."""
    return {name: value[name] for name in _FOLDERS if value.get(name)}


def reject_unknown_params(request: Request) -> None:
    """Refuse unknown parameters and values that are not UTF-8.

    Otherwise a misspelt filter would be ignored, and a wrongly decoded text searched for.

    Raises:
        Problem: a parameter is unknown, or a value is not UTF-8.
    """
    known = set(_names(request.scope["route"].dependant))
    invalid = [name for name in request.query_params if name not in known]
    if invalid:
        raise Problem(
            422,
            f"Unknown parameter {printable(invalid[0])!r}.",
            errors=[(printable(name), "unknown parameter") for name in invalid],
        )
    pairs = _pairs(request)
    undecoded = dict.fromkeys(n for n, value in pairs if n not in _FOLDERS and not _is_utf8(value))
    if undecoded:
        message = "it is not valid UTF-8: send percent-encoded UTF-8, for example %C3%A9 for é"
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
