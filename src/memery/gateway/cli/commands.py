"""The commands `build`, `status` and `purge`: call the library, print, return an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from memery.errors import ConfigError
from memery.gateway.cli import report_formats
from memery.gateway.cli.choices import ReportFormat
from memery.gateway.cli.console import NOTHING_FOUND, Console, handle_errors
from memery.gateway.cli.downloads import ensure_model
from memery.gateway.library import Memery
from memery.gateway.maintenance import drop_model
from memery.gateway.maintenance import purge as purge_archive
from memery.gateway.status import status as read_status
from memery.text.escaping import printable
from memery.text.plurals import counted


@handle_errors
def build(
    path: Path,
    console: Console,
    *,
    settings: dict[str, Any],
    rebuild: bool,
    verify: bool,
    dry_run: bool,
    format_: ReportFormat,
) -> None:
    """Index a folder."""
    ensure_model(settings, console)
    with Memery(path, rebuild=rebuild, **settings) as memery:
        if dry_run:
            changes = memery.preview(everything=rebuild or verify)
            return report_formats.write_preview(changes, format_)
        with console.progress() as tracker:
            report = memery.build(progress=tracker, rebuild=rebuild, verify=verify)
    return report_formats.write_report(report, format_)


@handle_errors
def status(path: Path, *, settings: dict[str, Any], format_: ReportFormat) -> None:
    """Show what is indexed, what is not, and why."""
    report_formats.write_status(read_status(path, **settings), format_)


@handle_errors
def purge(
    path: Path, console: Console, *, settings: dict[str, Any], yes: bool, model_id: str | None
) -> int:
    """Delete what memery stored about a folder, or the embeddings of one model."""
    target = (
        f"the embeddings of {printable(model_id)} for" if model_id else "what memery stored about"
    )
    if not yes and not _is_confirmed(f"Delete {target} {printable(str(path))}?"):
        return NOTHING_FOUND
    if model_id is not None:
        count = drop_model(path, model_id, **settings)
        embeddings = counted(count, "embedding")
        console.say(f"Deleted {embeddings} of {model_id}. The images are untouched.")
        return 0
    folder = purge_archive(path, **settings)
    console.say(f"Deleted what memery stored in {folder}. The images are untouched.")
    return 0


def _is_confirmed(question: str) -> bool:
    """Ask on standard error.

    Raises:
        ConfigError: standard input ends without an answer.
    """
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as abort:
        # Typer raises the same error for Ctrl-C and for the end of input.
        if not isinstance(abort.__context__, EOFError):
            raise
        typer.echo(err=True)
        raise ConfigError(
            "Nothing was deleted: standard input ended without an answer. Use --yes to delete"
            " without confirmation."
        ) from None
