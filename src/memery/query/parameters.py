"""Search parameters: one definition for the library, the command line and REST."""

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
    """A field of `SearchOptions` or `Filter` that users can set.

    Attributes:
        help: one sentence, for the command line, OpenAPI and `help()`.
        default: the field's default.
        kind: type of one value: str, int, float or bool.
        is_list: whether several values are allowed.
        is_folder: whether it is a folder, whose name may contain bytes that are not UTF-8.
        choices: the allowed values; empty if all are.
        minimum: minimum number.
        convert: converts a value to that of the field; raises QueryError.
        unmatched: makes the message for a value that no image matches.
        flags: names on the command line, if not `--name`.
        metavar: placeholder of a value in the command line's help.
        separator: separates several values in one command-line argument.
        commands: the commands that have it.
        rest_name: name in REST, if different.
        rest_default: default in REST, if different.
        rest_maximum: maximum number in REST.
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
        """Convert and check a value.

        Args:
            name: name of the field, for messages.
            value: the value from the caller.

        Raises:
            QueryError: the value is not allowed; the message names the field.
        """
        if value is self.default:  # most are; a search makes several filters
            return value
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
    """Check the length of a list.

    Raises:
        QueryError: it has more than 100 values.
    """
    if len(values) > _VALUES_MAX:
        raise QueryError(f"{name} has more than {_VALUES_MAX} values. Use fewer.")


def parameter(default: Any, help: str, **definition: Any) -> Any:
    """Define a dataclass field that users can set; the arguments are those of `Parameter`."""
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
