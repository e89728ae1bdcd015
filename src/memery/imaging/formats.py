"""Image formats: what is opened, in which order, and what a file is by its content."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import logging
import struct
import warnings
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

from memery.errors import ImageError
from memery.imaging.exclusions import SIGNATURE_BYTES, unsupported

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

EXTENSIONS = frozenset(
    [
        *("jpg", "jpeg", "jpe", "jfif", "jfi", "jif", "pjpeg", "pjp", "mpo", "jps"),
        *("png", "apng", "webp", "gif", "avif", "avifs"),
        *("heic", "heif", "hif", "heics", "heifs"),
        *("ppm", "pgm", "pbm", "pnm", "pfm", "bmp", "dib", "tif", "tiff"),
    ]
)
"""Extensions of files that are looked at, lower case; files without one are looked at too."""
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "DIB", "TIFF", "WEBP", "GIF", "AVIF")
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "PPM": "image/x-portable-anymap",
    "BMP": "image/bmp",
    "DIB": "image/bmp",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "MPO": "image/jpeg",
}
"""Of what content is found to be, as Pillow names it."""
DECODING = 2
"""Version of decoding: raised when memery opens more files, or decodes some to other pixels."""
_ENDS_EARLY = (EOFError, IndexError, struct.error)
"""What Pillow's plug-ins raise where they read beyond the end of a file."""
_PREFIX = 16
"""Bytes by which Pillow's plug-ins know their format."""


@cache
def decoders() -> str:
    """The decoders in use with their versions: a file skipped by others is worth another try."""
    import PIL

    versions = [f"decoding={DECODING}", f"pillow={PIL.__version__}"]
    if importlib.util.find_spec("pillow_heif"):
        from importlib.metadata import version

        # The package itself is only imported to decode: that takes a while.
        versions.append(f"pillow-heif={version('pillow-heif')}")
    return " ".join(versions)


@cache
def _register_heif() -> bool:
    """Teach Pillow HEIC where pillow-heif is installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are opened, their plug-ins loaded: Pillow itself loads only a few."""
    plugins = ("Jpeg", "Png", "Ppm", "Bmp", "Tiff", "WebP", "Gif", "Avif")
    for name in plugins:
        importlib.import_module(f"PIL.{name}ImagePlugin")
    _silence_libtiff()
    # Pillow warns of broken metadata, and does not know the file's name. A filter around each image
    # would change those of other threads, too.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    # Without a handler, errors that Pillow logs go to standard error.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    return (*_FORMATS, "HEIF") if _register_heif() else _FORMATS


def _silence_libtiff() -> None:
    """Let libtiff not print: it does not know the file's name. Pillow raises an error all the same.

    Pillow turns its warnings off, not its errors. Where they cannot be reached (Windows, where
    libtiff is a part of Pillow's own library), they go on.
    """
    import ctypes

    from PIL import _imaging

    with contextlib.suppress(OSError, AttributeError):
        # A name is looked for in the libraries that this one is linked to, too.
        library = ctypes.CDLL(_imaging.__file__)
        for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)


def media_type(file: BinaryIO) -> str:
    """What an image file is, by its content.

    Raises:
        ImageError: it is no image that memery opens.
    """
    try:
        image = open_image(file)
    except ImageError:
        from memery.imaging.repair import without_broken_metadata

        file.seek(0)
        image = open_image(io.BytesIO(without_broken_metadata(file.read())))
    with image:
        return MEDIA_TYPES[image.format or ""]


def as_image_error(error: Exception) -> ImageError:
    """What a decoder raised, as a reason to skip the file: decoders raise errors of any type."""
    if isinstance(error, ImageError):
        return error
    if isinstance(error, MemoryError):
        return ImageError("too large", "it does not fit into memory")
    message = str(error)
    if isinstance(error, _ENDS_EARLY) or "truncated" in message.lower():
        return ImageError("truncated", message)
    expected = isinstance(error, (OSError, SyntaxError, ValueError)) and message
    return ImageError("damaged", message if expected else f"{type(error).__name__}: {message}")


def open_image(file: BinaryIO) -> ImageFile:
    """Open an image file as `PIL.Image.open` does, but with the limits of `image_limits`.

    Pillow's own limit is one for the whole process, and warns without naming a file.
    """
    from PIL.Image import OPEN

    formats, failure = _formats(), None
    try:
        prefix = file.read(_PREFIX)
        for name in formats:
            factory, accept = OPEN[name]
            accepted = accept is None or accept(prefix)
            if not accepted or isinstance(accepted, str):  # a text says what is not installed
                continue
            file.seek(0)
            try:
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                # A text may begin like a file of the others.
                failure = None if name in ("BMP", "DIB", "PPM") else error
    except Exception as error:
        raise as_image_error(error) from None
    raise as_image_error(failure) if failure else _unidentified(file)


def _unidentified(file: BinaryIO) -> ImageError:
    """The error for a file that no decoder takes: of a kind that is known by its start, or not."""
    file.seek(0)
    kind = unsupported(file.read(SIGNATURE_BYTES))
    return ImageError("unsupported format", kind) if kind else ImageError("not an image")
