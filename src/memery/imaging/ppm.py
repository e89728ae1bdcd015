"""PPM and PGM files of an unusual depth, which Pillow decodes a sample at a time in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_BYTE_MAX = 255
_STRIP_SAMPLES = 1 << 18


def load_scaled(image: ImageFile, data: bytes) -> None:
    """Decode a binary PPM file of any depth to 8 bits; leave other images as they are.

    Pillow takes about a microsecond for a sample, and lets no other thread run meanwhile.

    Args:
        image: as it was opened, not decoded yet.
        data: its file's bytes.
    """
    import numpy as np
    from PIL import Image

    if not image.tile or image.tile[0].codec_name != "ppm":
        return
    args = image.tile[0].args
    assert isinstance(args, tuple)  # the mode and the largest sample
    maximum = int(args[1])
    bands = len(image.getbands())
    kind = np.dtype(np.uint8 if maximum <= _BYTE_MAX else ">u2")
    start, row = image.tile[0].offset, image.width * bands
    if len(data) < start + row * image.height * kind.itemsize:
        return  # Pillow decodes what is there
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
