"""What defines a parameter of a search, once: library, command line and REST are made from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from functools import cache
from typing import Any

from memery.errors import QueryError

_KEY = "parameter"
_VALUES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One field of `SearchOptions` or `Filter` as users give it.

    Attributes:
        help: one sentence, for the command line, OpenAPI and `help()`.
        default: the field's default.
        kind: of one value as it is typed: str, int, float or bool.
        is_list: several values may be given.
        is_folder: it names a folder; one whose name is not UTF-8 may be given.
        choices: the only values; empty where any will do.
        minimum: the least number.
        convert: turns what a caller gives into what the field holds; raises QueryError.
        unmatched: what to say of a value that no image meets.
        flags: spelling on the command line, where it is not `--name`.
        metavar: what stands for a value in the command line's help.
        separator: on the command line, what separates several values in one argument.
        commands: the commands that offer it.
        rest_name: spelling in REST, where it is not the name.
        rest_default: in REST, where it is not the default.
        rest_maximum: the greatest number in REST.
    """

    help: str
    default: Any
    kind: type = str
    is_list: bool = False
    is_folder: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    convert: Callable[[Any], Any] | None = None
    unmatched: Callable[[Any], str] | None = None
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    separator: str = ""
    commands: tuple[str, ...] = ("recall",)
    rest_name: str = ""
    rest_default: Any = None
    rest_maximum: int | None = None

    def checked(self, name: str, value: Any) -> Any:
        """The value that the field of this name holds for what a caller gave.

        Raises:
            QueryError: the value is not allowed; the message names the field.
        """
        if self.convert is not None:
            value = self.convert(value)
        if self.is_list:
            check_length(name, value)
        if value == self.default:
            return value
        if self.choices and value not in self.choices:
            raise QueryError(f"{name} is {value!r}: use one of {', '.join(self.choices)}.")
        if self.minimum is not None and value < self.minimum:
            raise QueryError(f"{name} is {value}: it must be {self.minimum} or more.")
        if self.kind is float and not math.isfinite(value):
            raise QueryError(f"{name} is {value}: it must be a finite number.")
        return value


def check_length(name: str, values: Sized) -> None:
    """Refuse a list that is too long for one condition.

    Raises:
        QueryError: it has more than 100 values.
    """
    if len(values) > _VALUES_MAX:
        raise QueryError(f"{name} has more than {_VALUES_MAX} values: give fewer.")


def parameter(default: Any, help: str, **definition: Any) -> Any:
    """A dataclass field that users can give; the arguments are those of `Parameter`."""
    defined = Parameter(default=default, help=help, **definition)
    return dataclasses.field(default=default, metadata={_KEY: defined})


@cache
def parameters_of(kind: type) -> Mapping[str, Parameter]:
    """The parameters of a dataclass by name, in the order of its fields."""
    return {
        field.name: field.metadata[_KEY]
        for field in dataclasses.fields(kind)
        if _KEY in field.metadata
    }
