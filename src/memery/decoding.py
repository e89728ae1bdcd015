"""Bytes → an upright 8-bit RGB picture and its facts; what an image is, its content decides."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, cast

from memery.errors import ImageError
from memery.excluded import SIGNATURE_BYTES, unsupported
from memery.likeness import SIDE, colour, likeness

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

    from memery.dates import Taken

logger = logging.getLogger(__name__)

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
"""Version of what this module makes of files: raised when it takes more files, or decodes some to
other pixels."""
_WEBP_QUALITY, _WEBP_EFFORT = 80, 2
"""Effort 2 of 6 takes a third of the time of the default, and 5 % more bytes."""
_PNG_ORIENTED = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""One of these stands in a PNG that may have an orientation."""
_ENDS_EARLY = (EOFError, IndexError, struct.error)
"""What Pillow's plug-ins raise where they read beyond the end of a file."""
_BROKEN = ("truncated", "damaged")
"""Reasons for which a file may still be decoded in part."""
MAX_PIXELS = 178_956_970
"""The default limit, which is Pillow's own."""
_DRAFT_FACTOR = 2
"""A JPEG is decoded at a reduced size only while that stays this many times the target: then the
mean difference from a full decode is 0.45 of 255."""
_SEEN_SIDE = 4 * SIDE
"""A likeness is made from no smaller a picture, whatever the model takes."""
_ORIENTATION, _UPRIGHT = 0x0112, 1
INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's resampling filters, in the order of its numbers for them."""
_PREFIX = 16
"""Bytes by which Pillow's plug-ins know their format."""
_QUARTER_TURNS = (5, 6, 7, 8)
_SHALLOW_MAX, _DEEP_MAX = 255, 65535
_DEEP = ("I", "F")
"""What the modes of 16 and 32 bits begin with."""
_LIGHT = 192
_OPAQUE = [0] * 128 + [255] * 128
"""For each value of an alpha channel, whether it counts as opaque."""
_LIGHT_GROUND, _DARK_GROUND = "#ffffff", "#202020"
_STRIP_PIXELS = 1 << 18
"""Images are converted in parts of about so many pixels."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture ready for the model.

    Attributes:
        pixels: uint8, size × size × 3, RGB.
        width: of the upright original, pixels.
        height: likewise.
        format: what the content is.
        taken_at: date and time in ISO 8601 as its metadata says, or None.
        notes: what someone wrote into the file: title, description, keywords.
        hashes: the likeness of the whole picture, as `memery.likeness` makes it.
        colour: its average colour, 0xRRGGBB.
        date_source: of taken_at, one of `memery.dates.SOURCES`; "" where it is None.
        damage: what is wrong with the file, of which a part was decoded; "" if nothing is.
        thumbnail: a small version as WebP, or b"" where none was asked for.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    taken_at: str | None
    notes: str = ""
    hashes: bytes = b""
    colour: int = 0
    date_source: str = ""
    damage: str = ""
    thumbnail: bytes = b""


@dataclass(frozen=True, slots=True)
class Resize:
    """How a picture becomes the square that a model takes, with antialiasing as Pillow has it.

    Attributes:
        size: side of the square, pixels.
        mode: "squash" (straight to size × size) or "shortest" (the short side to `edge`, the long
            side to int(edge · long / short), then the centre).
        interpolation: one of `INTERPOLATIONS`.
        edge: what the short side is resized to, pixels; None means size.
        crop: how half a pixel beside the centre is rounded: "floor", or "round" (half to even).
    """

    size: int
    mode: str
    interpolation: str = "bicubic"
    edge: int | None = None
    crop: str = "floor"


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


def decode(
    data: bytes,
    resize: Resize,
    max_pixels: int,
    thumbnail_side: int = 0,
    pixels_only: bool = False,
) -> Decoded:
    """Decode an image file for a model.

    Args:
        data: the file's bytes.
        resize: what the model takes.
        max_pixels: larger images are refused before they are decoded.
        thumbnail_side: longer side of the thumbnail that is made of the same pixels; 0 for none.
        pixels_only: leave out what only an index needs: date, notes, hashes, colour.

    Raises:
        ImageError: with the reason and what the decoder said.
    """
    enough = max(_DRAFT_FACTOR * max(resize.edge or resize.size, _SEEN_SIDE), thumbnail_side)
    with _loaded(data, enough, max_pixels) as loaded:
        return _decode(loaded, resize, thumbnail_side, pixels_only)


def decode_upright(data: bytes, side: int, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file for a reader: upright, RGB, height × width × 3.

    Args:
        data: the file's bytes.
        side: pictures with a longer side are reduced to it, pixels.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        ImageError: with the reason and what the decoder said.
    """
    import numpy as np

    from memery.icc import conversion

    with _loaded(data, side, max_pixels) as loaded:
        colours = conversion(loaded.image)
        _turn_upright(loaded.image)
        small = _flattened(loaded.image, colours.mode if colours else "RGB")
        small.thumbnail((side, side))
        return np.asarray(colours.apply(small) if colours else small, dtype=np.uint8)


