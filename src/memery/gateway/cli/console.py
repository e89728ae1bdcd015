"""Messages, progress and errors on standard error; exit codes."""

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

_STAGES = {"images": "Indexing", "text": "Recognising text"}

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


def handle_errors(command: Callable[P, int | None]) -> Callable[P, NoReturn]:
    """Wrap a command: print its errors as messages, and exit with its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
        # A shell may close any of the three (`>&-`); the null device takes its place.
        sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
        sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        try:
            code = command(*args, **kwargs) or 0
            sys.stdout.flush()
        except MemeryError as error:
            _print_message(str(error))
            code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
        except OSError as error:
            # Discard what is buffered: the pipe is closed or the disk is full.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            is_closed = isinstance(error, BrokenPipeError)
            if not is_closed:
                _print_message(f"Cannot write the output: {error.strerror or error}.")
            code = 0 if is_closed else OUTPUT_FAILED
        except (KeyboardInterrupt, typer.Abort):
            _print_message("Interrupted. Committed work is kept.")
            code = INTERRUPTED
        _exit_now(code)

    return run


def _exit_now(code: int) -> NoReturn:
    """Exit without waiting for threads that are still decoding, and without interpreter teardown.

    Everything is closed by now; unloading numpy and faiss would take another 50 ms.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _print_message(message: str) -> None:
    print("memery:", printable(message.strip()), file=sys.stderr)  # noqa: T201 - a message to the user


class Console:
    """Prints messages and progress on standard error.

    Args:
        quiet: print errors only.
        verbose: print debug messages too.
    """

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet = quiet
        level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.WARNING
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter())
        logger = logging.getLogger("memery")
        logger.handlers = [handler]
        logger.setLevel(level)
        if not verbose:  # Pillow warns about files that it decodes nevertheless
            warnings.simplefilter("ignore")

    def say(self, message: str) -> None:
        """Print a message, unless quiet."""
        if not self._quiet:
            _print_message(message)

    @contextlib.contextmanager
    def progress(self) -> Iterator[ProgressTracker]:
        """Track the progress of indexing; show a bar on a terminal."""
        with contextlib.ExitStack() as stack:
            is_shown = not self._quiet and sys.stderr.isatty()
            yield ProgressTracker((lambda: stack.enter_context(_bar())) if is_shown else None)

    @contextlib.contextmanager
    def download(self, name: str) -> Iterator[Callable[[PullProgress], None]]:
        """Track the progress of a download; show a bar on a terminal."""
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


class ProgressTracker:
    """Keeps the last counts of the indexing flow, and updates the progress bar.

    Args:
        make_bar: called on the first update, so that no bar appears if nothing is indexed; None
            shows no bar.

    Attributes:
        last: the last counts, or None if nothing was indexed.
    """

    def __init__(self, make_bar: Callable[[], Bar] | None) -> None:
        self.last: Progress | None = None
        self._make_bar = make_bar
        self._bar: Bar | None = None
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Update the counts."""
        self.last = progress
        if self._make_bar is None:
            return
        if self._bar is None:
            self._bar = self._make_bar()
        if progress.stage != self._stage:  # a new stage starts its own counts and speed
            self._stage = progress.stage
            for task in self._bar.tasks:
                self._bar.remove_task(task.id)
            self._bar.add_task(_STAGES[progress.stage], speed="")
        task = self._bar.tasks[0]
        speed = f"{task.speed:.0f} images/s" if task.speed else ""
        self._bar.update(task.id, completed=progress.done, total=progress.total, speed=speed)


def _bar() -> Bar:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
    )


def _download_bar() -> Bar:
    from rich.console import Console as RichConsole
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
        console=RichConsole(stderr=True),
        transient=True,
    )
