"""What `recall` and `similar` do: call the library, print, return an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memery.config import load_config
from memery.errors import ArchiveMissing, ModelMismatch, QueryError
from memery.executors.crafter import start_decoder
from memery.filters import Filter
from memery.gateway.cli import actions, formats, result_formats
from memery.gateway.cli.choices import ResultFormat
from memery.gateway.cli.console import INTERRUPTED, NOTHING_FOUND, Notices, Tally, reported
from memery.gateway.cli.downloads import have_model
from memery.gateway.cli.terms import STDIN, parse_query, text_terms
from memery.gateway.library import Memery
from memery.plurals import counted
from memery.results import Results
from memery.text_files import text_lines
from memery.types import Progress, Query

Ask = Callable[[bool, Callable[[Progress], object] | None], Results]
"""Asks the library: whether to index first, and whom to tell the counts."""


@dataclass(frozen=True, slots=True)
class Words:
    """The terms of a query as they were typed."""

    texts: list[str]
    images: list[str]
    excluded: list[str]
    excluded_images: list[str]

    def __bool__(self) -> bool:
        return bool(self.texts or self.images or self.excluded or self.excluded_images)


@dataclass(frozen=True, slots=True)
class Output:
    """What is to happen with the hits."""

    format_: ResultFormat | None
    explain: bool
    open_: bool
    copy_to: Path | None
    show: bool


@reported
def recall(
    path: Path,
    words: Words,
    notices: Notices,
    *,
    wanted: dict[str, Any],
    conditions: dict[str, Any],
    settings: dict[str, Any],
    output: Output,
    queries_from: str | None,
    refresh: bool,
) -> int:
    """Find images; index what is new first."""
    wanted = wanted | {"where": make_filter(path, conditions)}
    if queries_from is not None:
        if words or output.format_ not in (None, ResultFormat.JSONL) or _acts(output):
            raise QueryError("--queries-from goes with neither other terms nor other formats.")
        have_model(settings, notices)
        with Memery(path, **settings) as memery:
            return _recall_lines(memery, queries_from, notices, wanted, output, refresh=refresh)
    config = load_config(**settings)
    terms = (words.texts, words.images, words.excluded, words.excluded_images)
    query = parse_query(*terms, config.max_bytes)
    start_decoder(query, path, config)
    have_model(settings, notices)
    with Memery(path, **settings) as memery:
        results, code = _ask(_recaller(memery, query, wanted), notices, refresh=refresh)
        return _present(results, path, output, notices, memery) or code


@reported
def similar(
    path: Path,
    image: str,
    notices: Notices,
    *,
    wanted: dict[str, Any],
    conditions: dict[str, Any],
    settings: dict[str, Any],
    output: Output,
    refresh: bool,
) -> int:
    """Find the images most like one."""
    wanted = wanted | {"where": make_filter(path, conditions)}
    config = load_config(**settings)
    query = parse_query([], [image], [], [], config.max_bytes)
    start_decoder(query, path, config)
    have_model(settings, notices)
    with Memery(path, **settings) as memery:

        def ask(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
            return memery.similar(query.terms[0], refresh=refresh, progress=progress, **wanted)

        results, code = _ask(ask, notices, refresh=refresh)
        return _present(results, path, output, notices, memery) or code


def make_filter(path: Path, conditions: dict[str, Any]) -> Filter:
    """The filter; a folder may be typed as the shell completes it, from where the user is."""
    folders = [conditions["under"], *conditions.get("not_under", ())]
    under, *not_under = (_relative(path, folder) for folder in folders)
    return Filter(**(conditions | {"under": under, "not_under": tuple(not_under)}))


def _relative(path: Path, folder: str) -> str:
    """A folder relative to the one searched, unless it is already."""
    try:
        if folder and (Path(folder).is_absolute() or not (path / folder).is_dir()):
            return Path(folder).resolve().relative_to(path.resolve()).as_posix()
    except (OSError, ValueError, RuntimeError):
        pass
    return folder


def _acts(output: Output) -> bool:
    return bool(output.open_ or output.copy_to or output.show)


def _recaller(memery: Memery, query: Query, wanted: dict[str, Any]) -> Ask:
    def ask(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
        return memery.recall(query, refresh=refresh, progress=progress, **wanted)

    return ask


def _ask(ask: Ask, notices: Notices, *, refresh: bool) -> tuple[Results, int]:
    """Results and exit code; an interrupted indexing flow still gives an answer."""
    with notices.progress() as tally:
        try:
            results = ask(refresh, tally)
        except KeyboardInterrupt:
            results = None
    if results is not None:
        _summarise(tally, notices)
        return results, 0
    if tally.last is None:
        raise KeyboardInterrupt
    try:
        results = ask(False, None)
    except (ArchiveMissing, ModelMismatch):  # nothing was committed yet
        raise KeyboardInterrupt from None
    indexed, left = tally.last.searchable, tally.last.total - tally.last.done
    notices.say(
        f"Interrupted: {indexed} of {counted(indexed + left, 'image')} indexed;"
        " this answer is from those."
    )
    return results, INTERRUPTED


def _present(results: Results, path: Path, output: Output, notices: Notices, memery: Memery) -> int:
    """Print the hits and do with them what was asked for."""
    format_ = output.format_ or ResultFormat.TABLE
    result_formats.write_results(results, path, format_, explain=output.explain)
    if not results:
        why = (
            f"the search has {counted(results.total, 'image')}, and --offset leaves out all of them"
            if results.total
            else f"no image in {path} passes"
        )
        for sentence in results.warnings or [f"Nothing to show: {why}."]:
            notices.say(sentence)
        say_excluded(memery, notices)
        return NOTHING_FOUND
    unmatched = results.strong == 0
    nearest = ["Nothing here really matches: these are the nearest."] if unmatched else []
    for sentence in results.warnings or nearest:
        notices.say(sentence)
    if output.show:
        actions.show_thumbnails(results)
    if output.copy_to is not None:
        count = actions.copy_hits(results, output.copy_to)
        lost = len(results) - count
        gone = f" {counted(lost, 'file')} not found." if lost else ""
        notices.say(f"{counted(count, 'image')} copied to {output.copy_to}.{gone}")
    if output.open_:
        actions.open_best(results)
    return 0


def say_excluded(memery: Memery, notices: Notices) -> None:
    """Where the folder has no images, say which of its files cannot be read, and what helps."""
    if not memery.count():
        for sentence in memery.preview().excluded.sentences():
            notices.say(sentence)


def _summarise(tally: Tally, notices: Notices) -> None:
    last = tally.last
    if last is not None and last.total:
        skipped = f", {last.skipped} skipped (memery status says why)" if last.skipped else ""
        notices.say(f"{counted(last.done - last.skipped, 'image')} read{skipped}.")


def _recall_lines(
    memery: Memery,
    source: str,
    notices: Notices,
    wanted: dict[str, Any],
    output: Output,
    *,
    refresh: bool,
) -> int:
    found = False
    for line in _lines(source):
        query = Query(tuple(text_terms([line])))
        results, code = _ask(_recaller(memery, query, wanted), notices, refresh=refresh)
        formats.write_json(result_formats.results_json(results, explain=output.explain))
        for sentence in results.warnings:
            notices.say(sentence)
        found = found or bool(results)
        refresh = False  # once is enough for all
        if code:
            return code
    return 0 if found else NOTHING_FOUND


def _lines(source: str) -> Iterator[str]:
    """The lines of a file that are not blank, as they come."""
    try:
        with sys.stdin.buffer if source == STDIN else Path(source).open("rb") as stream:
            yield from text_lines(stream)
    except (OSError, ValueError) as error:
        raise QueryError(f"The queries in {source} cannot be read: {error}.") from error