def upright_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height of an image file as it is shown, pixels.

    Nothing is decoded but a PNG that has EXIF or XMP behind its pixels.

    Raises:
        ImageError: it is no image, or has more pixels than max_pixels.
    """
    with _opened(data, max_pixels) as image:
        if image.format == "PNG":
            pixels = data.find(b"IDAT")
            if all(data.find(name, pixels) < 0 for name in _PNG_ORIENTED):
                # Without this Pillow decodes the pixels to look for EXIF behind them.
                image.info.setdefault("exif", None)
        turned = _orientation(image) in _QUARTER_TURNS and image.format != "TIFF"
        return (image.height, image.width) if turned else image.size


def read_date(data: bytes, max_pixels: int) -> Taken:
    """When an image was taken, as its metadata says; a file that cannot be decoded has no date."""
    from memery.dates import Taken, date_taken

    try:
        with _opened(data, max_pixels) as image:
            return date_taken(image)
    except ImageError:
        return Taken()


def pixels_have_changed(data: bytes, max_pixels: int) -> bool:
    """Whether an image may have other pixels than those that version 1 of `DECODING` decoded.

    That version knew no profiles and one ground, and took broken PNG files for whole ones. An image
    that can no longer be decoded has other pixels, too.
    """
    from memery.icc import conversion
    from memery.repair import has_wrong_checksum

    try:
        with _opened(data, max_pixels) as image:
            differs = image.has_transparency_data or conversion(image) is not None
            return differs or has_wrong_checksum(data)
    except ImageError:
        return True


def webp(data: bytes, side: int, max_pixels: int) -> bytes:
    """A small version of an image file, as WebP: upright, its longer side at most `side` pixels.

    Raises:
        ImageError: with the reason and what the decoder said.
    """
    from PIL import Image

    return _as_webp(Image.fromarray(decode_upright(data, side, max_pixels)))


def _as_webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_WEBP_QUALITY, method=_WEBP_EFFORT)
    return buffer.getvalue()


def media_type(file: BinaryIO) -> str:
    """What an image file is, by its content.

    Raises:
        ImageError: it is no image that memery opens.
    """
    try:
        image = _open(file)
    except ImageError:
        from memery.repair import without_broken_metadata

        file.seek(0)
        image = _open(io.BytesIO(without_broken_metadata(file.read())))
    with image:
        return MEDIA_TYPES[image.format or ""]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An image that is decoded.

    Attributes:
        image: as it is stored, not turned; reduced, if it is a JPEG.
        size: width and height of the stored image, pixels.
        margins: as `_reduce` returns them.
        damage: what is wrong with it, or "".
    """

    image: Image.Image
    size: tuple[int, int]
    margins: tuple[float, float]
    damage: str = ""


@contextlib.contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[ImageFile]:
    """An image that is small enough; what goes wrong with it inside is an ImageError."""
    with _errors_as_reasons(), _open_bytes(data, max_pixels) as image:
        yield image


@contextlib.contextmanager
def _loaded(data: bytes, enough: int, max_pixels: int) -> Iterator[_Loaded]:
    """An image that is decoded, a JPEG reduced as `_reduce` does; of a damaged file, a part."""
    from memery.ppm import load_scaled

    size, margins = (0, 0), (0.0, 0.0)

    def open_reduced(data: bytes) -> ImageFile:
        nonlocal size, margins
        image = _open_bytes(data, max_pixels)
        size = image.size
        margins = _reduce(image, enough, max_pixels)
        load_scaled(image, data)
        if image.format == "TIFF":
            _orientation(image)  # EXIF is read from the file, which is let go of when decoded
        return image

    with _errors_as_reasons():
        image, damage = _load(data, open_reduced)
        with image:
            yield _Loaded(image, size, margins, damage)


def _load(data: bytes, open_image: Callable[[bytes], ImageFile]) -> tuple[ImageFile, str]:
    """Decode an image: all of it, else without its metadata, else the part that is sound."""
    from memery.repair import decoded_part, without_broken_metadata, without_reserved_end

    data = without_reserved_end(data)
    loaded = _load_whole(data, open_image)
    if isinstance(loaded, ImageError) and loaded.reason in _BROKEN:
        data = without_broken_metadata(data)
        loaded = _load_whole(data, open_image)
    if not isinstance(loaded, ImageError):
        return loaded, ""
    part = decoded_part(open_image, data) if loaded.reason in _BROKEN else None
    if part is None:
        raise loaded
    return part


