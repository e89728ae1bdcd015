"""The layouts in which CLIP models are published: a module each, read into one `Layout`.

Every fact is read from the files; what a layout leaves unsaid is what its publisher's code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from memery.errors import ModelError
from memery.models.clip.layouts import immich, memery_format, rclip, transformers
from memery.models.clip.layouts.description import ImageTower, Layout, TextTower

__all__ = ["ImageTower", "Layout", "TextTower", "read_layout"]

_LAYOUTS: tuple[ModuleType, ...] = (memery_format, immich, transformers, rclip)
"""A folder that fits several is what comes first."""


def read_layout(folder: Path) -> Layout:
    """Recognise a folder and read its description.

    Raises:
        ModelError: it is in none of the layouts, or its description makes no sense.
    """
    if not folder.is_dir():
        raise ModelError(f"There is no model folder {folder}.")
    for layout in _LAYOUTS:
        if not _missing(folder, layout.MARKS):
            try:
                read: Layout = layout.read(folder)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise ModelError(
                    f"The model in {folder} cannot be used: its description is broken"
                    f" ({type(error).__name__}: {error})."
                ) from error
            return read
    raise ModelError(_refusal(folder))


def _missing(folder: Path, marks: Sequence[str]) -> list[str]:
    """Which files are not there; "?/" means in the folder or one below."""
    return [
        mark.removeprefix("?/")
        for mark in marks
        if not any(folder.glob(mark.removeprefix("?/")))
        and not (mark.startswith("?/") and any(folder.glob(f"*{mark.removeprefix('?')}")))
    ]


def _refusal(folder: Path) -> str:
    """Which layout comes nearest, and what it lacks."""
    lacks = [(layout, _missing(folder, layout.MARKS)) for layout in _LAYOUTS]
    layout, missing = min(lacks, key=lambda pair: len(pair[1]) / len(pair[0].MARKS))
    if len(missing) == len(layout.MARKS):
        marks = "; ".join(f"{layout.NAME}: {', '.join(missing)}" for layout, missing in lacks)
        return f"{folder} holds no model in a layout that memery knows ({marks})."
    return f"{folder} looks like {layout.NAME}, but lacks {', '.join(missing)}."
