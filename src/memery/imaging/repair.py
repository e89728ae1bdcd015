"""Recovery of the decodable part of damaged image files."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from memery.imaging.limits import JPEG_FORMATS, LEAST_DECODED, count_scans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_LENGTH, _KIND, _CHECKSUM = 4, 4, 4
_ANCILLARY_BIT = 0x20
_USED = frozenset({b"tRNS", b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt"})
"""Ancillary chunks of a PNG that decoders use."""
_CHUNK_MAX, _CHUNKS_MAX = 1 << 20, 16 << 20
"""Decompressed bytes of one chunk and of all; Pillow rejects files with larger ones."""
_DECODED_BY_ROWS = frozenset({"JPEG", "MPO", "PNG", "GIF", "TIFF", "BMP", "DIB", "PPM"})
"""Formats for which Pillow keeps the rows decoded before an error."""
_END_OF_IMAGE = b"\xff\xd9"
_NOISE = b"\x5a\x33" * 2048 + _END_OF_IMAGE
_RESERVED = bytes(16)
_GREY, _WHITE = 128, 255
_STRIP_BYTES = 1 << 20
_SEGMENTS_USED = range(0xC0, 0xE0)
_ADOBE = 0xEE


def without_broken_metadata(data: bytes) -> bytes:
    """Remove metadata from a PNG or JPEG file that may prevent its pixels from being decoded.

    This removes broken and oversized texts and profiles, and all data that decoders do not need.
    """
    if data.startswith(_PNG):
        return _PNG + b"".join(_sound_png_chunks(data))
    if data.startswith(_JPEG):
        return _jpeg_pixels(data)
    return data


def without_reserved_end(data: bytes) -> bytes:
    """Remove zeros from the end of a JPEG file, left by an incomplete download.

    Decoders would read them as pixels. Some cameras also pad files with zeros after the end marker.
    """
    if not data.endswith(_RESERVED) or not data.startswith(_JPEG):
        return data
    kept = data.rstrip(b"\0")
    return kept + b"\0" if kept.endswith(b"\xff") else kept  # 0xFF in the data is 0xFF 0x00


def has_wrong_checksum(data: bytes) -> bool:
    """Whether a chunk of a PNG file is damaged, or its end is missing."""
    kind, right = b"IEND", True
    for kind, body, checksum in _png_chunks(data):
        right = right and checksum == _checksum(kind, body)
    return not right or kind != b"IEND"


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield kind, data and checksum of each chunk; nothing if the file is not a PNG."""
    position = len(_PNG) if data.startswith(_PNG) else len(data)
    while position < len(data):
        end = position + _LENGTH + _KIND + int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], data[position + 8 : end], data[end : end + 4]
        position = end + _CHECKSUM


def _checksum(kind: bytes, body: bytes) -> bytes:
    return zlib.crc32(kind + body).to_bytes(_CHECKSUM, "big")


def _sound_png_chunks(data: bytes) -> Iterator[bytes]:
    kept = 0
    for kind, body, checksum in _png_chunks(data):
        start = len(body).to_bytes(_LENGTH, "big") + kind + body
        if not kind[:1] or not kind[0] & _ANCILLARY_BIT:
            # Pillow checks the checksums of critical chunks, but not that of the pixel data.
            yield start + (checksum if kind == b"IDAT" else _checksum(kind, body))
        elif kind in _USED and checksum == _checksum(kind, body):
            size = _unpacked_size(kind, body)
            kept += size
            if size <= _CHUNK_MAX and kept <= _CHUNKS_MAX:
                yield start + checksum


def _unpacked_size(kind: bytes, body: bytes) -> int:
    """Return the decompressed size of a chunk; if it is broken or too large, limit + 1."""
    _, _, rest = body.partition(b"\0")  # a keyword or name
    packed = b""
    if kind in (b"iCCP", b"zTXt"):
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\x01":
        packed = rest[2:].split(b"\0", 2)[-1]
    if not packed:
        return len(body)
    try:
        return len(zlib.decompressobj().decompress(packed, _CHUNK_MAX + 1))
    except zlib.error:
        return _CHUNK_MAX + 1


def _jpeg_pixels(data: bytes) -> bytes:
    """Keep only the segments of a JPEG that its pixels need."""
    kept, position = [data[:2]], 2
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] != b"\xda":
        marker = data[position + 1]
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _SEGMENTS_USED or marker == _ADOBE:
            kept.append(data[position:end])
        position = max(end, position + 2)
    return b"".join(kept) + data[position:]


def decoded_part(
    open_image: Callable[[bytes], ImageFile], data: bytes
) -> tuple[ImageFile, str] | None:
    """Decode as much as possible of a damaged file.

    The file is decoded twice, on different backgrounds, or in case of a JPEG with different data
    appended. Rows that are the same in both results were decoded.

    Args:
        open_image: opens a file's bytes without decoding them.
        data: the file's bytes.

    Returns:
        The image and a description of the damage, "" if only the end of a JPEG after its pixels is
        missing. None if too little can be decoded.
    """
    image = open_image(data)
    if image.format not in _DECODED_BY_ROWS:
        return None
    if image.format in JPEG_FORMATS:
        data = data.removesuffix(b"\xff")  # half a marker
        image = _loaded(open_image(data + _END_OF_IMAGE))
        same = _same_rows(image, _loaded(open_image(data + _NOISE)))
        rows = (len(same) if same.all() else int(same.argmin())) / len(same)
        if rows < 1 and count_scans(data) > 1:  # the first scan has all rows
            return image, "some of its scans are missing: details are lost"
    else:
        image = _loaded(image, _GREY)
        rows = float(_same_rows(image, _loaded(open_image(data), _WHITE)).mean())
        if rows == 1:
            return image, "the end of its data is damaged"
    if rows < LEAST_DECODED:
        return None
    return image, f"{100 * (1 - rows):.1f} % of its rows cannot be decoded" if rows < 1 else ""


def _loaded(image: ImageFile, ground: int | None = None) -> ImageFile:
    """Decode an image as far as possible, on a background of one value."""
    from PIL import Image

    if ground is not None:
        if hasattr(image, "_frame_transparency"):  # else Pillow fills the background of a GIF
            image._frame_transparency = None
        bands = len(image.getbands())
        values = (ground,) * bands if bands > 1 else 0 if ground == _GREY else _WHITE
        image.im = Image.new(image.mode, image.size, values).im
    with contextlib.suppress(Exception):
        image.load()
    image.tile = []  # prevents Pillow from decoding again
    return image


def _same_rows(first: Image.Image, second: Image.Image) -> NDArray[np.bool_]:
    """Compare two images of one size and mode row by row; bool of shape (height,)."""
    import numpy as np

    step = max(1, _STRIP_BYTES // (4 * first.width))
    same = np.zeros(first.height, dtype=np.bool_)
    for top in range(0, first.height, step):
        box = (0, top, first.width, min(top + step, first.height))
        one, two = (
            np.frombuffer(image.crop(box).tobytes(), dtype=np.uint8).reshape(box[3] - top, -1)
            for image in (first, second)
        )
        same[top : box[3]] = (one == two).all(axis=1)
    return same
