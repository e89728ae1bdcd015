"""Filters: conditions on the folder, date, type, size and text of images."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from datetime import datetime

from memery.errors import FilterConflict
from memery.query import filter_values
from memery.query.filter_values import SIDE_MAX, Day, Names, Size
from memery.query.parameters import check_length, parameter, parameters_of

ORIENTATIONS = ("landscape", "portrait", "square")


def _minute(moment: datetime) -> str:
    return moment.isoformat(" ", "minutes")


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that an image must pass, all of them. Default values mean no condition.

    The date of an image is that of its metadata, else of its name, else its modification time.
    A condition defined by `parameter` is available in every entry point; its SQL is in
    `stores/sqlite/filter_sql.py`.

    Attributes:
        under: a folder, relative, with `/`.
        not_under: excluded folders, in the same form.
        since: earliest date.
        until: latest date.
        ext: file extensions, in any case.
        not_ext: excluded file extensions.
        orientation: one of `ORIENTATIONS`.
        not_orientation: excluded orientation.
        min_size: minimum width and height, pixels.
        max_size: maximum width and height, pixels; (0, 0) means no limit.
        has_text: whether OCR found text; an image without OCR never passes.
        quoted: phrases that must occur in the image's text, its name or its metadata.
        not_digest: excluded content, SHA-256 in hexadecimal.

    Raises:
        QueryError: a value is not allowed; the message names it.
    """

    under: str = parameter(
        "",
        "Only images in this folder, relative to the folder searched.",
        is_folder=True,
        convert=filter_values.folder,
        metavar="DIR",
        commands=("recall", "similar", "duplicates"),
    )
    not_under: Names = parameter(
        (),
        "No images in this folder.",
        is_list=True,
        is_folder=True,
        convert=filter_values.folders,
        metavar="DIR",
    )
    since: Day = parameter(
        None,
        "Only images dated 2023, 2023-05, 2023-05-31 or 30d (days ago), or later.",
        convert=filter_values.first_moment,
        unmatched=lambda day: f"No image is dated {_minute(day)} or later.",
        metavar="DATE",
    )
    until: Day = parameter(
        None,
        "Only images of this date, in the same forms, or earlier.",
        convert=filter_values.last_moment,
        unmatched=lambda day: f"No image is dated {_minute(day)} or earlier.",
        metavar="DATE",
    )
    ext: Names = parameter(
        (),
        "Only files with this extension.",
        is_list=True,
        convert=filter_values.extensions,
        unmatched=lambda names: f"No image has the extension {', '.join(names)}.",
        metavar="EXT",
        separator=",",
    )
    not_ext: Names = parameter(
        (),
        "No files with this extension.",
        is_list=True,
        convert=filter_values.extensions,
        metavar="EXT",
        separator=",",
    )
    orientation: str = parameter(
        "",
        "Only images of this orientation.",
        choices=ORIENTATIONS,
        unmatched=lambda name: f"No image has the orientation {name}.",
    )
    not_orientation: str = parameter("", "No images of this orientation.", choices=ORIENTATIONS)
    min_size: Size = parameter(
        (0, 0),
        "Only images of this width and height or more, such as 1000x800.",
        convert=filter_values.size,
        unmatched=lambda size: f"No image has {_pixels(size)} pixels or more.",
        metavar="WxH",
    )
    max_size: Size = parameter(
        (0, 0),
        "Only images of this width and height or less.",
        convert=filter_values.size,
        unmatched=lambda size: f"No image has {_pixels(size)} pixels or less.",
        metavar="WxH",
    )
    has_text: bool | None = parameter(
        None,
        "Only images with text in them, or only images without.",
        kind=bool,
        unmatched=lambda is_text: (
            f"No image {'with' if is_text else 'without'} text is known."
            " Text is recognized by memery build with memery[ocr]."
        ),
        flags=("--has-text/--no-text",),
    )
    quoted: Names = ()
    not_digest: str = ""

    def __post_init__(self) -> None:
        for name, defined in parameters_of(Filter).items():
            object.__setattr__(self, name, defined.checked(name, getattr(self, name)))
        object.__setattr__(self, "quoted", filter_values.listed(self.quoted))
        check_length("quoted", self.quoted)
        filter_values.digest(self.not_digest)
        self._refuse_conflicts()

    def _refuse_conflicts(self) -> None:
        """Reject pairs of conditions that no image can meet."""
        since, until = self.earliest, self.latest
        if since is not None and until is not None and since > until:
            raise FilterConflict(
                f"since {since:%Y-%m-%d} is after until {until:%Y-%m-%d}:"
                " no image can be in between. Swap the two dates.",
                ("since", "until"),
            )
        width, height, widest, highest = self.sides
        if width > widest or height > highest:
            raise FilterConflict(
                f"min_size {width}x{height} is larger than max_size {widest}x{highest}:"
                " no image can have both. Swap the two sizes.",
                ("min_size", "max_size"),
            )
        if self.orientation and self.orientation == self.not_orientation:
            raise FilterConflict(
                f"orientation and not_orientation are both {self.orientation}: drop one of them.",
                ("orientation", "not_orientation"),
            )
        if self.ext and set(self.ext) <= set(self.not_ext):
            raise FilterConflict(
                f"ext and not_ext both name {', '.join(self.ext)}: drop one of them.",
                ("ext", "not_ext"),
            )
        for folder in self.not_under:
            if f"{self.under}/".startswith(f"{folder}/"):
                raise FilterConflict(
                    f"not_under {folder!r} excludes all of under {self.under!r}: drop one of them.",
                    ("under", "not_under"),
                )

    @property
    def prefix(self) -> str:
        """Prefix of the paths of all images in the folder."""
        return f"{self.under}/" if self.under else ""

    @property
    def earliest(self) -> datetime | None:
        """The first moment that passes, local time."""
        return self.since if isinstance(self.since, datetime) else None

    @property
    def latest(self) -> datetime | None:
        """The last moment that passes, local time."""
        return self.until if isinstance(self.until, datetime) else None

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Minimum width and height, maximum width and height, pixels."""
        (width, height), (widest, highest) = map(filter_values.size, (self.min_size, self.max_size))
        return width, height, widest or SIDE_MAX, highest or SIDE_MAX

    @property
    def is_folder(self) -> bool:
        """Whether the only condition is a folder."""
        return self == Filter(self.under)

    def within(self, folder: str) -> Filter:
        """Make the same filter with folders relative to a parent of `folder`.

        Args:
            folder: the folder that the conditions are relative to now.
        """
        return replace(
            self,
            under=posixpath.join(folder, self.under).strip("/"),
            not_under=tuple(posixpath.join(folder, name) for name in self.not_under),
        )
