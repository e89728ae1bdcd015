"""The options of a search, made from the definitions in `SearchOptions` and `Filter`."""

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
    """The parameters of a search as they were typed.

    Args:
        values: by name.
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
        """How to search a folder.

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
    """What Typer gives for an option that was not typed, and shows in the help."""
    if defined.is_list:
        return []
    is_shown = type(defined.default) is defined.kind and defined.default != ""
    return defined.default if is_shown else None


def _value(defined: Parameter, typed: Any, folder: Path) -> Any:
    """What was typed, as the library takes it."""
    if defined.separator and typed is not None:
        typed = [part for value in typed for part in value.split(defined.separator)]
    if defined.is_folder and typed:
        names = typed if defined.is_list else [typed]
        inside = [_inside(folder, name) for name in names]
        return inside if defined.is_list else inside[0]
    return typed


def _inside(searched: Path, folder: str) -> str:
    """A folder relative to the one searched; it may be typed as the shell completes it."""
    try:
        if folder and (Path(folder).is_absolute() or not (searched / folder).is_dir()):
            return Path(folder).resolve().relative_to(searched.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):
        pass
    return folder
