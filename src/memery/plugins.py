"""Plug-in lookup by name: built-in plug-ins and entry points of installed packages."""

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
"""The built-in plug-ins by entry point group and name, as module:attribute."""


def names(group: str) -> list[str]:
    """List the plug-ins of a group ("memery.models", …), built-in ones first."""
    third_parties = {point.name for point in _entry_points(group)}
    return [*BUILT_IN[group], *sorted(third_parties - BUILT_IN[group].keys())]


def is_plugin(group: str, name: str) -> bool:
    """Whether a plug-in has this name. It may read the metadata of all installed packages."""
    return name in BUILT_IN[group] or name in names(group)


def load(group: str, name: str) -> Any:
    """Import a plug-in by name. An installed package cannot replace a built-in plug-in.

    Raises:
        MemeryError: the group has no plug-in of this name.
    """
    if name in BUILT_IN[group]:
        module, _, attribute = BUILT_IN[group][name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in _entry_points(group):
        if point.name == name:
            return point.load()
    raise unknown(group, name)


def unknown(group: str, name: str, others: Sequence[str] = ()) -> MemeryError:
    """Make the error for an unknown plug-in name.

    Args:
        group: the entry point group.
        name: the unknown name.
        others: accepted names that are not plug-ins.
    """
    known = ", ".join([*names(group), *others])
    kind = group.removeprefix("memery.").removesuffix("s")
    error = ReaderError if kind == "reader" else ModelError
    return error(f"There is no {kind} named {name!r}. Known here: {known}.")


def _entry_points(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)
