"""Image files that are damaged in known ways, and files that promise more than they hold."""

import struct
import zlib

import numpy as np
from PIL import Image

from support.images import encoded


def noise(height=64, width=64, seed=0):
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def damaged_avif():
    """Its headers are whole, its decoder fails: Pillow raises RuntimeError."""
    data = encoded(noise(), "AVIF")
    start = data.index(b"mdat") + 4
    return data[:start] + b"\xff" * 56 + data[start + 56 :]


def png_chunk(kind, data, checksum=None):
    """A chunk with its checksum, or with another."""
    right = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum or right)


def png_of_size(width, height):
    """A PNG of 74 bytes that says it is so large, of 16-bit greys."""
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(2 * 65_536))[:5]
    chunks = png_chunk(b"IHDR", header), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def repeat_last_scan(jpeg, times):
    """A JPEG with its last scan several times more; of one colour, that is a dozen bytes each."""
    start, end = jpeg.rindex(b"\xff\xda"), jpeg.rindex(b"\xff\xd9")
    return jpeg[:end] + times * jpeg[start:end] + jpeg[end:]


def cut(data, share):
    """The first part of a file."""
    return data[: int(share * len(data))]


def tiff_with_rows(count):
    """A TIFF of 8 pixels a row, with one strip per row: all the same few bytes."""
    strips = struct.pack("<I", 8) * count, struct.pack("<I", 8) * count
    tags = {256: 8, 257: count, 258: 8, 259: 1, 262: 1, 273: None, 277: 1, 278: 1, 279: None}
    start = 8 + 2 + 12 * len(tags) + 4
    directory = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, value in tags.items():
        if value is None:
            place = start + (0 if tag == 273 else 4 * count)
            directory += struct.pack("<HHII", tag, 4, count, place)
        else:
            directory += struct.pack("<HHII", tag, 4, 1, value)
    return directory + bytes(4) + b"".join(strips)
