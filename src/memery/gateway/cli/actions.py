"""What `recall` can do with its hits besides printing them: open, copy, show."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from memery.archive import unwritable
from memery.errors import ConfigError
from memery.gallery import printable
from memery.types import Hit, Results

_SHOWN_ROWS = 8
"""Height of a thumbnail in lines of text."""


def open_best(results: Results) -> None:
    """Open the best hit in the system's viewer."""
    import typer

    if typer.launch(os.fspath(results[0])) != 0:
        raise ConfigError("No program to show images was found: install one, or open the path.")


def copy_hits(results: Results, folder: Path) -> int:
    """Copy hits into a folder, which is made if need be; nothing in it is overwritten.

    Returns:
        how many were copied.

    Raises:
        ArchiveError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for hit in results:
            _copy(hit, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return len(results)


def _copy(hit: Hit, folder: Path) -> None:
    name = Path(hit.path)
    target, number = folder / name.name, 1
    while True:
        try:
            with Path(hit).open("rb") as source, target.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        except FileExistsError:
            number += 1
            target = folder / f"{name.stem}-{number}{name.suffix}"
        else:
            shutil.copystat(hit, target)
            return


def show_thumbnails(results: Results) -> None:
    """Print thumbnails with kitty's protocol or sixel, whichever the terminal speaks."""
    try:
        from textual_image.renderable import Image
    except ImportError:
        raise ConfigError("--show needs textual-image: pip install textual-image") from None
    from rich.console import Console

    if not sys.stdout.isatty():
        raise ConfigError("--show prints to a terminal, and standard output is none.")
    console = Console(highlight=False)
    for hit in results:
        console.print(Image(os.fspath(hit), height=_SHOWN_ROWS))
        console.print(f"{hit.rank}  {hit.score:.4f}  {printable(hit.path)}", markup=False)
