"""When an image was taken: dates in EXIF, XMP and GPS tags and in file names.

A date is the wall-clock time where the image was taken, in ISO 8601 without an offset: an offset
that the camera wrote is dropped, so that noon in Tokyo stays noon. A time that is marked as UTC
("Z", and GPS time) says nothing about the place; it becomes local time of this machine.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from memery.imaging.metadata import xmp_values

if TYPE_CHECKING:
    from PIL import Image

SOURCES = ("exif", "xmp", "gps", "name", "file")
"""Sources of dates, most trusted first; "file" is the modification time."""

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DATE_TIME, _SUBSEC = 0x0132, 0x9290
_EXIF_DATES = ((0x9003, 0x9291), (0x9004, 0x9292))
"""DateTimeOriginal and DateTimeDigitized, each with its SubSecTime (Exif 2.32, 4.6.5)."""
_GPS_TIME, _GPS_DATE = 7, 29
_XMP_DATES = ("DateTimeOriginal", "CreateDate", "DateCreated")
"""Properties of the schemas exif, xmp and photoshop."""
_LENGTH_MAX = 64
"""Number of characters of a date that are parsed."""
_STAMP = re.compile(
    r"""
    (?P<year>\d{4}) (?: [-:/.] (?P<month>\d{1,2}|\ \d) (?: [-:/.] (?P<day>\d{1,2}|\ \d)
    (?: [T\s]+ (?P<hour>\d{1,2}) : (?P<minute>\d{2}|\ \d)
        (?: : (?P<second>\d{2}|\ \d) (?: [.,:] (?P<fraction>\d+) )? )? )?
    )? )?
    \s* (?: (?P<utc>Z|UTC) | [+-]\d{1,2} (?: :?\d{2} )? )?
    """,
    re.VERBOSE | re.ASCII,
)
"""EXIF's format (2015:06:14 12:30:00), ISO 8601 and XMP; trailing parts may be missing. Some
cameras pad fields with spaces (2015: 6:14  9: 5: 0)."""
_DAY = r"(?<!\d) (?P<year>(?:19|20)\d\d) (?P<dash>[-_. ]?) (?P<month>\d\d) (?P=dash) (?P<day>\d\d)"
_NAMES = tuple(
    re.compile(_DAY + time + r"(?!\d)", re.VERBOSE | re.ASCII | re.IGNORECASE)
    for time in (
        r"""
        (?: [-_.T\ ]{0,3} | (?:\s[^\s\d]{1,5}){1,2}\s )
        (?P<hour>\d\d|\d(?=[.:h])) (?P<colon>[-_.:h ]?) (?P<minute>\d\d)
        (?: (?P=colon) (?P<second>\d\d) (?: [-_.]? (?P<fraction>\d{3}) )? | (?<=[.:h]\d\d) )
        (?: [\s\u00a0\u202f]? (?P<half>[AP]M) )?
        """,
        "",  # not followed by a time, but for example by a counter
    )
)
"""A date with a time, such as 2015-06-14 at 12.30.00, and a date alone."""
_DIGEST = re.compile(r"(?=\d*[a-f])[0-9a-f]{16,}", re.ASCII | re.IGNORECASE)
"""A hexadecimal digest, whose digits may look like a date."""
_NOON, _MIDNIGHT = 12, 24
_LEAP_SECOND = 60
_MICROSECONDS = 6
"""Digits of a datetime's fraction of a second."""


@dataclass(frozen=True, slots=True)
class Taken:
    """When an image was taken, according to its metadata.

    Attributes:
        at: date and time in ISO 8601, or None.
        source: "exif", "xmp" or "gps"; "" without a date.
    """

    at: str | None = None
    source: str = ""


def date_taken(image: Image.Image) -> Taken:
    """Read the first valid date from an image's metadata, ignoring blank and broken ones."""
    sources: tuple[tuple[str, Callable[[Image.Image], Iterator[datetime | None]]], ...] = (
        ("exif", _from_exif),
        ("xmp", _from_xmp),
        ("gps", _from_gps),
    )
    for source, dates in sources:
        with contextlib.suppress(Exception):  # broken metadata raises errors of any type
            for found in filter(None, dates(image)):
                return Taken(found.isoformat(), source)
    return Taken()


