"""How everything is printed: tables, JSON lines, numbers for people."""

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
    """Print one JSON value on one line; what is not UTF-8 as surrogate escapes."""
    write(json.dumps(value) + "\n")


def write(text: str) -> None:
    """Print text as it is, now."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_paths(paths: Iterable[Path], end: bytes) -> None:
    """Print paths, each with this after it: their own bytes, whatever the encoding is.

    On a terminal control characters in them are escaped, unless they end in zero bytes.
    """
    if sys.stdout.isatty() and end == b"\n":
        write("".join(f"{printable(str(path))}\n" for path in paths))
    else:
        sys.stdout.buffer.writelines(os.fsencode(path) + end for path in paths)
        sys.stdout.buffer.flush()


def write_table(columns: Mapping[str, str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; columns are headings with their justification, "left" or "right".

    A row is one line however long it is: a path that is cut in two cannot be copied.
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
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < _UNIT:
            return f"{count:.0f} {unit}"
        count /= _UNIT
    return f"{count:.1f} GB"
