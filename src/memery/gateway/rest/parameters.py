"""The parameters of searches: words of an address or of JSON to queries, filters and rankings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, ConfigDict, Field

from memery.errors import FilterConflict, QueryError
from memery.escaping import printable
from memery.filters import Filter
from memery.gateway.rest.problems import Problem
from memery.words.query import BOOST_MAX

TOP_K_MAX = 1000
OFFSET_MAX = 10_000_000
TEXT_MAX, NAME_MAX = 1000, 4096
NAMES_MAX = 64

Text = Annotated[str, Field(max_length=TEXT_MAX)]
Name = Annotated[str, Field(max_length=NAME_MAX)]
TopK = Annotated[int, Field(ge=1, le=TOP_K_MAX)]
Offset = Annotated[int, Field(ge=0, le=OFFSET_MAX)]
Mode = Literal["auto", "visual", "text"]
Sort = Literal["score", "date", "name"]
Shape = Literal["landscape", "portrait", "square"]
Strength = Annotated[float, Field(allow_inf_nan=False)]
Boost = Annotated[float, Field(allow_inf_nan=False, ge=-BOOST_MAX, le=BOOST_MAX)]
CollectionName = Annotated[str | None, Query(max_length=NAME_MAX, description="Its name.")]
ListCopies = Annotated[bool, Query(description="List every exact copy, not one for all.")]

_BYTES = ("under", "not_under")
"""Parameters that name folders, of which a name may be any bytes."""
_PAIRS_MAX = 1000


class Filters(BaseModel):
    """Which images may be found."""

    model_config = ConfigDict(extra="forbid")

    under: Name = ""
    not_under: list[Name] = Field(default_factory=list, max_length=NAMES_MAX)
    since: Name | None = None
    until: Name | None = None
    ext: list[Name] = Field(default_factory=list, max_length=NAMES_MAX)
    not_ext: list[Name] = Field(default_factory=list, max_length=NAMES_MAX)
    orientation: Shape | None = None
    not_orientation: Shape | None = None
    min_size: Name | None = None
    max_size: Name | None = None
    has_text: bool | None = None

    def as_filter(self, raw: dict[str, Any] | None = None) -> Filter:
        """The library's filter; a `Problem` names the field that is off.

        Args:
            raw: values that win, as they were sent.
        """
        values = self.model_dump(include=set(Filters.model_fields), exclude_none=True)
        values = {name: value for name, value in values.items() if value not in ("", [])}
        values |= raw or {}
        values = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        wrong = []
        for name, value in values.items():
            try:
                Filter(**{name: value})
            except QueryError as error:
                wrong.append((name, str(error)))
        if wrong:
            raise Problem(422, wrong[0][1], errors=wrong)
        try:
            return Filter(**values)
        except FilterConflict as error:
            errors = [(name, str(error)) for name in error.fields]
            raise Problem(422, str(error), errors=errors) from None


def filters(
    request: Request,
    under: Annotated[Name, Query(description="A folder, relative to the collection.")] = "",
    not_under: Annotated[
        list[Name], Query(max_length=NAMES_MAX, description="Folders to leave out.")
    ] = [],  # noqa: B006 - FastAPI copies defaults
    since: Annotated[
        Name | None, Query(description="No older than: 2023, 2023-05, 2023-05-31 or 30d.")
    ] = None,
    until: Annotated[Name | None, Query(description="No newer than, likewise.")] = None,
    ext: Annotated[list[Name], Query(max_length=NAMES_MAX, description="Extensions.")] = [],  # noqa: B006 - FastAPI copies defaults
    not_ext: Annotated[
        list[Name], Query(max_length=NAMES_MAX, description="Extensions to leave out.")
    ] = [],  # noqa: B006 - FastAPI copies defaults
    orientation: Annotated[Shape | None, Query(description="Of this shape.")] = None,
    not_orientation: Annotated[Shape | None, Query(description="Not of this shape.")] = None,
    min_size: Annotated[Name | None, Query(description="At least, such as 1000x800.")] = None,
    max_size: Annotated[Name | None, Query(description="At most, likewise.")] = None,
    has_text: Annotated[bool | None, Query(description="With text, or without.")] = None,
) -> Filter:
    """The filter of an address."""
    asked = Filters(
        under=under,
        not_under=not_under,
        since=since,
        until=until,
        ext=ext,
        not_ext=not_ext,
        orientation=orientation,
        not_orientation=not_orientation,
        min_size=min_size,
        max_size=max_size,
        has_text=has_text,
    )
    return asked.as_filter(_as_bytes(request))


def _as_bytes(request: Request) -> dict[str, Any]:
    """Folders whose names are not UTF-8, from the percent signs of an address."""
    values: dict[str, Any] = {}
    for name, value in _pairs(request):
        if name in _BYTES and value:
            values.setdefault(name, []).append(value)
    if "under" in values:
        values["under"] = values["under"][-1]
    return values


def _pairs(request: Request) -> list[tuple[str, str]]:
    """Names and values of an address; bytes that are not UTF-8 as surrogate escapes."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_PAIRS_MAX
        )
    except ValueError:
        raise Problem(422, f"The address has more than {_PAIRS_MAX} parameters.") from None


Where = Annotated[Filter, Depends(filters)]


def raw_folders(value: dict[str, Any]) -> dict[str, Any]:
    """Folders as a body that has been checked names them, UTF-8 or not."""
    return {name: value[name] for name in _BYTES if value.get(name)}


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
    undecoded = dict.fromkeys(n for n, value in pairs if n not in _BYTES and not _is_utf8(value))
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
