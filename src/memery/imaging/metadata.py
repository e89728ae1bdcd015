"""Title, description and keywords from the metadata of images (EXIF, IPTC, XMP, PNG)."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from PIL import Image

_EXIF = (0x010E, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F)
"""ImageDescription; Windows' title, comment, keywords, subject, as UTF-16 (Exif 2.32, 4.6.4)."""
_IPTC = ((2, 5), (2, 25), (2, 105), (2, 120))
"""Object name, keywords, headline, caption (IPTC-IIM 4.2, 6)."""
_XMP = ("title", "description", "subject", "Headline")
"""Properties of the schemas dc and photoshop."""
_PNG = ("Title", "Description", "Comment", "Keywords")
_XMP_BYTES = 1 << 20
_LENGTH_MAX = 10_000
"""Maximum number of characters of an image's metadata text."""
_CAMERA_DEFAULTS = frozenset({"OLYMPUS DIGITAL CAMERA", "SAMSUNG", "DCIM", "ASCII", "SONY DSC"})
"""Descriptions that cameras write by default."""


def metadata_text(image: Image.Image) -> str:
    """Read an image's metadata texts, without repetitions, separated by line feeds.

    Broken metadata is ignored.
    """
    found: dict[str, None] = {}
    for source in (_from_exif, _from_iptc, _from_xmp, _from_png):
        with contextlib.suppress(Exception):  # broken metadata raises errors of any type
            found |= dict.fromkeys(filter(None, map(_cleaned, source(image))))
    return "\n".join(text for text in found if text not in _CAMERA_DEFAULTS)[:_LENGTH_MAX]


def _cleaned(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())


def _from_exif(image: Image.Image) -> Iterator[str]:
    exif = image.getexif()
    for tag in _EXIF:
        value = exif.get(tag)
        if isinstance(value, bytes):
            yield value.decode("utf-16-le", "ignore")
        elif isinstance(value, str):
            yield value


def _from_iptc(image: Image.Image) -> Iterator[str]:
    if "photoshop" not in image.info and image.format != "TIFF":
        return
    from PIL import ImageFile, IptcImagePlugin

    records: dict[Any, Any] = IptcImagePlugin.getiptcinfo(cast(ImageFile.ImageFile, image)) or {}
    for record in _IPTC:
        values = records.get(record, [])
        for value in values if isinstance(values, list) else [values]:
            yield _text(value)


def _text(value: bytes) -> str:
    """Decode as UTF-8, else as Latin-1, which old programs wrote."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _from_xmp(image: Image.Image) -> Iterator[str]:
    for _, value in xmp_values(image, _XMP):
        yield value


def xmp_values(image: Image.Image, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the properties of an image's XMP packet with these names.

    Entities are not expanded (defusedxml), and packets of more than 1 MB are not parsed.

    Raises:
        Exception: any error of the parser, if the packet is broken.
    """
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet and len(packet) <= _XMP_BYTES:
        for name, value in _walked(image.getxmp()):
            if name in names:
                yield from ((name, text) for text in _leaves(value))


def _walked(node: Any) -> Iterator[tuple[str, Any]]:
    children: Iterable[Any] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        yield from node.items()
        children = node.values()
    for child in children:
        yield from _walked(child)


def _leaves(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from _leaves(child)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name != "lang":
                yield from _leaves(child)


def _from_png(image: Image.Image) -> Iterator[str]:
    for name in _PNG:
        value = image.info.get(name)
        if isinstance(value, str):
            yield value
