"""Which images may be found at all, and how users say it: folders, dates, kinds, sizes, words."""

from __future__ import annotations

import calendar
import contextlib
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from memery.errors import FilterConflict, QueryError

ORIENTATIONS = ("landscape", "portrait", "square")
_SIDE_MAX = 1 << 31
_VALUES_MAX = 100
_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGO = re.compile(r"(\d{1,5})([dwmy])", re.ASCII)
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})x(\d{1,9})", re.ASCII)

Day = str | date | None
"""A date, a datetime (naive: local time), or text: 2023, 2023-05, 2023-05-31, ISO with a time, or
an age such as 30d, 6w, 3m (of 30 days), 1y (of 365)."""
Names = str | Sequence[str]
Size = str | tuple[int, int]
"""Width and height in pixels, or text: 1000x800."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that an image must pass, all of them. What is left at its default is no condition.

    The date of an image is that of its metadata, else of its name, else the time of modification.

    Attributes:
        under: a folder, relative, with `/`.
        not_under: folders to leave out, likewise.
        since: no earlier than the beginning of this.
        until: no later than the end of this.
        ext: extensions of the file's name, in any case.
        not_ext: extensions to leave out.
        orientation: one of `ORIENTATIONS`.
        not_orientation: likewise, to leave out.
        min_size: width and height at least.
        max_size: width and height at most; (0, 0) means no limit.
        has_text: text was found in the picture, or not; what was not read yet passes neither.
        quoted: phrases that must stand in the picture's text, its name or its notes.
        not_digest: a content to leave out, SHA-256 in hexadecimal.

    Raises:
        QueryError: a value makes no sense; the message names it.
    """

    under: str = ""
    not_under: Names = ()
    since: Day = None
    until: Day = None
    ext: Names = ()
    not_ext: Names = ()
    orientation: str = ""
    not_orientation: str = ""
    min_size: Size = (0, 0)
    max_size: Size = (0, 0)
    has_text: bool | None = None
    quoted: Names = ()
    not_digest: str = ""

    def __post_init__(self) -> None:
        values = {
            "under": _folder(self.under),
            "not_under": tuple(filter(None, map(_folder, _listed(self.not_under)))),
            "since": None if self.since is None else _first(self.since),
            "until": None if self.until is None else _last(self.until),
            "ext": tuple(sorted(map(_extension, _listed(self.ext)))),
            "not_ext": tuple(sorted(map(_extension, _listed(self.not_ext)))),
            "min_size": _size(self.min_size),
            "max_size": _size(self.max_size),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "quoted", tuple(_listed(self.quoted)))
        for name in ("not_under", "ext", "not_ext", "quoted"):
            if len(getattr(self, name)) > _VALUES_MAX:
                raise QueryError(f"{name} has more than {_VALUES_MAX} values: give fewer.")
        if self.not_digest and not _DIGEST.fullmatch(self.not_digest):
            raise QueryError(f"{self.not_digest!r} is no SHA-256 in hexadecimal.")
        for orientation in filter(None, (self.orientation, self.not_orientation)):
            if orientation not in ORIENTATIONS:
                known = ", ".join(ORIENTATIONS)
                raise QueryError(f"{orientation!r} is no orientation: give one of {known}.")
        self._refuse_conflicts(values["since"], values["until"])

    def _refuse_conflicts(self, since: object, until: object) -> None:
        """Refuse pairs of conditions that no image can meet."""
        if isinstance(since, datetime) and isinstance(until, datetime) and since > until:
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
                    f"not_under {folder!r} leaves out all of under {self.under!r}:"
                    " drop one of them.",
                    ("under", "not_under"),
                )

    @property
    def prefix(self) -> str:
        """What the path of every image under the folder begins with."""
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
        """Least width and height, greatest width and height, pixels."""
        (width, height), (widest, highest) = _size(self.min_size), _size(self.max_size)
        return width, height, widest or _SIDE_MAX, highest or _SIDE_MAX

    @property
    def is_folder(self) -> bool:
        """Whether nothing but a folder is asked for."""
        return self == Filter(self.under)

    def within(self, folder: str) -> Filter:
        """The same conditions with folders that are relative to a folder further up."""
        return replace(
            self,
            under=posixpath.join(folder, self.under).strip("/"),
            not_under=tuple(posixpath.join(folder, name) for name in self.not_under),
        )


def _listed(names: Names) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _folder(name: str) -> str:
    path = posixpath.normpath(posixpath.join("/", name)).strip("/")
    up = ".." in name.split("/") and posixpath.normpath(name).startswith("..")
    if up or name.startswith("/") or "\0" in name or not _is_name(name):
        raise QueryError(f"{name!r} leads out of the folder searched: name a folder inside it.")
    return path


def _is_name(name: str) -> bool:
    """Whether a file may be called that: undecodable bytes as surrogate escapes, no others."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _extension(name: str) -> str:
    extension = name.strip().removeprefix(".").lower()
    if not extension or "/" in extension or "." in extension or not _is_name(extension):
        raise QueryError(f"{name!r} is no extension of a file: give one such as jpg.")
    return extension


def _size(value: Size) -> tuple[int, int]:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip().lower())
        if match is None:
            raise QueryError(f"{value!r} is no size: give width and height, such as 1000x800.")
        value = int(match[1]), int(match[2])
    if not isinstance(value, tuple) or [type(side) for side in value] != [int, int]:
        raise QueryError(f"{value!r} is no size: give width and height.")
    if not 0 <= min(value) <= max(value) <= _SIDE_MAX:
        raise QueryError(f"{value} is no size: it must be from 0 to {_SIDE_MAX}.")
    return value


def _first(day: str | date) -> datetime:
    return _span(day)[0]


def _last(day: str | date) -> datetime:
    return _span(day)[1]


def _span(day: str | date) -> tuple[datetime, datetime]:
    """First and last moment of a date as it was given, local time."""
    if isinstance(day, datetime):
        moment = day.replace(tzinfo=None)
        if day.tzinfo:
            with contextlib.suppress(OverflowError, ValueError):  # a day from either end of time
                moment = day.astimezone().replace(tzinfo=None)
        return moment, moment
    if isinstance(day, date):
        return datetime.combine(day, time.min), datetime.combine(day, time.max)
    try:
        return _span_of_text(day.strip())
    except (AttributeError, ValueError, OverflowError):
        raise QueryError(
            f"{day!r} is no date: give one such as 2023, 2023-05, 2023-05-31 or 30d."
        ) from None


def _span_of_text(text: str) -> tuple[datetime, datetime]:
    if ago := _AGO.fullmatch(text):
        moment = datetime.now() - timedelta(days=int(ago[1]) * _DAYS[ago[2]])
        return moment, moment
    if (parts := _DATE.fullmatch(text) or _COMPACT.fullmatch(text)) is None:
        return _span(datetime.fromisoformat(text))
    year, month, day = (int(part) if part else None for part in parts.groups())
    first = datetime(year or 0, month or 1, day or 1)
    last = first.replace(month=month or 12)
    last = last.replace(day=day or calendar.monthrange(last.year, last.month)[1])
    return first, datetime.combine(last, time.max)
