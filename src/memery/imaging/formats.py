"""Supported image formats and detection of a file's format from its content."""

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
"""Extensions of files that are opened, lower case; files without an extension are opened too."""
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
"""Media types by Pillow's format names."""
DECODING = 2
"""Version of decoding: incremented if memery opens more files or decodes to other pixels."""
_ENDS_EARLY = (EOFError, IndexError, struct.error)
"""Errors that Pillow's plug-ins raise when they read beyond the end of a file."""
_PREFIX = 16
"""Number of bytes from which Pillow's plug-ins detect their format."""


@cache
def decoders() -> str:
    """Describe the decoders and their versions; if they change, skipped files are tried again."""
    import PIL

    versions = [f"decoding={DECODING}", f"pillow={PIL.__version__}"]
    if importlib.util.find_spec("pillow_heif"):
        from importlib.metadata import version

        # Importing the package is slow and only needed for decoding.
        versions.append(f"pillow-heif={version('pillow-heif')}")
    return " ".join(versions)


@cache
def _register_heif() -> bool:
    """Add HEIC support to Pillow if pillow-heif is installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


@cache
def _formats() -> tuple[str, ...]:
    """Load the plug-ins of the supported formats, most of which Pillow loads lazily."""
    plugins = ("Jpeg", "Png", "Ppm", "Bmp", "Tiff", "WebP", "Gif", "Avif")
    for name in plugins:
        importlib.import_module(f"PIL.{name}ImagePlugin")
    _silence_libtiff()
    # Pillow warns of broken metadata without the file's name. Filters are global, so setting one
    # around each image would affect other threads.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    # Without a handler, errors that Pillow logs go to standard error.
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    return (*_FORMATS, "HEIF") if _register_heif() else _FORMATS


def _silence_libtiff() -> None:
    """Stop libtiff from printing errors, which lack the file's name. Pillow raises them anyway.

    Pillow turns off libtiff's warnings only. On Windows, where libtiff is linked statically, its
    handlers cannot be reached.
    """
    import ctypes

    from PIL import _imaging

    with contextlib.suppress(OSError, AttributeError):
        # Symbols are also looked up in the libraries that this one links to.
        library = ctypes.CDLL(_imaging.__file__)
        for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)


def media_type(file: BinaryIO) -> str:
    """Detect the media type of an image file from its content.

    Raises:
        ImageError: it is not a supported image.
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
    """Convert an error of a decoder, which may have any type, to a reason to skip the file."""
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
    """Open an image file as `PIL.Image.open` does, but without Pillow's limit.

    Pillow's limit applies to the whole process and warns without the file's name; see
    `memery.imaging.limits`.
    """
    from PIL.Image import OPEN

    formats, failure = _formats(), None
    try:
        prefix = file.read(_PREFIX)
        for name in formats:
            factory, accept = OPEN[name]
            accepted = accept is None or accept(prefix)
            if not accepted or isinstance(accepted, str):  # a string names a missing library
                continue
            file.seek(0)
            try:
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                # A text file may begin with the magic bytes of these formats.
                failure = None if name in ("BMP", "DIB", "PPM") else error
    except Exception as error:
        raise as_image_error(error) from None
    raise as_image_error(failure) if failure else _unidentified(file)


def _unidentified(file: BinaryIO) -> ImageError:
    """Return the error for a file that no decoder supports."""
    file.seek(0)
    kind = unsupported(file.read(SIGNATURE_BYTES))
    return ImageError("unsupported format", kind) if kind else ImageError("not an image")
