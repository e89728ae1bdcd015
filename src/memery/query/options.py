"""Search options: one definition for every entry point."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from memery.query.filters import Filter
from memery.query.parameters import Parameter, parameter, parameters_of

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS_MARK = re.compile(r"^( *)options: \{options\}$", re.MULTILINE)
_COMMANDS = ("recall", "similar")


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How hits are chosen and ordered.

    Attributes:
        top_k: maximum number of hits.
        offset: number of hits to skip.
        mode: "visual": by what images show; "text": by the words in them and in their names;
            "auto": by both.
        min_strength: drop weaker hits, unless they contain all words of the query.
        sort: "score": best first; "date": newest first; "name": by path. "date" and "name" sort all
            matches across pages; weak hits follow, best first. With min_strength, or if no
            hit can be called weak, all hits are matches.
        list_copies: every exact copy is a hit; otherwise exact copies are folded into one.
        filter: which images may be found.

    Raises:
        QueryError: a value is not allowed; the message names it.
    """

    top_k: int = parameter(
        10,
        "Return at most this many hits.",
        kind=int,
        minimum=1,
        flags=("-n", "--top-k"),
        commands=_COMMANDS,
        rest_default=50,
        rest_maximum=1000,
    )
    offset: int = parameter(
        0,
        "Skip this many of the best hits.",
        kind=int,
        minimum=0,
        commands=_COMMANDS,
        rest_maximum=10_000_000,
    )
    mode: str = parameter(
        "auto",
        "Rank by what images show, by the words in them and their names, or by both.",
        choices=("auto", "visual", "text"),
    )
    min_strength: float | None = parameter(
        None,
        "Drop hits that are weaker than this.",
        kind=float,
        metavar="X",
        commands=_COMMANDS,
    )
    sort: str = parameter(
        "score",
        "The order of the hits.",
        choices=("score", "date", "name"),
        commands=_COMMANDS,
    )
    list_copies: bool = parameter(
        False,
        "List every exact copy, not one hit for all of them.",
        kind=bool,
        flags=("--copies",),
        commands=_COMMANDS,
        rest_name="copies",
    )
    filter: Filter = field(default_factory=Filter)

    def __post_init__(self) -> None:
        for name, defined in parameters_of(SearchOptions).items():
            defined.checked(name, getattr(self, name))

    @classmethod
    def of(
        cls, values: Mapping[str, Any], where: Filter | None = None, omitted: Collection[str] = ()
    ) -> SearchOptions:
        """Make options from values by name, including those of the filter.

        Args:
            values: by parameter name; None and default values are ignored.
            where: a filter; values replace its conditions.
            omitted: names of parameters that this search does not have.

        Raises:
            TypeError: a name is not a parameter.
            QueryError: a value is not allowed.
        """
        known = {n: p for n, p in search_parameters().items() if n not in omitted}
        if unknown := sorted(values.keys() - known.keys()):
            raise TypeError(
                f"A search has no parameter {unknown[0]!r}. It has: {', '.join(known)}."
            )
        given = {
            name: value
            for name, value in values.items()
            if value is not None and value != known[name].default
        }
        conditions = {name: given.pop(name) for name in parameters_of(Filter) if name in given}
        narrowed = replace(where or Filter(), **conditions) if conditions else where or Filter()
        return cls(**given, filter=narrowed)


def search_parameters() -> Mapping[str, Parameter]:
    """All search parameters by name: those of `SearchOptions`, then those of `Filter`."""
    return {**parameters_of(SearchOptions), **parameters_of(Filter)}


def split_settings(
    keywords: Mapping[str, Any], where: Filter | None = None
) -> tuple[SearchOptions, dict[str, Any]]:
    """Split keywords into search options and settings.

    Args:
        keywords: search parameters and fields of `Config`.
        where: a filter to add the parameters to.

    Raises:
        QueryError: a value is not allowed.
    """
    known = search_parameters()
    options = {name: value for name, value in keywords.items() if name in known}
    settings = {name: value for name, value in keywords.items() if name not in known}
    return SearchOptions.of(options, where), settings


def takes_search_parameters(*omitted: str) -> Callable[[F], F]:
    """Decorator: show the search parameters in the signature and docstring of a function.

    The function takes them as `**options`, or as part of `**settings`. In its docstring they
    replace `options: {options}`.

    Args:
        omitted: names of parameters that the function does not take.
    """

    def decorate(function: F) -> F:
        shown = {n: p for n, p in search_parameters().items() if n not in omitted}
        annotations = {f.name: f.type for kind in (SearchOptions, Filter) for f in fields(kind)}
        signature = inspect.signature(function)
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defined.default,
                annotation=annotations[name],
            )
            for name, defined in shown.items()
        ]
        own = list(signature.parameters.values())
        keywords = own.pop()
        settings = [keywords] if keywords.name == "settings" else []
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*own, *parameters, *settings]
        )
        mark = _OPTIONS_MARK.search(function.__doc__ or "")
        if function.__doc__ and mark:
            lines = f"\n{mark[1]}".join(f"{name}: {p.help}" for name, p in shown.items())
            function.__doc__ = function.__doc__.replace(mark[0], mark[1] + lines)
        return function

    return decorate
