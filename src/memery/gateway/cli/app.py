"""The words of the command line. The work is in `commands`, imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memery.gateway.cli import models
from memery.gateway.cli.choices import ReportFormat, ResultFormat

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

Folder = Annotated[
    Path, typer.Argument(metavar="PATH", readable=False, help="The folder of images.")
]
Model = Annotated[
    str | None,
    typer.Option(metavar="NAME|DIR|URL", help="Model to use; see memery models list."),
]
Precision = Annotated[
    Literal["fp32", "int8"] | None,
    typer.Option(help="Of a model that has both; int8 is faster and less exact."),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cpu|cuda|PROVIDER", help="What computes [default: cuda if there is one]."
    ),
]
ArchiveFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", readable=False, help="Archive, instead of PATH/.memery."),
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


@app.command(epilog="Example: memery recall ~/Pictures 'a dog on a beach' --not people -n 5")
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
    precision: Precision = None,
    device: Device = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Search what is indexed.")] = False,
    archive: ArchiveFolder = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the best hit in a viewer.")] = False,
    copy_to: Annotated[
        Path | None, typer.Option(metavar="DIR", readable=False, help="Copy the hits there.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print thumbnails in the terminal.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find images by text, by picture, or by both; index what is new first."""
    from memery.gateway.cli import commands

    typed = [*([text] if text is not None else []), *texts]
    commands.recall(
        path,
        commands.Words(typed, images, excluded, excluded_images),
        commands.Page(top_k, offset, refresh=not no_index),
        _notices(quiet, verbose),
        settings={
            "model": model,
            "precision": precision,
            "device": device,
            "archive": archive,
        },
        format_=format_,
        queries_from=queries_from,
        open_=open_,
        copy_to=copy_to,
        show=show,
    )


@app.command(epilog="Example: memery build ~/Pictures --workers 4")
def build(
    path: Folder,
    model: Model = None,
    precision: Precision = None,
    device: Device = None,
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
) -> None:
    """Index a folder: read and encode what is new or changed."""
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
        },
        rebuild=rebuild,
        verify=verify,
        dry_run=dry_run,
        format_=format_,
    )


@app.command(epilog="Example: memery status ~/Pictures")
def status(
    path: Folder,
    archive: ArchiveFolder = None,
    format_: Report = ReportFormat.TEXT,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is indexed, what is not, and why."""
    from memery.gateway.cli import commands

    _notices(quiet, verbose)
    commands.status(path, settings={"archive": archive}, format_=format_)


@app.command(epilog="Example: memery purge ~/Pictures --yes")
def purge(
    path: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only the embeddings of this model, as status names it."),
    ] = None,
    archive: ArchiveFolder = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Delete what memery stored about a folder. The images stay."""
    from memery.gateway.cli import commands

    commands.purge(
        path, _notices(quiet, verbose), settings={"archive": archive}, yes=yes, model_id=model
    )
