"""Arguments of `memery models`. `model_commands` does the work; it is imported on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memery.gateway.cli import options
from memery.gateway.cli.choices import ReportFormat

app = typer.Typer(help="Manage the models that embed images and texts.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        callback=options.not_empty,
        help="A name from memery models list, or owner/name on the hub.",
    ),
]


@app.command("list", epilog="Example: memery models list")
def list_models(format_: options.Report = ReportFormat.TEXT) -> None:
    """List the installed models, and those that can be downloaded."""
    from memery.gateway.cli import model_commands

    model_commands.list_models(format_)


@app.command(epilog="Example: memery models info clip-b32")
def info(name: Name, format_: options.Report = ReportFormat.TEXT) -> None:
    """Show the details of a model."""
    from memery.gateway.cli import model_commands

    model_commands.info(name, format_)


@app.command(epilog="Example: memery models pull clip-b32")
def pull(name: Name, quiet: options.Quiet = False, verbose: options.Verbose = False) -> None:
    """Download a model; an interrupted download resumes."""
    from memery.gateway.cli import model_commands

    model_commands.pull(name, model_commands.Console(quiet=quiet, verbose=verbose))


@app.command(epilog="Example: memery models remove clip-b32 --yes")
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Delete an installed model. Archives built with it stay."""
    from memery.gateway.cli import model_commands

    model_commands.remove(name, model_commands.Console(quiet=quiet, verbose=verbose), yes=yes)


@app.command(epilog="Example: memery models verify clip-b32")
def verify(name: Name) -> None:
    """Check the files of an installed model against their recorded hashes."""
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
            metavar="DIR", parser=options.path, help="Measure the loss of accuracy on these images."
        ),
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Quantize a model to 8 bits, for --precision int8, and measure the loss of accuracy."""
    from memery.gateway.cli import model_commands

    console = model_commands.Console(quiet=quiet, verbose=verbose)
    model_commands.quantize(name, images, console)


@app.command(epilog="Example: memery models export ./checkpoint ./my-clip")
def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            parser=options.path,
            metavar="CHECKPOINT",
            help="A checkpoint folder of transformers or open_clip.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(parser=options.path, metavar="OUT", help="The folder to create.")
    ],
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Export a checkpoint as a model folder (needs pip install 'memery[export]')."""
    from memery.gateway.cli import model_commands

    console = model_commands.Console(quiet=quiet, verbose=verbose)
    model_commands.export(checkpoint, out, console)
