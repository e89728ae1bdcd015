"""Validate values in the description of a model, which is untrusted input.

An invalid value raises ValueError; `read_layout` adds the folder of the model.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from memery.errors import ModelError
from memery.models.checks import SIZE_MAX, number
from memery.text.files import read_text

_JSON_BYTES = 64 << 20
_CHANNELS = 3


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; errors become ModelErrors that name the file."""
    try:
        if file.stat().st_size > _JSON_BYTES:
            raise ModelError(f"{file} is too large for a model description.")
        content = json.loads(read_text(file))
    except FileNotFoundError:
        raise ModelError(f"The model in {file.parent} lacks {file.name}.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} is not a JSON object.")
    return content


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML table; errors become ModelErrors that name the file."""
    try:
        return tomllib.loads(read_text(file))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error


def inside(folder: Path, name: str) -> Path:
    """Resolve a path from a description and reject one outside the model folder."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name!r} leads out of the folder")
    return folder / path


def square(value: Any) -> int:
    """Return the side of a square given as a number or as height and width."""
    height, width = value if isinstance(value, (list, tuple)) else (value, value)
    if height != width:
        raise ValueError(f"{value!r} is not square")
    return number(height, SIZE_MAX)


def three(value: Any) -> tuple[float, ...] | None:
    """Return one number for each channel, or None."""
    if value is None:
        return None
    numbers = tuple(float(part) for part in value)
    if len(numbers) != _CHANNELS:
        raise ValueError(f"{value!r} is not one number per channel")
    return numbers


def token(value: Any) -> str:
    """Return a token from tokenizer_config.json, where it is a string or an object."""
    return str(value["content"] if isinstance(value, dict) else value)
