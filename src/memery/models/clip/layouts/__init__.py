"""Layouts in which CLIP models are published: one module for each, read into a `Layout`.

Facts come from the files. What the files do not state follows the code of their publisher.
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
"""In order of preference: the first layout that matches a folder wins."""


def read_layout(folder: Path) -> Layout:
    """Detect the layout of a model folder and read its description.

    Raises:
        ModelError: the folder matches none of the layouts, or its description is invalid.
    """
    if not folder.is_dir():
        raise ModelError(f"The model folder {folder} does not exist.")
    for layout in _LAYOUTS:
        if not _missing(folder, layout.MARKS):
            try:
                read: Layout = layout.read(folder)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise ModelError(
                    f"The model in {folder} cannot be used: its description is invalid"
                    f" ({type(error).__name__}: {error})."
                ) from error
            return read
    raise ModelError(_unknown_layout(folder))


def _missing(folder: Path, marks: Sequence[str]) -> list[str]:
    """List the missing files; "?/" means in the folder or in a direct subfolder."""
    return [
        mark.removeprefix("?/")
        for mark in marks
        if not any(folder.glob(mark.removeprefix("?/")))
        and not (mark.startswith("?/") and any(folder.glob(f"*{mark.removeprefix('?')}")))
    ]


def _unknown_layout(folder: Path) -> str:
    """Return a message that names the closest layout and the files that it lacks."""
    lacks = [(layout, _missing(folder, layout.MARKS)) for layout in _LAYOUTS]
    layout, missing = min(lacks, key=lambda pair: len(pair[1]) / len(pair[0].MARKS))
    if len(missing) == len(layout.MARKS):
        marks = "; ".join(f"{layout.NAME}: {', '.join(missing)}" for layout, missing in lacks)
        return f"{folder} does not contain a model in a supported layout ({marks})."
    return f"{folder} looks like {layout.NAME}, but lacks {', '.join(missing)}."
