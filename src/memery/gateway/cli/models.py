"""The words of `memery models`. The work is in `model_commands`, imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memery.gateway.cli import options
from memery.gateway.cli.choices import ReportFormat

app = typer.Typer(help="The models that turn images and texts into vectors.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", callback=options.not_empty, help="Of the list, or a hub's owner/name."
    ),
]
Report = Annotated[ReportFormat, typer.Option("--format", help="How to print.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on standard error.")]


@app.command("list", epilog="Example: memery models list")
def list_models(format_: Report = ReportFormat.TEXT) -> None:
    """The models that can be used here, and those that can be had."""
    from memery.gateway.cli import model_commands

    model_commands.list_models(format_)


@app.command(epilog="Example: memery models info clip-b32")
def info(name: Name, format_: Report = ReportFormat.TEXT) -> None:
    """What is known about a model."""
    from memery.gateway.cli import model_commands

    model_commands.info(name, format_)


@app.command(epilog="Example: memery models pull clip-b32")
def pull(name: Name, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Download a model; an interrupted download goes on where it was."""
    from memery.gateway.cli import model_commands

    model_commands.pull(name, model_commands.Notices(quiet=quiet, verbose=verbose))


@app.command(epilog="Example: memery models remove clip-b32 --yes")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Delete an installed model. Archives that were built with it stay."""
    from memery.gateway.cli import model_commands

    model_commands.remove(name, model_commands.Notices(quiet=quiet, verbose=verbose), yes=yes)


@app.command(epilog="Example: memery models verify clip-b32")
def verify(name: Name) -> None:
    """Read an installed model again and compare it with what was downloaded."""
    from memery.gateway.cli import model_commands

    model_commands.verify(name)


@app.command(epilog="Example: memery models quantize clip-b32 --images ~/Pictures")
def quantize(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|DIR",
            callback=options.not_empty,
            help="An installed model, or a folder.",
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", parser=options.path, help="Measure what it costs on these images."
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make 8-bit networks of a model, for --precision int8, and measure what that costs."""
    from memery.gateway.cli import model_commands

    notices = model_commands.Notices(quiet=quiet, verbose=verbose)
    model_commands.quantize(name, images, notices)


@app.command(epilog="Example: memery models export ./checkpoint ./my-clip")
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(parser=options.path, help="A folder of transformers or open_clip."),
    ],
    out: Annotated[Path, typer.Argument(parser=options.path, help="A new folder.")],
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a model folder of a checkpoint (needs pip install 'memery[export]')."""
    from memery.gateway.cli import model_commands

    notices = model_commands.Notices(quiet=quiet, verbose=verbose)
    model_commands.export(checkpoint, out, notices)
