"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from memery.gateway.cli.choices import Mode, Orientation, ReportFormat, ResultFormat, Sort

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

TopK = Annotated[int, typer.Option("-n", "--top-k", min=1, help="How many hits.")]
Offset = Annotated[int, typer.Option(min=0, help="How many of the best to leave out.")]
RankMode = Annotated[
    Mode,
    typer.Option(help="Rank by what pictures show, by the words in them and their names, or both."),
]
MinStrength = Annotated[
    float | None,
    typer.Option(metavar="X", help="Leave out hits that stand out less than this."),
]
SortBy = Annotated[Sort, typer.Option(help="The order in which the hits are printed.")]
ListCopies = Annotated[
    bool, typer.Option("--copies", help="List every exact copy, not one for all.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Say what made each hit one.")]
Results = Annotated[
    ResultFormat | None,
    typer.Option("--format", help="How to print [default: table; jsonl with --queries-from]."),
]

Under = Annotated[
    str,
    typer.Option(
        metavar="DIR",
        callback=not_empty,
        help="Only what lies in this folder, relative to PATH.",
    ),
]
NotUnder = Annotated[
    list[str],
    typer.Option(metavar="DIR", callback=not_empty, help="Nothing in this folder."),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="No older than 2023, 2023-05, 2023-05-31 or 30d."),
]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="No newer than, likewise.")]
Extensions = Annotated[
    list[str], typer.Option("--ext", metavar="EXT", help="Only files with this extension.")
]
NotExtensions = Annotated[
    list[str], typer.Option("--not-ext", metavar="EXT", help="No files with this extension.")
]
Shape = Annotated[Orientation | None, typer.Option("--orientation", help="Only of this shape.")]
NotShape = Annotated[
    Orientation | None, typer.Option("--not-orientation", help="Not of this shape.")
]
MinSize = Annotated[
    str | None, typer.Option(metavar="WxH", help="At least as large as this, such as 1000x800.")
]
MaxSize = Annotated[str | None, typer.Option(metavar="WxH", help="At most as large as this.")]
HasText = Annotated[
    bool | None, typer.Option("--has-text/--no-text", help="With text in them, or without.")
]


def comma_separated(values: list[str]) -> tuple[str, ...]:
    """`--ext jpg,png --ext gif` → jpg, png, gif."""
    return tuple(part for value in values for part in value.split(","))
