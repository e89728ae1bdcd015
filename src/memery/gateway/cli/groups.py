"""Option groups: a command takes a group as one argument; Typer sees its single options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints


class OptionGroup:
    """Base class of dataclasses whose fields are Typer options.

    Subclasses do without generated comparison and representation, and their module without
    postponed annotations: both are compiled at each start of the command.
    """

    @classmethod
    def declared(cls, command: str) -> list[inspect.Parameter]:  # noqa: ARG003 - for subclasses
        """The options that a command offers."""
        return list(_options(cls))  # type: ignore[arg-type]  # mypy: a class is hashable


@functools.cache
def _options(group: Any) -> tuple[inspect.Parameter, ...]:
    hints = get_type_hints(group, include_extras=True)
    return tuple(
        option(field.name, hints[field.name], [] if field.default is MISSING else field.default)
        for field in fields(group)
    )


def option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """An option as a parameter of a function."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def grouped(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups of options: each argument whose type is an `OptionGroup`."""
    hints = get_type_hints(function, include_extras=True)
    declared: dict[str, list[inspect.Parameter]] = {
        name: hint.declared(function.__name__)
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, OptionGroup)
    }
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        parameters += declared.get(name) or [option(name, hints[name], parameter.default)]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        for name, options in declared.items():
            values[name] = hints[name](
                **{parameter.name: values.pop(parameter.name) for parameter in options}
            )
        function(**values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
