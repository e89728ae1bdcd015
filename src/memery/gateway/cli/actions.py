"""What `recall` can do with hits other than print them: open, copy, show."""

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
"""xdg-open fails within this time if no program opens a file. It waits for some programs."""
_SHOWN_ROWS = 8
"""Height of a thumbnail, in lines of text."""


def open_best(results: Results) -> None:
    """Open the best hit in the system's viewer.

    Raises:
        ConfigError: the system has no viewer.
    """
    best = min(results, key=lambda hit: hit.rank)  # --sort may print them in another order
    if not launch(os.fspath(best)):
        raise ConfigError(
            f"--open found no program that shows {best.path}. Install a viewer and xdg-utils,"
            " or open the printed path."
        )


def launch(target: str) -> bool:
    """Open a file or URL in the system's default program, and discard what that program prints.

    Returns:
        Whether a program opened it. One that still runs after a few seconds counts as success.
    """
    if sys.platform == "win32":
        try:
            os.startfile(target)  # noqa: S606 - the user's default program
        except OSError:
            return False
        return True
    null = subprocess.DEVNULL
    try:
        opener = subprocess.Popen(  # noqa: S603 - no shell; the path is one argument
            ["open" if sys.platform == "darwin" else "xdg-open", target],
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=True,
        )
        return opener.wait(_LAUNCH_SECONDS) == 0
    except OSError:
        return False
    except subprocess.TimeoutExpired:
        return True


def copy_hits(results: Results, folder: Path) -> int:
    """Copy hits into a folder. Create it if needed, and overwrite nothing in it.

    Returns:
        The number of files copied; files that no longer exist are skipped.

    Raises:
        FolderError: the folder cannot be written, or a file cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return sum(_copy(hit, folder) for hit in results)
    except OSError as error:
        reason = error.strerror or error
        raise FolderError(
            f"Cannot copy the hits to {folder}: {reason}. Choose another folder with --copy-to."
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
    """Print thumbnails with the kitty protocol or sixel, depending on the terminal.

    Raises:
        ConfigError: textual-image is not installed, or standard output is not a terminal.
    """
    try:
        from textual_image.renderable import Image
    except ImportError:
        raise ConfigError("--show needs textual-image: pip install textual-image") from None
    from rich.console import Console

    if not sys.stdout.isatty():
        raise ConfigError("--show needs a terminal, but standard output is not one.")
    console = Console(highlight=False)
    for hit in results:
        console.print(Image(os.fspath(hit), height=_SHOWN_ROWS))
        console.print(f"{hit.rank}  {hit.score:.4f}  {printable(hit.path)}", markup=False)
