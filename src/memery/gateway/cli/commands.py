"""What the commands do: call the library, print, return an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer

from memery import plugins
from memery.config import load_config
from memery.errors import ArchiveMissing, ModelMismatch, QueryError
from memery.gallery import printable
from memery.gateway.cli import actions, formats
from memery.gateway.cli.choices import ReportFormat, ResultFormat
from memery.gateway.cli.console import INTERRUPTED, NOTHING_FOUND, Notices, Tally, reported
from memery.gateway.cli.terms import STDIN, parse_query
from memery.gateway.library import Memery, drop_model
from memery.gateway.library import purge as purge_archive
from memery.gateway.library import status as read_status
from memery.types import Query, Results, Term


@dataclass(frozen=True, slots=True)
class Page:
    """Which hits are wanted, and whether the folder is scanned first."""

    top_k: int
    offset: int
    refresh: bool


@dataclass(frozen=True, slots=True)
class Words:
    """The terms of a query as they were typed."""

    texts: list[str]
    images: list[str]
    excluded: list[str]
    excluded_images: list[str]

    def __bool__(self) -> bool:
        return bool(self.texts or self.images or self.excluded or self.excluded_images)


@reported
def recall(
    path: Path,
    words: Words,
    page: Page,
    notices: Notices,
    *,
    settings: dict[str, Any],
    format_: ResultFormat | None,
    queries_from: str | None,
    open_: bool,
    copy_to: Path | None,
    show: bool,
) -> int:
    """Find images; index what is new first."""
    if queries_from is not None:
        if words or format_ not in (None, ResultFormat.JSONL) or open_ or copy_to or show:
            raise QueryError("--queries-from goes with neither other terms nor other formats.")
        _have_model(settings, notices)
        with Memery(path, **settings) as memery:
            return _recall_lines(memery, queries_from, notices, page)
    max_bytes = load_config(**settings).max_bytes
    query = parse_query(words.texts, words.images, words.excluded, words.excluded_images, max_bytes)
    _have_model(settings, notices)
    with Memery(path, **settings) as memery:
        results, code = _recall_one(memery, query, notices, page)
    formats.write_results(results, path, format_ or ResultFormat.TABLE)
    if not results:
        notices.say(f"Nothing to show: {path} has {results.total} images that can be searched.")
        return code or NOTHING_FOUND
    if show:
        actions.show_thumbnails(results)
    if copy_to is not None:
        count = actions.copy_hits(results, copy_to)
        gone = f" {len(results) - count} are gone." if count < len(results) else ""
        notices.say(f"{count} images copied to {copy_to}.{gone}")
    if open_:
        actions.open_best(results)
    return code


def _have_model(settings: dict[str, Any], notices: Notices) -> None:
    """Download the model that was named, with a bar, if it is not there."""
    name = load_config(**settings).model
    if name == "auto" or name in plugins.names("memery.models"):
        return
    from memery.gateway.cli.model_commands import fetch
    from memery.models import catalogue

    if catalogue.is_to_be_downloaded(name):
        fetch(catalogue.split(name, "")[0], notices)


def _recall_one(memery: Memery, query: Query, notices: Notices, page: Page) -> tuple[Results, int]:
    """Results and exit code; an interrupted indexing flow still gives an answer."""
    with notices.progress() as tally:
        try:
            results = memery.recall(
                query, refresh=page.refresh, progress=tally, top_k=page.top_k, offset=page.offset
            )
        except KeyboardInterrupt:
            results = None
    if results is not None:
        _summarise(tally, notices)
        return results, 0
    if tally.last is None:
        raise KeyboardInterrupt
    try:
        results = memery.recall(query, top_k=page.top_k, offset=page.offset)
    except (ArchiveMissing, ModelMismatch):  # nothing was committed yet
        raise KeyboardInterrupt from None
    left = tally.last.total - tally.last.done
    notices.say(
        f"Interrupted: {results.total} of {results.total + left} images are indexed;"
        " this answer is from those."
    )
    return results, INTERRUPTED


def _summarise(tally: Tally, notices: Notices) -> None:
    last = tally.last
    if last is not None and last.total:
        skipped = f", {last.skipped} skipped (memery status says why)" if last.skipped else ""
        notices.say(f"{last.done - last.skipped} images read{skipped}.")


def _recall_lines(memery: Memery, source: str, notices: Notices, page: Page) -> int:
    found = False
    for line in _lines(source):
        query = Query((Term(text=line),))
        results, code = _recall_one(memery, query, notices, page)
        formats.write_json(formats.results_json(results))
        found = found or bool(results)
        page = replace(page, refresh=False)  # once is enough for all
        if code:
            return code
    return 0 if found else NOTHING_FOUND


def _lines(source: str) -> Iterator[str]:
    """The lines of a file that are not blank, as they come."""
    try:
        with sys.stdin if source == STDIN else Path(source).open(encoding="utf-8") as file:
            yield from (line.strip() for line in file if line.strip())
    except (OSError, ValueError) as error:
        raise QueryError(f"The queries in {source} cannot be read: {error}.") from error


@reported
def build(
    path: Path,
    notices: Notices,
    *,
    settings: dict[str, Any],
    rebuild: bool,
    verify: bool,
    dry_run: bool,
    format_: ReportFormat,
) -> None:
    """Index a folder."""
    _have_model(settings, notices)
    with Memery(path, rebuild=rebuild, **settings) as memery:
        if dry_run:
            changes = memery.preview(everything=rebuild or verify)
            return formats.write_preview(changes, format_)
        with notices.progress() as tally:
            report = memery.build(progress=tally, rebuild=rebuild, verify=verify)
    return formats.write_report(report, format_)


@reported
def status(path: Path, *, settings: dict[str, Any], format_: ReportFormat) -> None:
    """Say what is indexed, what is not, and why."""
    formats.write_status(read_status(path, **settings), format_)


@reported
def purge(
    path: Path, notices: Notices, *, settings: dict[str, Any], yes: bool, model_id: str | None
) -> int:
    """Delete what memery stored about a folder, or what one model made of it."""
    what = f"the embeddings of {printable(model_id)} for" if model_id else "what memery knows about"
    if not yes and not typer.confirm(f"Delete {what} {printable(str(path))}?", err=True):
        return NOTHING_FOUND
    if model_id is not None:
        count = drop_model(path, model_id, **settings)
        notices.say(f"{count} embeddings of {model_id} are deleted. The images are untouched.")
        return 0
    folder = purge_archive(path, **settings)
    notices.say(f"What memery stored in {folder} is deleted. The images are untouched.")
    return 0