def date_in_name(name: str, today: date | None = None) -> str | None:
    """Find the date in a file name, such as IMG-20150614-WA0001.

    Only valid dates from 1900 to tomorrow count, if they are not part of a longer number. Without a
    time, the time is 00:00.

    Args:
        name: file name without the folder.
        today: the current date, by default the system's.

    Returns:
        Date and time in ISO 8601, or None.
    """
    latest = (today or date.today()) + timedelta(days=1)
    searched = _DIGEST.sub("/", name)  # no file name contains a slash
    for pattern in _NAMES:
        for match in pattern.finditer(searched):
            found = _date_of(match)
            if found is not None and found.date() <= latest:
                return found.isoformat()
    return None


def _from_exif(image: Image.Image) -> Iterator[datetime | None]:
    exif = image.getexif()
    details: dict[int, Any] = {}
    with contextlib.suppress(Exception):  # if this IFD is broken, DateTime may still be valid
        details = exif.get_ifd(_EXIF_IFD)
    for tag, fraction in _EXIF_DATES:
        yield _parsed(details.get(tag), details.get(fraction))
    yield _parsed(exif.get(_DATE_TIME), details.get(_SUBSEC))


def _from_xmp(image: Image.Image) -> Iterator[datetime | None]:
    values = list(xmp_values(image, _XMP_DATES))
    for wanted in _XMP_DATES:
        yield from (_parsed(value) for name, value in values if name == wanted)


def _from_gps(image: Image.Image) -> Iterator[datetime | None]:
    gps = image.getexif().get_ifd(_GPS_IFD)
    day = _parsed(gps.get(_GPS_DATE))
    if day is None:
        return
    try:
        hour, minute, second = (int(number) for number in gps[_GPS_TIME])
        moment = day.replace(hour=hour, minute=minute, second=_storable(second))
    except (LookupError, TypeError, ValueError, ArithmeticError):
        yield day
    else:
        yield _local(moment)


def _parsed(value: object, fraction: object = None) -> datetime | None:
    """Parse a date from metadata; return None if it is not valid."""
    text = _text(value)
    match = _STAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(match[name] or 1) for name in ("year", "month", "day"))
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    hour = 0 if hour == _MIDNIGHT else hour  # some phones write midnight as 24
    fraction = match["fraction"] or (_text(fraction) if match["second"] else "")
    try:
        found = datetime(year, month, day, hour, minute, _storable(second), _microseconds(fraction))
    except ValueError:
        return None
    return _local(found) if match["utc"] else found


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value[:_LENGTH_MAX].decode("latin-1")
    return value[:_LENGTH_MAX].partition("\0")[0].strip() if isinstance(value, str) else ""


def _microseconds(digits: str) -> int:
    digits = digits if digits.isascii() and digits.isdecimal() else ""
    return int(digits[:_MICROSECONDS].ljust(_MICROSECONDS, "0"))


def _storable(second: int) -> int:
    """Replace a leap second, which datetime does not support, by the second before it."""
    return _LEAP_SECOND - 1 if second == _LEAP_SECOND else second


def _local(moment: datetime) -> datetime:
    """Convert UTC to local time, unless that is out of datetime's range."""
    try:
        return moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
    except (OverflowError, OSError, ValueError):
        return moment


def _date_of(match: re.Match[str]) -> datetime | None:
    parts = match.groupdict()
    hour = int(parts.get("hour") or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= _NOON:
            return None
        hour = hour % _NOON + (_NOON if half.upper() == "PM" else 0)
    try:
        return datetime(
            int(parts["year"]),
            int(parts["month"]),
            int(parts["day"]),
            hour,
            int(parts.get("minute") or 0),
            _storable(int(parts.get("second") or 0)),
            _microseconds(parts.get("fraction") or ""),
        )
    except ValueError:
        return None
