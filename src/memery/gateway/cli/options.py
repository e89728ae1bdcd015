"""The options that several commands share."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from memery.gateway.cli.choices import ReportFormat, ResultFormat
from memery.gateway.cli.groups import OptionGroup

if TYPE_CHECKING:
    from memery.gateway.cli.console import Console

Names = TypeVar("Names", str | None, str, list[str])

_EMPTY = "it is empty. Is a shell variable unset?"


def path(text: str) -> Path:
    """Parse a path, and refuse an empty one, which would silently mean the current folder."""
    if not text:
        raise typer.BadParameter(f"{_EMPTY} Use . for the current folder")
    return Path(text)


def not_empty(context: typer.Context, parameter: typer.CallbackParam, value: Names) -> Names:
    """Refuse an empty value that the user typed; a default may be empty."""
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
    typer.Option(help="Weights to use if the model has both; int8 is faster and less exact."),
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cpu|cuda|PROVIDER", help="Compute device [default: cuda if available]."
    ),
]
ArchiveFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", parser=path, help="Archive folder, instead of PATH/.memery."),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors on standard error.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print more on standard error.")]
Report = Annotated[ReportFormat, typer.Option("--format", help="Output format.")]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Do not update the index first.")]
Explain = Annotated[bool, typer.Option("--explain", help="Explain how each result was ranked.")]


@dataclass(eq=False, repr=False)
class QueryTerms(OptionGroup):
    """The terms of a query as typed, except the first text."""

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


@dataclass(eq=False, repr=False)
class Output(OptionGroup):
    """What to do with the hits."""

    format_: Annotated[
        ResultFormat | None,
        typer.Option("--format", help="Output format [default: table; jsonl with --queries-from]."),
    ] = None
    open_: Annotated[bool, typer.Option("--open", help="Open the best hit in a viewer.")] = False
    copy_to: Annotated[
        Path | None, typer.Option(metavar="DIR", parser=path, help="Copy the hits there.")
    ] = None
    show: Annotated[bool, typer.Option("--show", help="Print thumbnails in the terminal.")] = False


@dataclass(eq=False, repr=False)
class Settings(OptionGroup):
    """The settings that every command with a model takes."""

    model: Model = None
    precision: Precision = None
    device: Device = None
    archive: ArchiveFolder = None

    @property
    def given(self) -> dict[str, Any]:
        """The values that the user gave, by their names in `Config`."""
        return _given({setting.name: getattr(self, setting.name) for setting in fields(self)})


@dataclass(eq=False, repr=False)
class IndexSettings(OptionGroup):
    """The settings of a build."""

    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding threads [default: one per processor].")
    ] = None
    follow_links: Annotated[
        bool | None,
        typer.Option("--follow-links/--no-follow-links", help="Follow symbolic links; remembered."),
    ] = None
    ocr: Annotated[
        bool | None,
        typer.Option(
            "--ocr/--no-ocr",
            help="Recognise the text in images; remembered [default: if memery[ocr] is installed].",
        ),
    ] = None
    read_text: Annotated[
        bool | None,
        typer.Option("--read-text/--no-read-text", hidden=True),  # the former name of --ocr
    ] = None

    @property
    def given(self) -> dict[str, Any]:
        """The values that the user gave, by their names in `Config`."""
        return _given(
            {
                "workers": self.workers,
                "follow_links": self.follow_links,
                "read_text": self.read_text if self.ocr is None else self.ocr,
            }
        )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@dataclass(eq=False, repr=False)
class Verbosity(OptionGroup):
    """How much to print on standard error."""

    quiet: Quiet = False
    verbose: Verbose = False

    def console(self) -> "Console":
        """A console for standard error."""
        from memery.gateway.cli.console import Console

        return Console(quiet=self.quiet, verbose=self.verbose)
