"""Conversion of image objects (Pillow images, arrays, open files) to encoded bytes."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from memery.errors import QueryError, QueryTypeError

if TYPE_CHECKING:
    from PIL.Image import Image

FILE_BYTES_MAX = 1 << 30
"""Maximum size of an open file."""
ACCEPTED = (
    "a path, the bytes of an image file, an open binary file, a PIL image, or a uint8 array of"
    " shape (height, width), (height, width, 3) or (height, width, 4)"
)
_PNG_MODES = frozenset(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
_CHANNELS = (3, 4)
_FAST = 1
"""zlib level: the bytes are decoded right away, so size does not matter."""


def is_image(value: object) -> bool:
    """Whether a value is an image rather than a text: input of `encoded`, or an os.PathLike."""
    return isinstance(value, (bytes, bytearray, memoryview, os.PathLike)) or (
        (
            not isinstance(value, str)
            and (_is_of(value, "PIL.Image", "Image") or _is_of(value, "numpy", "ndarray"))
        )
        or hasattr(value, "read")
    )


def encoded(value: Any) -> bytes:
    """Encode an image object as the bytes of an image file.

    Args:
        value: bytes, which are returned unchanged; an open file, read from its current position; a
            PIL image; or a uint8 array.

    Raises:
        QueryTypeError: the type is not in `ACCEPTED`.
        QueryError: the image cannot be read, or is too large.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if _is_of(value, "PIL.Image", "Image"):
        return _png(value)
    if _is_of(value, "numpy", "ndarray"):
        return _png(_from_array(value))
    if hasattr(value, "read"):
        return _read(value)
    raise QueryTypeError(f"An image cannot be of type {type(value).__name__}. Use {ACCEPTED}.")


def _is_of(value: object, module: str, name: str) -> bool:
    """Whether a value is an instance of a class, without importing its module."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _png(image: Image) -> bytes:
    from PIL import ImageOps

    file = io.BytesIO()
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode not in _PNG_MODES:
            upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        upright.save(file, "PNG", compress_level=_FAST)
    except Exception as error:  # Pillow plug-ins raise any exception
        raise QueryError(f"The PIL image cannot be used: {error}.") from error
    return file.getvalue()


def _from_array(array: Any) -> Image:
    from PIL import Image

    grey, colour = 2, 3
    fits = array.ndim == grey or (array.ndim == colour and array.shape[2] in _CHANNELS)
    if str(array.dtype) != "uint8" or not fits or not array.size:
        raise QueryTypeError(
            f"An array of type {array.dtype} and shape {array.shape} is not an image."
            f" Use {ACCEPTED}."
        )
    return Image.fromarray(array)


def _read(file: Any) -> bytes:
    try:
        data = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError, UnicodeError) as error:
        raise QueryError(f"The file to search for cannot be read: {error}.") from error
    if not isinstance(data, bytes):
        raise QueryTypeError(
            f"A file that returns {type(data).__name__} is not an image."
            " Open it in binary mode ('rb')."
        )
    if len(data) > FILE_BYTES_MAX:
        raise QueryError(f"The file to search for has more than {FILE_BYTES_MAX} bytes.")
    return data
