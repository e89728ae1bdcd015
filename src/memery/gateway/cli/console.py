"""Standard error: notices, progress, and what went wrong; and the exit codes."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import typer

from memery.errors import (
    ArchiveError,
    ConfigError,
    FolderError,
    ImageError,
    MemeryError,
    ModelError,
    QueryError,
    ReaderError,
)
from memery.text.escaping import printable
from memery.types import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from memery.models.hub import PullProgress

P = ParamSpec("P")

_STAGES = {"images": "Indexing", "text": "Reading text"}

NOTHING_FOUND = 1
OUTPUT_FAILED = 3
INTERRUPTED = 130
_EXIT_CODES: tuple[tuple[type[MemeryError], int], ...] = (
    (QueryError, 2),
    (ConfigError, 2),
    (FolderError, 3),
    (ImageError, 3),
    (ArchiveError, 3),
    (ModelError, 4),
    (ReaderError, 4),
)


def reported(command: Callable[P, int | None]) -> Callable[P, NoReturn]:
    """Let a command return its exit code, and turn its errors into messages and exit codes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
        # A shell may close any of the three (`>&-`): nothing is lost by a null device instead.
        sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
        sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        try:
            code = command(*args, **kwargs) or 0
            sys.stdout.flush()
        except MemeryError as error:
            _say(str(error))
            code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
        except OSError as error:
            # Nothing is left to flush into a pipe that was closed, or onto a disk that is full.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            seen_enough = isinstance(error, BrokenPipeError)
            if not seen_enough:
                _say(f"The output cannot be written: {error.strerror or error}.")
            code = 0 if seen_enough else OUTPUT_FAILED
        except (KeyboardInterrupt, typer.Abort):
            _say("Interrupted. What was committed is kept.")
            code = INTERRUPTED
        _end_at_once(code)

    return run


def _end_at_once(code: int) -> NoReturn:
    """End without waiting for threads that are still decoding, and without taking Python apart.

    Everything is closed by then; tearing down the modules of numpy and faiss takes 50 ms more.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _say(message: str) -> None:
    print("memery:", printable(message.strip()), file=sys.stderr)  # noqa: T201 - a message to the user


class Notices:
    """What a command tells besides its data.

    Args:
        quiet: errors only.
        verbose: say more than usual.
    """

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet = quiet
        level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter())
        logger = logging.getLogger("memery")
        logger.handlers = [handler]
        logger.setLevel(level)
        if not verbose:  # Pillow warns about oddities in files that decode all the same
            warnings.simplefilter("ignore")

    def say(self, message: str) -> None:
        """A line for the user, unless quiet."""
        if not self._quiet:
            _say(message)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Tally]:
        """Count along, with a bar on a terminal."""
        with contextlib.ExitStack() as stack:
            shown = not self._quiet and sys.stderr.isatty()
            yield Tally((lambda: stack.enter_context(_bar())) if shown else None)

    @contextlib.contextmanager
    def download(self, name: str) -> Iterator[Callable[[PullProgress], None]]:
        """Follow a download, with a bar on a terminal."""
        if self._quiet or not sys.stderr.isatty():
            self.say(f"Downloading {name}.")
            yield lambda _: None
            return
        with _download_bar() as bar:
            task = bar.add_task(name, total=None)
            yield lambda progress: bar.update(task, completed=progress.done, total=progress.total)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"memery: {printable(record.getMessage())}"


class Tally:
    """Keeps the last counts of the indexing flow, and moves the bar.

    Args:
        make_bar: called when there is something to count, so that no bar flashes up for nothing.

    Attributes:
        last: the last counts, or None if nothing had to be indexed.
    """

    def __init__(self, make_bar: Callable[[], Bar] | None) -> None:
        self.last: Progress | None = None
        self._make_bar = make_bar
        self._bar: Bar | None = None
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Take new counts."""
        self.last = progress
        if self._make_bar is None:
            return
        if self._bar is None:
            self._bar = self._make_bar()
        if progress.stage != self._stage:  # a stage begins: its counts and its speed are its own
            self._stage = progress.stage
            for task in self._bar.tasks:
                self._bar.remove_task(task.id)
            self._bar.add_task(_STAGES[progress.stage], speed="")
        task = self._bar.tasks[0]
        speed = f"{task.speed:.0f} images/s" if task.speed else ""
        self._bar.update(task.id, completed=progress.done, total=progress.total, speed=speed)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _download_bar() -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
