"""The words of the command line. The work is in `commands`, imported when a command runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from memery.gateway.cli import models, options
from memery.gateway.cli.choices import DuplicateFormat, ReportFormat
from memery.gateway.cli.dashes import TextCommand
from memery.gateway.cli.groups import grouped
from memery.gateway.cli.search_arguments import SearchArguments

if TYPE_CHECKING:
    from memery.gateway.cli.console import Notices

app = typer.Typer(
    name="memery",
    help="Find the meme you are looking for: search a folder of images by text or by picture.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: loading what makes panels takes 70 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        from memery import __version__

        typer.echo(f"memery {__version__}")
        raise typer.Exit


def _notices(quiet: bool, verbose: bool) -> Notices:
    from memery.gateway.cli.console import Notices

    return Notices(quiet=quiet, verbose=verbose)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Find the meme you are looking for: search a folder of images by text or by picture."""


@app.command(
    cls=TextCommand,
    epilog="Example: memery recall ~/Pictures 'a dog on a beach -people' -n 5",
)
@grouped
def recall(
    path: options.Folder,
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What to find; -WORD for less of it.")
    ] = None,
    *,
    terms: options.QueryTerms,
    search: SearchArguments,
    explain: options.Explain = False,
    output: options.Output,
    queries_from: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Search for each line of a file.")
    ] = None,
    settings: options.Settings,
    no_index: options.NoIndex = False,
    verbosity: options.Verbosity,
) -> None:
    """Find images by text, by picture, or by both; index what is new first."""
    from memery.gateway.cli import search_commands

    search_commands.recall(
        path,
        replace(terms, texts=[*([text] if text is not None else []), *terms.texts]),
        search,
        output,
        settings,
        verbosity.notices(),
        explain=explain,
        queries_from=queries_from,
        refresh=not no_index,
    )


@app.command(epilog="Example: memery similar ~/Pictures ~/Pictures/2023/cat.jpg -n 5")
@grouped
def similar(
    path: options.Folder,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image, indexed or not; - is standard input.")
    ],
    *,
    search: SearchArguments,
    output: options.Output,
    model: options.Model = None,
    no_index: options.NoIndex = False,
    archive: options.ArchiveFolder = None,
    verbosity: options.Verbosity,
) -> None:
    """Find the images most like one; itself and its exact copies are left out."""
    from memery.gateway.cli import search_commands

    search_commands.similar(
        path,
        image,
        search,
        output,
        options.Settings(model, archive=archive),
        verbosity.notices(),
        refresh=not no_index,
    )


@app.command(epilog="Example: memery build ~/Pictures --workers 4")
def build(
    path: options.Folder,
    model: options.Model = None,
    precision: options.Precision = None,
    device: options.Device = None,
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
    read_text: Annotated[
        bool | None,
        typer.Option(
            "--read-text/--no-read-text",
            help="Read the text in pictures; remembered [default: if memery[ocr] is installed].",
        ),
    ] = None,
    archive: options.ArchiveFolder = None,
    format_: options.Report = ReportFormat.TEXT,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Index a folder: read and encode what is new or changed, then read the text in pictures."""
    from memery.gateway.cli import commands

    commands.build(
        path,
        _notices(quiet, verbose),
        settings={
            "model": model,
            "precision": precision,
            "device": device,
            "archive": archive,
            "workers": workers,
            "follow_links": follow_links,
            "read_text": read_text,
        },
        rebuild=rebuild,
        verify=verify,
        dry_run=dry_run,
        format_=format_,
    )


@app.command(epilog="Example: memery status ~/Pictures")
def status(
    path: options.Folder,
    archive: options.ArchiveFolder = None,
    format_: options.Report = ReportFormat.TEXT,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say what is indexed, what is not, and why."""
    from memery.gateway.cli import commands

    _notices(quiet, verbose)
    commands.status(path, settings={"archive": archive}, format_=format_)


@app.command(epilog="Example: memery purge ~/Pictures --yes")
def purge(
    path: options.Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            callback=options.not_empty,
            help="Only the embeddings of this model, as status names it.",
        ),
    ] = None,
    archive: options.ArchiveFolder = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Delete what memery stored about a folder. The images stay."""
    from memery.gateway.cli import commands

    commands.purge(
        path, _notices(quiet, verbose), settings={"archive": archive}, yes=yes, model_id=model
    )


@app.command(epilog="Example: memery duplicates ~/Pictures --format paths0 | xargs -0 ls -l")
@grouped
def duplicates(
    path: options.Folder,
    exact: Annotated[bool, typer.Option("--exact", help="Only files with the same bytes.")] = False,
    *,
    search: SearchArguments,
    format_: Annotated[
        DuplicateFormat,
        typer.Option("--format", help="How to print; paths: all but the best copy of each."),
    ] = DuplicateFormat.TABLE,
    model: options.Model = None,
    no_index: options.NoIndex = False,
    archive: options.ArchiveFolder = None,
    verbosity: options.Verbosity,
) -> None:
    """Find images that are one picture, and the best copy of each. Nothing is deleted."""
    from memery.gateway.cli import duplicate_commands

    duplicate_commands.duplicates(
        path,
        search,
        options.Settings(model, archive=archive),
        verbosity.notices(),
        exact=exact,
        format_=format_,
        refresh=not no_index,
    )
