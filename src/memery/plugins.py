"""Look-up of plug-ins by name: built-in ones, and entry points of installed packages."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from memery.errors import MemeryError, ModelError, ReaderError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN = {
    "memery.models": {"starter": "memery.models.starter:StarterModel"},
    "memery.stores": {"sqlite": "memery.stores.sqlite.store:SQLiteStore"},
    "memery.readers": {"rapidocr": "memery.ocr.rapidocr:RapidOcrEngine"},
}
"""What comes with memery, by entry point group and name: module:attribute."""


def names(group: str) -> list[str]:
    """The names of the plug-ins of a group ("memery.models", …), built-in ones first."""
    third_parties = {point.name for point in _entry_points(group)}
    return [*BUILT_IN[group], *sorted(third_parties - BUILT_IN[group].keys())]


def is_plugin(group: str, name: str) -> bool:
    """Whether a plug-in has that name. To find out, a file of each package may be read."""
    return name in BUILT_IN[group] or name in names(group)


def load(group: str, name: str) -> Any:
    """The class behind a name. An installed package cannot replace a built-in one.

    Raises:
        MemeryError: there is no plug-in of that name.
    """
    if name in BUILT_IN[group]:
        module, _, attribute = BUILT_IN[group][name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in _entry_points(group):
        if point.name == name:
            return point.load()
    raise unknown(group, name)


def unknown(group: str, name: str, others: Sequence[str] = ()) -> MemeryError:
    """The error for a name that is neither of a plug-in nor among others that are accepted."""
    known = ", ".join([*names(group), *others])
    kind = group.removeprefix("memery.").removesuffix("s")
    error = ReaderError if kind == "reader" else ModelError
    return error(f"There is no {kind} named {name!r}. Known here: {known}.")


def _entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)
