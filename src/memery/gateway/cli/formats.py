"""How everything is printed: tables, JSON lines, numbers for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from memery.gallery import printable

_UNIT = 1000


def write_json(value: Any) -> None:
    """Print one JSON value on one line; what is not UTF-8 as surrogate escapes."""
    write(json.dumps(value) + "\n")


def write(text: str) -> None:
    """Print text as it is, now."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_table(columns: Mapping[str, Any], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; columns are headings with their justification."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():  # a line stays a line, and Rich need not be loaded
        return _write_plain_table(columns, cells)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in columns.items():
        table.add_column(heading, justify=justify, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    return Console(highlight=False).print(table)


def _write_plain_table(columns: Mapping[str, Any], rows: list[list[str]]) -> None:
    lines = [list(columns), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    justified = (
        "  ".join(
            cell.rjust(width) if justify == "right" else cell.ljust(width)
            for cell, width, justify in zip(line, widths, columns.values(), strict=True)
        )
        for line in lines
    )
    write("".join(f"{line.rstrip()}\n" for line in justified))


def images(count: int) -> str:
    """A number of images in words."""
    return "1 image" if count == 1 else f"{count} images"


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if count < _UNIT:
            return f"{count:.0f} {unit}"
        count /= _UNIT
    return f"{count:.1f} GB"
