"""The options of a search, generated from the definitions in `SearchOptions` and `Filter`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from memery.gateway.cli.groups import OptionGroup, option
from memery.gateway.cli.options import not_empty
from memery.query.options import SearchOptions, search_parameters
from memery.query.parameters import Parameter


class SearchArguments(OptionGroup):
    """The parameters of a search as typed.

    Args:
        values: typed values by parameter name.
    """

    def __init__(self, **values: Any) -> None:
        self._values = values

    @classmethod
    def declared(cls, command: str) -> list[inspect.Parameter]:
        """The options that a command offers."""
        return [
            option(name, _annotation(defined), _default(defined))
            for name, defined in search_parameters().items()
            if command in defined.commands
        ]

    def options(self, folder: Path) -> SearchOptions:
        """Parse the typed values.

        Args:
            folder: the folder to search.

        Returns:
            The options of the search.

        Raises:
            QueryError: a value is not allowed.
        """
        known = search_parameters()
        return SearchOptions.of(
            {name: _value(known[name], typed, folder) for name, typed in self._values.items()}
        )


def _annotation(defined: Parameter) -> Any:
    kind: Any = Literal[defined.choices] if defined.choices else defined.kind
    kind = list[kind] if defined.is_list else kind
    details = typer.Option(
        *defined.flags,
        help=defined.help,
        metavar=defined.metavar,
        min=defined.minimum,
        callback=not_empty if defined.is_folder else None,
    )
    return Annotated[kind if defined.is_list else kind | None, details]


def _default(defined: Parameter) -> Any:
    """The default that Typer uses, and shows in the help."""
    if defined.is_list:
        return []
    is_shown = type(defined.default) is defined.kind and defined.default != ""
    return defined.default if is_shown else None


def _value(defined: Parameter, typed: Any, folder: Path) -> Any:
    """Convert a typed value to the value that the library expects."""
    if defined.separator and typed is not None:
        typed = [part for value in typed for part in value.split(defined.separator)]
    if defined.is_folder and typed:
        names = typed if defined.is_list else [typed]
        inside = [_inside(folder, name) for name in names]
        return inside if defined.is_list else inside[0]
    return typed


def _inside(searched: Path, folder: str) -> str:
    """Make a folder relative to the searched one; shell completion gives other paths."""
    try:
        if folder and (Path(folder).is_absolute() or not (searched / folder).is_dir()):
            return Path(folder).resolve().relative_to(searched.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):
        pass
    return folder
