"""The commands `recall` and `similar`: call the library, print, return an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from memery.config import load_config
from memery.core import run_query
from memery.errors import ArchiveMissing, ModelMismatch, QueryError
from memery.executors.crafter import start_decoder
from memery.gateway.cli import actions, formats, result_formats
from memery.gateway.cli.choices import ResultFormat
from memery.gateway.cli.console import (
    INTERRUPTED,
    NOTHING_FOUND,
    Console,
    ProgressTracker,
    handle_errors,
)
from memery.gateway.cli.downloads import ensure_model
from memery.gateway.cli.options import Output, QueryTerms, Settings
from memery.gateway.cli.search_arguments import SearchArguments
from memery.gateway.cli.terms import STDIN, parse_query, text_terms
from memery.gateway.library import Memery
from memery.imaging.exclusions import describe_excluded
from memery.query.options import SearchOptions
from memery.query.terms import Query
from memery.results import Results
from memery.search import similar_query
from memery.text.files import text_lines
from memery.text.plurals import counted
from memery.types import Progress

RunSearch = Callable[[bool, Callable[[Progress], object] | None], Results]
"""Runs a search; takes whether to index first, and a progress callback."""


@handle_errors
def recall(
    path: Path,
    terms: QueryTerms,
    search: SearchArguments,
    output: Output,
    settings: Settings,
    console: Console,
    *,
    explain: bool,
    queries_from: str | None,
    refresh: bool,
) -> int:
    """Find images; update the index first."""
    options = search.options(path)
    if queries_from is not None:
        if terms or output.format_ not in (None, ResultFormat.JSONL) or _has_actions(output):
            raise QueryError(
                "--queries-from cannot be combined with other terms, another --format than jsonl,"
                " --open, --copy-to or --show."
            )
        ensure_model(settings.given, console)
        with Memery(path, **settings.given) as memery:
            queries = _queries(queries_from)
            return _recall_lines(
                memery, queries, options, console, explain=explain, refresh=refresh
            )
    config = load_config(**settings.given)
    typed = (terms.texts, terms.images, terms.excluded, terms.excluded_images)
    query = parse_query(*typed, config.max_bytes)
    start_decoder(query, path, config)
    ensure_model(settings.given, console)
    with Memery(path, **settings.given) as memery:
        results, code = _search(_make_search(memery, query, options), console, refresh=refresh)
        return _present(results, path, output, console, memery, explain=explain) or code


@handle_errors
def similar(
    path: Path,
    image: str,
    search: SearchArguments,
    output: Output,
    settings: Settings,
    console: Console,
    *,
    refresh: bool,
) -> int:
    """Find the images most like a given one."""
    options = search.options(path)
    config = load_config(**settings.given)
    query = parse_query([], [image], [], [], config.max_bytes)
    start_decoder(query, path, config)
    ensure_model(settings.given, console)
    with Memery(path, **settings.given) as memery:

        def run_search(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
            (term,), executors = query.terms, memery.executors
            similar_to, others = similar_query(executors, term, options, require=not refresh)
            return run_query(executors, similar_to, others, refresh=refresh, progress=progress)

        results, code = _search(run_search, console, refresh=refresh)
        return _present(results, path, output, console, memery) or code


def _has_actions(output: Output) -> bool:
    return bool(output.open_ or output.copy_to or output.show)


def _make_search(memery: Memery, query: Query, options: SearchOptions) -> RunSearch:
    def run_search(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
        return run_query(memery.executors, query, options, refresh=refresh, progress=progress)

    return run_search


def _search(run_search: RunSearch, console: Console, *, refresh: bool) -> tuple[Results, int]:
    """Search, also after the user interrupts indexing.

    Returns:
        The results and the exit code.
    """
    with console.progress() as tracker:
        try:
            results = run_search(refresh, tracker)
        except KeyboardInterrupt:
            results = None
    if results is not None:
        _print_summary(tracker, console)
        return results, 0
    if tracker.last is None:
        raise KeyboardInterrupt
    try:
        results = run_search(False, None)
    except (ArchiveMissing, ModelMismatch):  # nothing is committed yet
        raise KeyboardInterrupt from None
    indexed, pending = tracker.last.searchable, tracker.last.total - tracker.last.done
    console.say(
        f"Interrupted: {indexed} of {counted(indexed + pending, 'image')} indexed;"
        " these results come from those."
    )
    return results, INTERRUPTED


def _present(
    results: Results,
    path: Path,
    output: Output,
    console: Console,
    memery: Memery,
    *,
    explain: bool = False,
) -> int:
    """Print the hits, then show, copy or open them as requested."""
    format_ = output.format_ or ResultFormat.TABLE
    result_formats.write_results(results, path, format_, explain=explain)
    if not results:
        for sentence in results.warnings or [_why_empty(results, path, memery)]:
            console.say(sentence)
        say_excluded(memery, console)
        return NOTHING_FOUND
    unmatched = results.strong == 0
    no_match = ["Nothing here really matches. These are the nearest images."] if unmatched else []
    for sentence in results.warnings or no_match:
        console.say(sentence)
    if output.show:
        actions.show_thumbnails(results)
    if output.copy_to is not None:
        count = actions.copy_hits(results, output.copy_to)
        missing = len(results) - count
        not_found = f" {counted(missing, 'file')} not found." if missing else ""
        console.say(f"{counted(count, 'image')} copied to {output.copy_to}.{not_found}")
    if output.open_:
        actions.open_best(results)
    return 0


def _why_empty(results: Results, path: Path, memery: Memery) -> str:
    """Return the message for a page without hits that no warning explains."""
    if results.total:
        count = counted(results.total, "image")
        return f"Nothing to show: the search has {count}, and --offset skips all of them."
    if not memery.count():
        return f"Nothing to show: {path} contains no images to search."
    return f"Nothing to show: no image in {path} matches the filters."


def say_excluded(memery: Memery, console: Console) -> None:
    """If the folder has no images, print which of its files were excluded, and what to do."""
    if not memery.count():
        for sentence in describe_excluded(memery.preview().excluded):
            console.say(sentence)


def _print_summary(tracker: ProgressTracker, console: Console) -> None:
    last = tracker.last
    if last is not None and last.total:
        skipped = f", {last.skipped} skipped (memery status shows why)" if last.skipped else ""
        console.say(f"{counted(last.done - last.skipped, 'image')} read{skipped}.")


def _recall_lines(
    memery: Memery,
    queries: Iterator[Query],
    options: SearchOptions,
    console: Console,
    *,
    explain: bool,
    refresh: bool,
) -> int:
    found = False
    for query in queries:
        results, code = _search(_make_search(memery, query, options), console, refresh=refresh)
        formats.write_json(result_formats.results_json(results, explain=explain))
        for sentence in results.warnings:
            console.say(sentence)
        found = found or bool(results)
        refresh = False  # the first query has brought the index up to date
        if code:
            return code
    return 0 if found else NOTHING_FOUND


def _queries(source: str) -> Iterator[Query]:
    """The queries of a file, one per line."""
    return (Query(tuple(text_terms([line]))) for line in _lines(source))


def _lines(source: str) -> Iterator[str]:
    """The lines of a file that are not blank, as they arrive."""
    try:
        with sys.stdin.buffer if source == STDIN else Path(source).open("rb") as stream:
            yield from text_lines(stream)
    except (OSError, ValueError) as error:
        raise QueryError(f"Cannot read the queries in {source}: {error}.") from error