def _load_whole(data: bytes, open_image: Callable[[bytes], ImageFile]) -> ImageFile | ImageError:
    """An image that is decoded, or why it is not; then nothing of it is held any more."""
    try:
        image = open_image(data)
        image.load()
    except Exception as error:
        return _undecodable(error).with_traceback(None)
    return image


@contextlib.contextmanager
def _errors_as_reasons() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise _undecodable(error) from None


def _undecodable(error: Exception) -> ImageError:
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


def _open_bytes(data: bytes, max_pixels: int) -> ImageFile:
    """Open an image that may be decoded within the limits, whatever its metadata."""
    from memery.image_limits import check_cost

    if not data:
        raise ImageError("truncated", "the file is empty")
    try:
        image = _open(io.BytesIO(data))
    except ImageError as error:
        from memery.repair import without_broken_metadata

        broken = error.reason in _BROKEN
        sound = without_broken_metadata(data) if broken else data
        if sound == data:
            raise
        image = _open(io.BytesIO(sound))
    check_cost(image, data, max_pixels)
    return image


def _open(file: BinaryIO) -> ImageFile:
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
        raise _undecodable(error) from None
    raise _undecodable(failure) if failure else _unidentified(file)


def _unidentified(file: BinaryIO) -> ImageError:
    """The error for a file that no decoder takes: of a kind that is known by its start, or not."""
    file.seek(0)
    kind = unsupported(file.read(SIGNATURE_BYTES))
    return ImageError("unsupported format", kind) if kind else ImageError("not an image")


