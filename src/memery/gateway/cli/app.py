"""The commands. Each reads its words, calls the library, prints, and returns an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from memery import plugins
from memery.config import load_config
from memery.errors import QueryError
from memery.gateway.cli import formats
from memery.gateway.cli.console import INTERRUPTED, NOTHING_FOUND, Notices, Tally, reported
from memery.gateway.cli.formats import ReportFormat, ResultFormat
from memery.gateway.cli.terms import STDIN, parse_query
from memery.gateway.library import Memery, purge
from memery.types import Query, Results, Term

app = typer.Typer(
    name="memery",
    help="Find the meme you are looking for: search a folder of images by text or by picture.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models = typer.Typer(
    help="The models that turn images and texts into vectors.", no_args_is_help=True
)
app.add_typer(models, name="models")

Folder = Annotated[Path, typer.Argument(metavar="PATH", help="The folder of images.")]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="Model to use; see models list.")]
ArchiveFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Archive, instead of PATH/.memery.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on standard error.")]
Texts = Annotated[
    list[str],
    typer.Option("-t", "--text", metavar="TEXT", help="A further text; TEXT^2 counts double."),
]
Images = Annotated[
    list[str],
    typer.Option("-i", "--image", metavar="IMAGE", help="A picture; - is standard input."),
]
Excluded = Annotated[list[str], typer.Option("--not", metavar="TEXT", help="Less of this.")]
ExcludedImages = Annotated[
    list[str], typer.Option("--not-image", metavar="IMAGE", help="Less of what this picture shows.")
]
Report = Annotated[ReportFormat, typer.Option("--format", help="How to print.")]


@dataclass(frozen=True, slots=True)
class Page:
    """Which hits are wanted, and whether the folder is scanned first."""

    top_k: int
    offset: int
    refresh: bool


def _version(wanted: bool) -> None:
    if wanted:
        from memery import __version__

        typer.echo(f"memery {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find the meme you are looking for: search a folder of images by text or by picture."""


@app.command(epilog="Example: memery recall ~/Pictures 'a dog on a beach' --not people -n 5")
@reported
def recall(
    path: Folder,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What to find.")] = None,
    texts: Texts = [],  # noqa: B006 - Typer copies defaults
    images: Images = [],  # noqa: B006
    excluded: Excluded = [],  # noqa: B006
    excluded_images: ExcludedImages = [],  # noqa: B006
    top_k: Annotated[int, typer.Option("-n", "--top-k", min=1, help="How many hits.")] = 10,
    offset: Annotated[int, typer.Option(min=0, help="How many of the best to leave out.")] = 0,
    format_: Annotated[
        ResultFormat | None,
        typer.Option("--format", help="How to print [default: table; jsonl with --queries-from]."),
    ] = None,
    queries_from: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Search for each line of a file.")
    ] = None,
    model: Model = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Search what is indexed.")] = False,
    archive: ArchiveFolder = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the best hit in a viewer.")] = False,
    copy_to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Copy the hits there.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print thumbnails in the terminal.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Find images by text, by picture, or by both; index what is new first."""
    notices = Notices(quiet=quiet, verbose=verbose)
    settings: dict[str, Any] = {"model": model, "archive": archive}
    page = Page(top_k, offset, refresh=not no_index)
    typed = [*([text] if text is not None else []), *texts]
    if queries_from is not None:
        if typed or images or excluded or excluded_images or format_ not in (None, "jsonl"):
            raise QueryError("--queries-from goes with neither other terms nor other formats.")
        with Memery(path, **settings) as memery:
            return _recall_lines(memery, queries_from, notices, page)
    max_bytes = load_config(**settings).max_bytes
    query = parse_query(typed, images, excluded, excluded_images, max_bytes)
    with Memery(path, **settings) as memery:
        results, code = _recall_one(memery, query, notices, page)
    formats.write_results(results, path, format_ or ResultFormat.TABLE)
    if not results:
        notices.say(f"Nothing to show: {path} has {results.total} images that can be searched.")
        return code or NOTHING_FOUND
    _act(results, notices, open_=open_, copy_to=copy_to, show=show)
    return code


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
    results = memery.recall(query, top_k=page.top_k, offset=page.offset)
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


def _act(
    results: Results, notices: Notices, *, open_: bool, copy_to: Path | None, show: bool
) -> None:
    from memery.gateway.cli import actions

    if show:
        actions.show_thumbnails(results)
    if copy_to is not None:
        count = actions.copy_hits(results, copy_to)
        notices.say(f"{count} images copied to {copy_to}.")
    if open_:
        actions.open_best(results)


@app.command(epilog="Example: memery build ~/Pictures --workers 4")
@reported
def build(
    path: Folder,
    model: Model = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Encode everything anew.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding threads [default: one per processor].")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the archive; read every file again.")
    ] = False,
    follow_links: Annotated[
        bool | None,
        typer.Option("--follow-links/--no-follow-links", help="Follow symbolic links; remembered."),
    ] = None,
    archive: ArchiveFolder = None,
    format_: Report = ReportFormat.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Index a folder: read and encode what is new or changed."""
    notices = Notices(quiet=quiet, verbose=verbose)
    settings: dict[str, Any] = {
        "model": model, "archive": archive, "workers": workers, "follow_links": follow_links
    }  # fmt: skip
    with Memery(path, rebuild=rebuild, **settings) as memery:
        if dry_run:
            formats.write_preview(memery.preview(), format_)
            return 0
        with notices.progress() as tally:
            report = memery.build(progress=tally, rebuild=rebuild, verify=verify)
    formats.write_report(report, format_)
    return 0


@app.command(epilog="Example: memery status ~/Pictures")
@reported
def status(
    path: Folder,
    archive: ArchiveFolder = None,
    format_: Report = ReportFormat.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Say what is indexed, what is not, and why."""
    Notices(quiet=quiet, verbose=verbose)
    with Memery(path, archive=archive) as memery:
        formats.write_status(memery.status(), format_)
    return 0


@app.command("purge", epilog="Example: memery purge ~/Pictures --yes")
@reported
def purge_(
    path: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    archive: ArchiveFolder = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Delete what memery stored about a folder. The images stay."""
    notices = Notices(quiet=quiet, verbose=verbose)
    if not yes and not typer.confirm(f"Delete what memery knows about {path}?", err=True):
        return NOTHING_FOUND
    notices.say(f"{purge(path, archive=archive)} is deleted. The images are untouched.")
    return 0


@models.command("list", epilog="Example: memery models list")
@reported
def list_models() -> int:
    """The models that can be used here."""
    names = plugins.names("memery.models")
    formats.write_models((name, plugins.open_model(name).info) for name in names)
    return 0
