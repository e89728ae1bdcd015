"""Make image files of one colour, with a fixed time of modification."""

import io
import os
from pathlib import Path

from PIL import Image

MODIFIED = 1_700_000_000
"""14 November 2023, 22:13:20 UTC: no test depends on the day it runs on."""


def encoded(image, format_, **options):
    """Return an image as the bytes of a file; options are those of Pillow's encoder."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png(colour, size=(30, 30)):
    """Return a PNG of one colour as the bytes of a file."""
    return encoded(Image.new("RGB", size, colour), "PNG")


def paint(path, colour="red", size=(40, 30), *, modified=MODIFIED, **options):
    """Write an image file of one colour, and the folders that it lies in.

    Args:
        path: the file; its extension decides the format, PNG if Pillow writes none by that name.
            May be bytes.
        colour: anything that Pillow takes.
        size: width and height, pixels.
        modified: time of modification, seconds since the epoch.
        options: of Pillow's encoder.

    Returns:
        The path of the file.
    """
    file = Path(os.fsdecode(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = Image.registered_extensions().get(file.suffix.lower())
    image = Image.new("RGB", size, colour)
    image.save(file, kind if kind in Image.SAVE else "PNG", **options)
    os.utime(file, (modified, modified))
    return file


def paint_all(folder, colours, size=(40, 30), *, extension=".png"):
    """Write an image for each colour into a folder, named after it, and return the folder."""
    for colour in colours:
        paint(folder / f"{colour}{extension}", colour, size)
    return folder
