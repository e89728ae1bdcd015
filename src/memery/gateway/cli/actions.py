"""What `recall` can do with its hits besides printing them: open, copy, show."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from memery.errors import ConfigError, FolderError
from memery.results import Results
from memery.text.escaping import printable
from memery.types import Hit

_LAUNCH_SECONDS = 3.0
"""Where no program opens a file, xdg-open has tried all by then; some programs it waits for."""
_SHOWN_ROWS = 8
"""Height of a thumbnail in lines of text."""


def open_best(results: Results) -> None:
    """Open the best hit in the system's viewer.

    Raises:
        ConfigError: there is none.
    """
    best = min(results, key=lambda hit: hit.rank)  # they may be printed in another order
    if not launch(os.fspath(best)):
        raise ConfigError(
            f"--open found no program to show {best.path}: install an image viewer and xdg-utils,"
            " or open the path that is printed."
        )


def launch(target: str) -> bool:
    """Open a file or an address in the program that the system has for it; False without one.

    What that program prints is dropped. One that is still running after a moment has succeeded.
    """
    if sys.platform == "win32":
        try:
            os.startfile(target)  # noqa: S606 - what the user has set up for such files
        except OSError:
            return False
        return True
    nothing = subprocess.DEVNULL
    try:
        opener = subprocess.Popen(  # noqa: S603 - no shell; the path is one argument
            ["open" if sys.platform == "darwin" else "xdg-open", target],
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
        return opener.wait(_LAUNCH_SECONDS) == 0
    except OSError:
        return False
    except subprocess.TimeoutExpired:
        return True


def copy_hits(results: Results, folder: Path) -> int:
    """Copy hits into a folder, which is made if need be; nothing in it is overwritten.

    Returns:
        how many were copied: a file that has vanished meanwhile is passed over.

    Raises:
        FolderError: the folder cannot be written, or a file cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return sum(_copy(hit, folder) for hit in results)
    except OSError as error:
        what = error.strerror or error
        raise FolderError(
            f"The hits cannot be copied to {folder}: {what}. Name another folder with --copy-to."
        ) from error


def _copy(hit: Hit, folder: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), Path(hit).open("rb") as source:
        target = _copy_to_new(source, folder, Path(hit.path))
        with contextlib.suppress(FileNotFoundError):
            shutil.copystat(hit, target)
        return True
    return False


def _copy_to_new(source: BinaryIO, folder: Path, name: Path) -> Path:
    target, number = folder / name.name, 1
    while True:
        try:
            with target.open("xb") as copy:
                shutil.copyfileobj(source, copy)
        except FileExistsError:
            number += 1
            target = folder / f"{name.stem}-{number}{name.suffix}"
        else:
            return target


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
