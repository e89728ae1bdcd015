"""What `recall` and `similar` do: call the library, print, return an exit code."""

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
from memery.gateway.cli.console import INTERRUPTED, NOTHING_FOUND, Notices, Tally, reported
from memery.gateway.cli.downloads import have_model
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

Ask = Callable[[bool, Callable[[Progress], object] | None], Results]
"""Asks the library: whether to index first, and whom to tell the counts."""


@reported
def recall(
    path: Path,
    terms: QueryTerms,
    search: SearchArguments,
    output: Output,
    settings: Settings,
    notices: Notices,
    *,
    explain: bool,
    queries_from: str | None,
    refresh: bool,
) -> int:
    """Find images; index what is new first."""
    options = search.options(path)
    if queries_from is not None:
        if terms or output.format_ not in (None, ResultFormat.JSONL) or _acts(output):
            raise QueryError("--queries-from goes with neither other terms nor other formats.")
        have_model(settings.given, notices)
        with Memery(path, **settings.given) as memery:
            queries = _queries(queries_from)
            return _recall_lines(
                memery, queries, options, notices, explain=explain, refresh=refresh
            )
    config = load_config(**settings.given)
    typed = (terms.texts, terms.images, terms.excluded, terms.excluded_images)
    query = parse_query(*typed, config.max_bytes)
    start_decoder(query, path, config)
    have_model(settings.given, notices)
    with Memery(path, **settings.given) as memery:
        results, code = _ask(_recaller(memery, query, options), notices, refresh=refresh)
        return _present(results, path, output, notices, memery, explain=explain) or code


@reported
def similar(
    path: Path,
    image: str,
    search: SearchArguments,
    output: Output,
    settings: Settings,
    notices: Notices,
    *,
    refresh: bool,
) -> int:
    """Find the images most like one."""
    options = search.options(path)
    config = load_config(**settings.given)
    query = parse_query([], [image], [], [], config.max_bytes)
    start_decoder(query, path, config)
    have_model(settings.given, notices)
    with Memery(path, **settings.given) as memery:

        def ask(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
            (term,), executors = query.terms, memery.executors
            similar_to, others = similar_query(executors, term, options, require=not refresh)
            return run_query(executors, similar_to, others, refresh=refresh, progress=progress)

        results, code = _ask(ask, notices, refresh=refresh)
        return _present(results, path, output, notices, memery) or code


def _acts(output: Output) -> bool:
    return bool(output.open_ or output.copy_to or output.show)


def _recaller(memery: Memery, query: Query, options: SearchOptions) -> Ask:
    def ask(refresh: bool, progress: Callable[[Progress], object] | None) -> Results:
        return run_query(memery.executors, query, options, refresh=refresh, progress=progress)

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


def _present(
    results: Results,
    path: Path,
    output: Output,
    notices: Notices,
    memery: Memery,
    *,
    explain: bool = False,
) -> int:
    """Print the hits and do with them what was asked for."""
    format_ = output.format_ or ResultFormat.TABLE
    result_formats.write_results(results, path, format_, explain=explain)
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
        for sentence in describe_excluded(memery.preview().excluded):
            notices.say(sentence)


def _summarise(tally: Tally, notices: Notices) -> None:
    last = tally.last
    if last is not None and last.total:
        skipped = f", {last.skipped} skipped (memery status says why)" if last.skipped else ""
        notices.say(f"{counted(last.done - last.skipped, 'image')} read{skipped}.")


def _recall_lines(
    memery: Memery,
    queries: Iterator[Query],
    options: SearchOptions,
    notices: Notices,
    *,
    explain: bool,
    refresh: bool,
) -> int:
    found = False
    for query in queries:
        results, code = _ask(_recaller(memery, query, options), notices, refresh=refresh)
        formats.write_json(result_formats.results_json(results, explain=explain))
        for sentence in results.warnings:
            notices.say(sentence)
        found = found or bool(results)
        refresh = False  # once is enough for all
        if code:
            return code
    return 0 if found else NOTHING_FOUND


def _queries(source: str) -> Iterator[Query]:
    """The queries of a file, one a line."""
    return (Query(tuple(text_terms([line]))) for line in _lines(source))


def _lines(source: str) -> Iterator[str]:
    """The lines of a file that are not blank, as they come."""
    try:
        with sys.stdin.buffer if source == STDIN else Path(source).open("rb") as stream:
            yield from text_lines(stream)
    except (OSError, ValueError) as error:
        raise QueryError(f"The queries in {source} cannot be read: {error}.") from error
