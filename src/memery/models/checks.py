"""Checked values of what others state about a model: in its files, or in a server's answer.

What is wrong with a value is a ValueError; the caller says which model it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memery.imaging.resizing import INTERPOLATIONS, Resize

SIZE_MAX, CONTEXT_MAX, DIM_MAX = 4096, 4096, 1 << 14


def number(value: Any, most: int, least: int = 1) -> int:
    """A whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
    return value


def one_of(value: Any, known: tuple[str, ...]) -> str:
    """One of the words known."""
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return str(value)


def read_resize(image: Mapping[str, Any]) -> Resize:
    """How images are resized, as manifests and encoders state it."""
    return Resize(
        size=number(image["size"], SIZE_MAX),
        mode=one_of(image["mode"], ("squash", "shortest")),
        interpolation=one_of(image["interpolation"], INTERPOLATIONS),
        edge=number(image.get("edge", image["size"]), SIZE_MAX),
        crop=one_of(image.get("crop", "floor"), ("floor", "round")),
    )
