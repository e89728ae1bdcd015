"""Validation of facts about a model, from its files or from a server.

Invalid values raise ValueError; the caller adds the name of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memery.imaging.resizing import INTERPOLATIONS, Resize

SIZE_MAX, CONTEXT_MAX, DIM_MAX = 4096, 4096, 1 << 14


def number(value: Any, most: int, least: int = 1) -> int:
    """Check that a value is an integer from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r} is not a whole number from {least} to {most}")
    return value


def one_of(value: Any, known: tuple[str, ...]) -> str:
    """Check that a value is one of the known strings."""
    if value not in known:
        raise ValueError(f"{value!r} is not one of {', '.join(known)}")
    return str(value)


def read_resize(image: Mapping[str, Any]) -> Resize:
    """Read how images are resized, from a manifest or a remote encoder's facts."""
    return Resize(
        size=number(image["size"], SIZE_MAX),
        mode=one_of(image["mode"], ("squash", "shortest")),
        interpolation=one_of(image["interpolation"], INTERPOLATIONS),
        edge=number(image.get("edge", image["size"]), SIZE_MAX),
        crop=one_of(image.get("crop", "floor"), ("floor", "round")),
    )
