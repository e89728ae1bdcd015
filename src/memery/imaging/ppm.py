"""Fast decoding of PPM and PGM files of unusual depths, which Pillow decodes in pure Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_BYTE_MAX = 255
_STRIP_SAMPLES = 1 << 18


def load_scaled(image: ImageFile, data: bytes) -> None:
    """Decode a binary PPM file of any depth to 8 bits; leave other images as they are.

    Pillow takes about a microsecond per sample, while holding the GIL.

    Args:
        image: the opened image, not decoded yet.
        data: the file's bytes.
    """
    import numpy as np
    from PIL import Image

    if not image.tile or image.tile[0].codec_name != "ppm":
        return
    args = image.tile[0].args
    assert isinstance(args, tuple)  # mode and maximum sample
    maximum = int(args[1])
    bands = len(image.getbands())
    kind = np.dtype(np.uint8 if maximum <= _BYTE_MAX else ">u2")
    start, row = image.tile[0].offset, image.width * bands
    if len(data) < start + row * image.height * kind.itemsize:
        return  # Pillow decodes truncated files
    whole = Image.new("RGB" if bands > 1 else "L", image.size)
    rows = max(1, _STRIP_SAMPLES // row)
    for top in range(0, image.height, rows):
        count = min(rows, image.height - top)
        offset = start + top * row * kind.itemsize
        samples = np.frombuffer(data, kind, count * row, offset).astype(np.float32)
        scaled = np.minimum(samples * (_BYTE_MAX / maximum), _BYTE_MAX).round().astype(np.uint8)
        shape = (count, image.width, bands) if bands > 1 else (count, image.width)
        whole.paste(Image.fromarray(scaled.reshape(shape)), (0, top))
    image._mode, image.im, image.tile = whole.mode, whole.im, []
