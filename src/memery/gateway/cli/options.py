"""The options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from memery.gateway.cli.choices import ReportFormat, ResultFormat
from memery.gateway.cli.groups import OptionGroup

if TYPE_CHECKING:
    from memery.gateway.cli.console import Notices

Names = TypeVar("Names", str | None, str, list[str])

_EMPTY = "it is empty. Is a shell variable unset?"


def path(text: str) -> Path:
    """Parse a path; an empty one would be the current folder without anyone having named it."""
    if not text:
        raise typer.BadParameter(f"{_EMPTY} Use . for the current folder")
    return Path(text)


def not_empty(context: typer.Context, parameter: typer.CallbackParam, value: Names) -> Names:
    """Refuse an empty text that the user gave; the default may be one."""
    source = context.get_parameter_source(parameter.name or "")
    is_given = source is not None and source.name == "COMMANDLINE"
    if is_given and "" in (value if isinstance(value, list) else [value]):
        raise typer.BadParameter(_EMPTY)
    return value


Folder = Annotated[Path, typer.Argument(metavar="PATH", parser=path, help="The folder of images.")]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR|URL",
        callback=not_empty,
        help="Model to use; see memery models list.",
    ),
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
    typer.Option(metavar="DIR", parser=path, help="Archive, instead of PATH/.memery."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on standard error.")]
Report = Annotated[ReportFormat, typer.Option("--format", help="How to print.")]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Search what is indexed.")]
Explain = Annotated[bool, typer.Option("--explain", help="Explain how each result was ranked.")]


@dataclass(frozen=True, slots=True)
class QueryTerms(OptionGroup):
    """The terms of a query as they were typed, besides the first text."""

    texts: Annotated[
        list[str],
        typer.Option("-t", "--text", metavar="TEXT", help="Another text; TEXT^2 counts double."),
    ] = field(default_factory=list)
    images: Annotated[
        list[str],
        typer.Option("-i", "--image", metavar="IMAGE", help="An image; - is standard input."),
    ] = field(default_factory=list)
    excluded: Annotated[
        list[str], typer.Option("--not", metavar="TEXT", help="Find less of this.")
    ] = field(default_factory=list)
    excluded_images: Annotated[
        list[str],
        typer.Option("--not-image", metavar="IMAGE", help="Find less of what this image shows."),
    ] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.texts or self.images or self.excluded or self.excluded_images)


@dataclass(frozen=True, slots=True)
class Output(OptionGroup):
    """What is to happen with the hits."""

    format_: Annotated[
        ResultFormat | None,
        typer.Option("--format", help="How to print [default: table; jsonl with --queries-from]."),
    ] = None
    open_: Annotated[bool, typer.Option("--open", help="Open the best hit in a viewer.")] = False
    copy_to: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=path, help="Copy the hits there.")
    ] = None
    show: Annotated[bool, typer.Option("--show", help="Print thumbnails in the terminal.")] = False


@dataclass(frozen=True, slots=True)
class Settings(OptionGroup):
    """The settings of a search."""

    model: Model = None
    precision: Precision = None
    device: Device = None
    archive: ArchiveFolder = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that were given, by their names in `Config`."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Verbosity(OptionGroup):
    """How much to say on standard error."""

    quiet: Quiet = False
    verbose: Verbose = False

    def notices(self) -> Notices:
        """What says it."""
        from memery.gateway.cli.console import Notices

        return Notices(quiet=self.quiet, verbose=self.verbose)
