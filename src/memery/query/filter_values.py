"""Conversion of the filter values that users enter."""

from __future__ import annotations

import calendar
import contextlib
import os
import posixpath
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from memery.errors import QueryError

SIDE_MAX = 1 << 31
_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGO = re.compile(r"(\d{1,5})([dwmy])", re.ASCII)
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})x(\d{1,9})", re.ASCII)

Day = str | date | None
"""A date, a datetime (naive means local time), or text: 2023, 2023-05, 2023-05-31, ISO 8601 with a
time, or an age such as 30d, 6w, 3m (30 days each), 1y (365 days)."""
Names = str | Sequence[str]
Size = str | tuple[int, int]
"""Width and height in pixels, or text: 1000x800."""


def listed(names: Names) -> tuple[str, ...]:
    """Convert one name or several to a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


def folders(names: Names) -> tuple[str, ...]:
    """Normalise folders relative to the searched one; raises QueryError."""
    return tuple(filter(None, map(folder, listed(names))))


def extensions(names: Names) -> tuple[str, ...]:
    """Normalise file extensions: lower case, without the dot, sorted; raises QueryError."""
    return tuple(sorted(map(_extension, listed(names))))


def digest(value: str) -> str:
    """Check a hexadecimal SHA-256 digest, or ""; raises QueryError."""
    if value and not _DIGEST.fullmatch(value):
        raise QueryError(f"{value!r} is not a SHA-256 digest in hexadecimal.")
    return value


def folder(name: str) -> str:
    """Normalise a folder relative to the searched one; raises QueryError."""
    path = posixpath.normpath(posixpath.join("/", name)).strip("/")
    up = ".." in name.split("/") and posixpath.normpath(name).startswith("..")
    if up or name.startswith("/") or "\0" in name or not _is_name(name):
        raise QueryError(f"{name!r} is not inside the searched folder. Use a folder inside it.")
    return path


def _is_name(name: str) -> bool:
    """Whether a string is a possible file name; surrogates must be escapes of undecodable bytes."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _extension(name: str) -> str:
    extension = name.strip().removeprefix(".").lower()
    if not extension or "/" in extension or "." in extension or not _is_name(extension):
        raise QueryError(f"{name!r} is not a file extension. Use for example jpg.")
    return extension


def size(value: Size) -> tuple[int, int]:
    """Convert a size to width and height in pixels; raises QueryError."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip().lower())
        if match is None:
            raise QueryError(
                f"{value!r} is not a size. Use width and height, for example 1000x800."
            )
        value = int(match[1]), int(match[2])
    if not isinstance(value, tuple) or [type(side) for side in value] != [int, int]:
        raise QueryError(
            f"{value!r} is not a size: it must be two whole numbers, width and height."
        )
    if not 0 <= min(value) <= max(value) <= SIDE_MAX:
        raise QueryError(f"{value} is not a size: each side must be from 0 to {SIDE_MAX}.")
    return value


def first_moment(day: Day) -> datetime | None:
    """Convert a date to its first moment, local time; raises QueryError."""
    return None if day is None else _span(day)[0]


def last_moment(day: Day) -> datetime | None:
    """Convert a date to its last moment, local time; raises QueryError."""
    return None if day is None else _span(day)[1]


def _span(day: str | date) -> tuple[datetime, datetime]:
    """First and last moment of a date, local time."""
    if isinstance(day, datetime):
        moment = day.replace(tzinfo=None)
        if day.tzinfo:
            with contextlib.suppress(
                OverflowError, ValueError
            ):  # within a day of datetime.min or datetime.max
                moment = day.astimezone().replace(tzinfo=None)
        return moment, moment
    if isinstance(day, date):
        return datetime.combine(day, time.min), datetime.combine(day, time.max)
    try:
        return _span_of_text(day.strip())
    except (AttributeError, ValueError, OverflowError):
        raise QueryError(
            f"Invalid date {day!r}. Use for example 2023, 2023-05, 2023-05-31 or 30d."
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
