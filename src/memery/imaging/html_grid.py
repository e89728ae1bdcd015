"""A grid of images as self-contained HTML, as shown in notebooks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memery.errors import ImageError
from memery.imaging.decoding import decode_upright
from memery.imaging.limits import MAX_PIXELS
from memery.text.escaping import printable

THUMBNAIL_SIDE = 192
"""Longest side of a thumbnail, pixels."""

_GRID = "display:flex;flex-wrap:wrap;gap:8px;font:12px/1.4 system-ui,sans-serif"
_FIGURE = f"margin:0;width:{THUMBNAIL_SIDE}px;overflow-wrap:anywhere"


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell of a grid: a file, its caption, and a note in small print."""

    location: str
    caption: str
    note: str = ""


def thumbnail_url(location: str | os.PathLike[str], side: int = THUMBNAIL_SIDE) -> str | None:
    """Encode an image as the `data:` URL of a JPEG of at most side × side pixels.

    Returns:
        The URL, or None if the image cannot be decoded.
    """
    import base64

    from PIL import Image

    try:
        pixels = decode_upright(Path(location).read_bytes(), side, MAX_PIXELS)
    except (OSError, ValueError, ImageError):
        return None
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def grid_html(cells: Iterable[GridCell]) -> str:
    """Render a grid of thumbnails with captions as HTML, without scripts or external URLs."""
    return f'<div style="{_GRID}">' + "".join(map(_figure_html, cells)) + "</div>"


def _figure_html(cell: GridCell) -> str:
    from html import escape

    caption = escape(printable(cell.caption))
    url = thumbnail_url(cell.location)
    shown = (
        f'<img src="{url}" alt="{caption}" style="max-width:100%">' if url else "(cannot be shown)"
    )
    return (
        f'<figure style="{_FIGURE}">{shown}<figcaption>{caption}'
        f" <small>{escape(cell.note)}</small></figcaption></figure>"
    )
