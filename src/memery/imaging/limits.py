"""Memory and time limits of decoding, checked against an image's header before it is decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memery.errors import ImageError
from memery.text.plurals import counted

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 178_956_970
"""The default limit, the same as Pillow's."""
BYTES_PER_PIXEL = 8
"""Memory limit of an image, in bytes per pixel of the limit: 4 for pixels, 4 for a copy."""
_BYTES_PER_PIXEL = {"WEBP": 17, "AVIF": 20, "HEIF": 12}
"""Memory use of decoders that keep several copies of the image (benchmarks/decoding.py)."""
_COEFFICIENT_BYTES = 2
"""libjpeg keeps every coefficient of a JPEG that has several scans."""
JPEG_REDUCTIONS = (1, 2, 4, 8)
"""Factors by which a JPEG's sides can be reduced while decoding."""
JPEG_FORMATS = ("JPEG", "MPO")
_SCANS_MAX = 100
"""Encoders write 10, or 24 for four components. A malicious file has thousands in kilobytes."""
_SCAN_PIXELS_FACTOR = 16
"""Limit of scans × pixels, as a multiple of the limit of pixels. A scan takes 2 ns per pixel."""
_TILES_MAX = 100_000
"""Tiles or strips of a TIFF. Pillow takes 20 to 60 µs for each; a strip may be a single row."""
_BLOCK_PIXELS = 64
"""A JPEG needs at least one bit for each block of 8 × 8 samples."""
_DEFLATE_RATIO = 1032
"""The highest compression ratio of zlib (zlib's technical details)."""
LEAST_DECODED = 0.25
"""The fraction of an image's rows that must be decodable."""
_PNG_HEADER = slice(12, 26)
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MARKER = re.compile(rb"\xff+([\xc0-\xcf\xd8-\xfe])")
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_SEQUENTIAL = (0xC0, 0xC1, 0xC9)
"""Markers of frames that are not progressive."""
_MEGA = 1_000_000


def check_cost(image: ImageFile, data: bytes, max_pixels: int) -> None:
    """Reject an image whose decoding would take too much memory or time.

    Args:
        image: the opened image, not decoded yet.
        data: the file's bytes.
        max_pixels: the configured limit. A JPEG may have more pixels if decoding it at a reduced
            size stays within the memory limit.

    Raises:
        ImageError: it is too large, has too many scans or tiles, or its file is too short.
    """
    pixels = image.width * image.height
    scans = count_scans(data) if image.format in JPEG_FORMATS else 0
    if _memory(image, scans) > BYTES_PER_PIXEL * max_pixels:
        limit = BYTES_PER_PIXEL * max_pixels // _bytes_per_pixel(image)
        size = f"{_quantity(pixels)} ({image.width}x{image.height})"
        raise ImageError("too large", f"{size}; the limit is {_quantity(limit)}: raise max_pixels")
    if scans > _SCANS_MAX or scans * pixels > _SCAN_PIXELS_FACTOR * max_pixels:
        size = f"{image.width}x{image.height}"
        raise ImageError(
            "too large", f"{counted(scans, 'scan')} of {size} pixels take too long to decode"
        )
    if len(image.tile) > _TILES_MAX:
        tiles = counted(len(image.tile), "tile")
        raise ImageError("too large", f"{tiles} take too long to decode")
    if _is_too_short(image, data):
        size = f"{image.width}x{image.height}"
        raise ImageError("truncated", f"{counted(len(data), 'byte')}: too few for {size} pixels")


def jpeg_reduction(image: Image.Image, max_pixels: int) -> int:
    """Return the smallest reduction that keeps a JPEG within the limit: 1, 2, 4 or 8."""
    pixels = image.width * image.height
    fitting = (factor for factor in JPEG_REDUCTIONS if pixels <= max_pixels * factor**2)
    return next(fitting, JPEG_REDUCTIONS[-1])


def count_scans(data: bytes) -> int:
    """Count the scans of the first image of a JPEG file that libjpeg decodes."""
    scans, position, components = 0, 2, 0
    while (match := _MARKER.search(data, position)) is not None:
        marker, start = match.group(1)[0], match.end()
        if marker == _EOI:
            break
        if marker in _SEQUENTIAL:
            components = data[start + 7] if len(data) > start + 7 else 0
        if marker == _SOS:
            scans += 1
            if components and data[start + 2 : start + 3] == bytes([components]):
                break  # libjpeg stops after a scan with all components
        length = 0 if marker == _SOI else int.from_bytes(data[start : start + 2], "big")
        position = start + length
    return scans


def _memory(image: Image.Image, scans: int) -> float:
    """Estimate the peak memory of decoding, bytes; for a JPEG at its smallest size."""
    pixels = image.width * image.height
    if image.format not in JPEG_FORMATS:
        return pixels * _bytes_per_pixel(image)
    reduced = pixels * BYTES_PER_PIXEL / JPEG_REDUCTIONS[-1] ** 2
    if scans <= 1:
        return reduced
    return reduced + pixels * _COEFFICIENT_BYTES * samples_per_pixel(image)


def _bytes_per_pixel(image: Image.Image) -> int:
    return _BYTES_PER_PIXEL.get(image.format or "", BYTES_PER_PIXEL)


def samples_per_pixel(image: Image.Image) -> float:
    """Return samples per pixel of a JPEG, whose components may be subsampled: 1.5 in 4:2:0."""
    factors = [across * down for _, across, down, _ in getattr(image, "layer", [])]
    return sum(factors) / max(factors, default=1) if factors else len(image.getbands())


def _is_too_short(image: Image.Image, data: bytes) -> bool:
    """Whether a PNG or JPEG file is too short to contain enough of its rows."""
    pixels = LEAST_DECODED * image.width * image.height
    if image.format in JPEG_FORMATS:
        return 8 * len(data) < pixels * samples_per_pixel(image) / _BLOCK_PIXELS
    header = data[_PNG_HEADER]
    if image.format != "PNG" or header[:4] != b"IHDR":
        return False
    bits = header[12] * _PNG_CHANNELS.get(header[13], 1)
    return len(data) * _DEFLATE_RATIO < pixels * bits / 8


def _quantity(pixels: int) -> str:
    return f"{pixels / _MEGA:.1f} megapixels" if pixels >= _MEGA else f"{pixels} pixels"
