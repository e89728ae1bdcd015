"""Prints tables, JSON lines and paths; formats sizes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from memery.text.escaping import printable

_UNIT = 1000


def write_json(value: Any) -> None:
    """Print one JSON value on one line; bytes that are not UTF-8 become surrogate escapes."""
    write(json.dumps(value) + "\n")


def write(text: str) -> None:
    """Print text unchanged, and flush."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_paths(paths: Iterable[Path], end: bytes) -> None:
    """Print paths as raw bytes, independent of the locale's encoding.

    On a terminal, control characters are escaped if paths are separated by newlines.

    Args:
        paths: the paths.
        end: the terminator of each path, a newline or a NUL byte.
    """
    if sys.stdout.isatty() and end == b"\n":
        write("".join(f"{printable(str(path))}\n" for path in paths))
    else:
        sys.stdout.buffer.writelines(os.fsencode(path) + end for path in paths)
        sys.stdout.buffer.flush()


def write_table(columns: Mapping[str, str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table. Rows are never wrapped: a path that is cut in two cannot be copied.

    Args:
        columns: headings with their justification, "left" or "right".
        rows: the cells of each row.
    """
    lines = [list(columns), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    justified = (
        "  ".join(
            cell.rjust(width) if justify == "right" else cell.ljust(width)
            for cell, width, justify in zip(line, widths, columns.values(), strict=True)
        )
        for line in lines
    )
    write("".join(f"{line.rstrip()}\n" for line in justified))


def size(count: float) -> str:
    """Format a number of bytes with a unit."""
    for unit in ("B", "kB", "MB"):
        if count < _UNIT:
            return f"{count:.0f} {unit}"
        count /= _UNIT
    return f"{count:.1f} GB"
