"""A command whose text argument may begin with a dash, like an option."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperOption


class TextCommand(TyperCommand):
    """Explains how to pass a text that begins with a dash instead of rejecting it as an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            typer.BadParameter: an argument begins with a dash and is not an option.
        """
        options = [param for param in self.params if isinstance(param, TyperOption)]
        names = {
            name: option for option in options for name in (*option.opts, *option.secondary_opts)
        }
        words = iter(args)
        for word in words:
            if word == "--":
                break
            option = names.get(word)
            if option is not None and not option.is_flag:
                next(words, None)  # its value
            elif option is None and _is_text(word, names):
                import shlex

                raise typer.BadParameter(
                    f"{word!r} is not an option. If it is part of the query, put the whole query in"
                    " quotation marks; if the query begins with it, put -- before the query:"
                    f" memery recall PATH -- {shlex.quote(word)}"
                )
        return super().parse_args(ctx, args)


def _is_text(word: str, names: dict[str, TyperOption]) -> bool:
    """Whether an unknown option may be meant as text: `-people`, but not `-qn5`."""
    if word.startswith("--"):
        return any(character.isspace() for character in word)
    if not word.startswith("-") or word == "-":
        return False
    for place, letter in enumerate(word[1:], start=1):
        option = names.get(f"-{letter}")
        if option is None:
            return True
        if not option.is_flag:  # the rest is its value; only numbers follow their option directly
            return word[place + 1 : place + 2].isalpha()
    return False
