"""Command-line arguments and help. `commands` does the work; it is imported when a command runs."""

from dataclasses import replace
from typing import Annotated

import typer

from memery.gateway.cli import models, options
from memery.gateway.cli.choices import DuplicateFormat, ReportFormat
from memery.gateway.cli.dashes import TextCommand
from memery.gateway.cli.groups import grouped
from memery.gateway.cli.search_arguments import SearchArguments

app = typer.Typer(
    name="memery",
    help="Find the meme you are looking for: search a folder of images by text or by image.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: importing rich for panels takes 70 ms
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from memery import __version__

        typer.echo(f"memery {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Find the meme you are looking for: search a folder of images by text or by image."""


@app.command(
    cls=TextCommand,
    epilog="Example: memery recall ~/Pictures 'a dog on a beach -people' -n 5",
)
@grouped
def recall(
    path: options.Folder,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="Text to search for; -WORD finds less of it."),
    ] = None,
    *,
    terms: options.QueryTerms,
    search: SearchArguments,
    explain: options.Explain = False,
    output: options.Output,
    queries_from: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Run one query per line of a file.")
    ] = None,
    settings: options.Settings,
    no_index: options.NoIndex = False,
    verbosity: options.Verbosity,
) -> None:
    """Find images by text, by image, or both; update the index first."""
    from memery.gateway.cli import search_commands

    search_commands.recall(
        path,
        replace(terms, texts=[*([text] if text is not None else []), *terms.texts]),
        search,
        output,
        settings,
        verbosity.console(),
        explain=explain,
        queries_from=queries_from,
        refresh=not no_index,
    )


@app.command(epilog="Example: memery similar ~/Pictures ~/Pictures/2023/cat.jpg -n 5")
@grouped
def similar(
    path: options.Folder,
    image: Annotated[
        str,
        typer.Argument(metavar="IMAGE", help="An image, indexed or not; - reads standard input."),
    ],
    *,
    search: SearchArguments,
    output: options.Output,
    model: options.Model = None,
    no_index: options.NoIndex = False,
    archive: options.ArchiveFolder = None,
    verbosity: options.Verbosity,
) -> None:
    """Find the images most like a given one, without itself and its exact copies."""
    from memery.gateway.cli import search_commands

    search_commands.similar(
        path,
        image,
        search,
        output,
        options.Settings(model, archive=archive),
        verbosity.console(),
        refresh=not no_index,
    )


@app.command(epilog="Example: memery build ~/Pictures --workers 4")
@grouped
def build(
    path: options.Folder,
    *,
    settings: options.Settings,
    index_settings: options.IndexSettings,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Encode all images again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the archive; read every file again.")
    ] = False,
    format_: options.Report = ReportFormat.TEXT,
    verbosity: options.Verbosity,
) -> None:
    """Index a folder: encode new and changed images, then recognise the text in them."""
    from memery.gateway.cli import commands

    commands.build(
        path,
        verbosity.console(),
        settings=settings.given | index_settings.given,
        rebuild=rebuild,
        verify=verify,
        dry_run=dry_run,
        format_=format_,
    )


@app.command(epilog="Example: memery status ~/Pictures")
@grouped
def status(
    path: options.Folder,
    archive: options.ArchiveFolder = None,
    format_: options.Report = ReportFormat.TEXT,
    *,
    verbosity: options.Verbosity,
) -> None:
    """Show what is indexed, what is not, and why."""
    from memery.gateway.cli import commands

    verbosity.console()
    commands.status(path, settings={"archive": archive}, format_=format_)


@app.command(epilog="Example: memery purge ~/Pictures --yes")
@grouped
def purge(
    path: options.Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            callback=options.not_empty,
            help="Delete only the embeddings of this model (its name in memery status).",
        ),
    ] = None,
    archive: options.ArchiveFolder = None,
    *,
    verbosity: options.Verbosity,
) -> None:
    """Delete what memery stored about a folder. The images stay."""
    from memery.gateway.cli import commands

    commands.purge(
        path, verbosity.console(), settings={"archive": archive}, yes=yes, model_id=model
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
        typer.Option("--format", help="Output format; paths prints all but the best copy."),
    ] = DuplicateFormat.TABLE,
    model: options.Model = None,
    no_index: options.NoIndex = False,
    archive: options.ArchiveFolder = None,
    verbosity: options.Verbosity,
) -> None:
    """Find exact and near duplicates, and the best copy of each. Nothing is deleted."""
    from memery.gateway.cli import duplicate_commands

    duplicate_commands.duplicates(
        path,
        search,
        options.Settings(model, archive=archive),
        verbosity.console(),
        exact=exact,
        format_=format_,
        refresh=not no_index,
    )