def _decode(loaded: _Loaded, resize: Resize, thumbnail_side: int, pixels_only: bool) -> Decoded:
    import numpy as np

    from memery.dates import Taken, date_taken
    from memery.icc import conversion
    from memery.notes import written_into

    image, (width, height) = loaded.image, loaded.size
    format_ = image.format or "unknown"
    taken, notes = (Taken(), "") if pixels_only else (date_taken(image), written_into(image))
    orientation = _turn_upright(image)
    if orientation in _QUARTER_TURNS and format_ != "TIFF":  # a TIFF tells its upright size
        width, height = height, width
    colours, margin = conversion(image), _turned(loaded.margins, orientation)
    flat = _flattened(image, colours.mode if colours else "RGB")

    def resized(resize: Resize) -> Image.Image:
        small = _resized(flat, resize, margin)  # first, since colours cost time for each pixel
        return colours.apply(small) if colours else small

    whole = resized(resize)
    pixels = np.asarray(_cropped(whole, resize), dtype=np.uint8)
    if min(whole.size) < _SEEN_SIDE and not pixels_only:
        whole = resized(Resize(_SEEN_SIDE, "squash"))
    seen = (b"", 0) if pixels_only else (likeness(whole), colour(whole))
    thumbnail = b""
    if thumbnail_side:
        small = _within(flat, thumbnail_side, margin)
        thumbnail = _as_webp(colours.apply(small) if colours else small)
    facts = (width, height, format_, taken.at, notes)
    return Decoded(pixels, *facts, *seen, taken.source, loaded.damage, thumbnail)


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where the metadata is broken."""
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(_ORIENTATION)
        if isinstance(orientation, int):
            return orientation
    return _UPRIGHT


def _turn_upright(image: Image.Image) -> int:
    """Turn a decoded image in place; returns the orientation that it had."""
    from PIL import ImageOps

    orientation = _orientation(image)
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception as error:  # it also rewrites the metadata, which may be broken
        logger.debug("The metadata of an image is broken: %r", error)
    return orientation


def _reduce(image: Image.Image, enough: int, max_pixels: int) -> tuple[float, float]:
    """Let a JPEG be decoded at 1/2, 1/4 or 1/8, while its sides stay as long as this.

    A JPEG with more pixels than the limit is reduced further, until it has no more.

    Returns:
        the part of the last column, and of the last row, that lies beyond the picture: 900 pixels
        become 113 at 1/8, of which the last is half empty. A resize that took it for full would
        stretch the picture.
    """
    from memery.image_limits import jpeg_reduction

    least = jpeg_reduction(image, max_pixels)
    drafted = image.draft(
        "RGB", (min(enough, image.width // least or 1), min(enough, image.height // least or 1))
    )
    if drafted is None:
        return 0.0, 0.0
    return image.width - drafted[1][2], image.height - drafted[1][3]


def _turned(margins: tuple[float, float], orientation: int) -> tuple[float, float, float, float]:
    """Where an EXIF orientation leads margins at the right and bottom: left, top, right, bottom."""
    right, bottom = margins
    return {
        2: (right, 0, 0, bottom),
        3: (right, bottom, 0, 0),
        4: (0, bottom, right, 0),
        5: (0, 0, bottom, right),
        6: (bottom, 0, 0, right),
        7: (bottom, right, 0, 0),
        8: (0, right, bottom, 0),
    }.get(orientation, (0, 0, right, bottom))


def _resized(
    image: Image.Image, resize: Resize, margins: tuple[float, float, float, float]
) -> Image.Image:
    """The whole picture, no larger than the model needs it."""
    from PIL.Image import Resampling

    size, kind = resize.size, Resampling(INTERPOLATIONS.index(resize.interpolation))
    left, top, right, bottom = margins
    box = (left, top, image.width - right, image.height - bottom)
    if resize.mode == "squash":
        return image.resize((size, size), kind, box)
    edge = resize.edge or size
    width, height = box[2] - left, box[3] - top
    short, long = sorted((width, height))
    scaled = int(edge * long / short)
    shape = (edge, scaled) if width <= height else (scaled, edge)
    return image.resize(shape, kind, box)


def _within(
    image: Image.Image, side: int, margins: tuple[float, float, float, float]
) -> Image.Image:
    """The whole image, its longer side at most so many pixels."""
    from PIL.Image import Resampling

    left, top, right, bottom = margins
    box = (left, top, image.width - right, image.height - bottom)
    width, height = box[2] - left, box[3] - top
    scale = min(1.0, side / max(width, height))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(shape, Resampling.BICUBIC, box, reducing_gap=2.0)


def _cropped(image: Image.Image, resize: Resize) -> Image.Image:
    size = resize.size
    if image.size == (size, size):
        return image
    left, top = (_offset(side - size, resize.crop) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def _offset(spare: int, crop: str) -> int:
    """Pixels left of the centre: what transformers, and what torchvision make of half a pixel."""
    return round(spare / 2) if crop == "round" else spare // 2


def _flattened(image: Image.Image, mode: str) -> Image.Image:
    """8 bits per channel of any image; what is transparent shows a ground, see `_ground`."""
    from PIL import Image

    ground = _ground(image)
    if image.mode == mode and ground is None:
        return image
    factor = _depth_factor(image)
    whole = Image.new(mode, image.size)
    for top, strip in _strips(image):
        whole.paste(_flattened_strip(strip, mode, factor, ground), (0, top))
    return whole


def _ground(image: Image.Image) -> str | None:
    """The colour behind a transparent image; None if nothing of it is transparent.

    It is white, or dark if most of what is opaque is light: white drawings would be blank.
    """
    if not image.has_transparency_data or image.mode.startswith(_DEEP):
        return None
    light, opaque, least = 0, 0, _SHALLOW_MAX
    for _, strip in _strips(image):
        rgba = strip.convert("RGBA")
        alpha = rgba.getchannel("A")
        least = min(least, *cast("tuple[int, int]", alpha.getextrema()))
        counts = rgba.convert("L").histogram(alpha.point(_OPAQUE))
        light, opaque = light + sum(counts[_LIGHT:]), opaque + sum(counts)
    if least == _SHALLOW_MAX:
        return None
    return _DARK_GROUND if 2 * light > opaque else _LIGHT_GROUND


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """An image in parts of full width with their first rows: what is made of them stays small."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _flattened_strip(
    strip: Image.Image, mode: str, factor: float | None, ground: str | None
) -> Image.Image:
    from PIL import Image

    if factor is not None:
        strip = _deep_to_grey(strip, factor)
    if ground is not None:
        rgba = strip.convert("RGBA")
        strip = Image.new("RGB", rgba.size, ground)
        strip.paste(rgba, mask=rgba.getchannel("A"))
    return strip.convert(mode)


def _depth_factor(image: Image.Image) -> float | None:
    """What 16- or 32-bit integer and float greys are multiplied with to have 8 bits, or None.

    It depends on the type, and not on the image's own range, except that whole numbers of 32 bits
    and floats may be as small as those of 8 bits.
    """
    if not image.mode.startswith(_DEEP):
        return None
    if image.mode.startswith("I;16"):
        return _SHALLOW_MAX / _DEEP_MAX
    largest = max(float(_values(strip).max(initial=0)) for _, strip in _strips(image))
    if image.mode == "F" and largest <= 1:
        return _SHALLOW_MAX
    return _SHALLOW_MAX / _DEEP_MAX if largest > _SHALLOW_MAX else 1


def _deep_to_grey(image: Image.Image, factor: float) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = _values(image) * factor
    return Image.fromarray(np.clip(values.round(), 0, _SHALLOW_MAX).astype(np.uint8))


def _values(image: Image.Image) -> NDArray[np.float64]:
    import numpy as np

    values: NDArray[np.float64] = np.nan_to_num(np.asarray(image, dtype=np.float64))
    return values
