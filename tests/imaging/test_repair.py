"""What is left of damaged files is found; metadata keeps no image from being indexed."""

import contextlib
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from memery import index_flow
from memery.errors import ImageError
from memery.gateway.status import status
from memery.imaging import formats
from memery.imaging.decoding import decode, decode_upright, upright_size
from memery.imaging.formats import media_type
from memery.imaging.resizing import Resize
from support.commands import run_python
from support.damaged_images import cut, noise, png_chunk
from support.images import encoded

LIMIT = 10**7
SQUARE = Resize(64, "squash", "nearest")
PICTURE = noise(64, 64)


def decoded(data):
    return decode(data, SQUARE, LIMIT)


def with_chunks(png, *chunks):
    """A PNG with more chunks, after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_that_lacks_only_its_end_is_undamaged(options):
    whole = encoded(PICTURE, "JPEG", **options)
    for data in (whole[:-2], whole[:-1], whole[:-2] + bytes(500)):
        image = decoded(data)
        assert image.damage == ""
        assert np.array_equal(image.pixels, decoded(whole).pixels)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES  # one for the whole process, whose it is


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("share", [0.99, 0.6])
def test_indexes_decodable_part_of_a_truncated_image(format_, share):
    picture = PICTURE.quantize(256) if format_ == "GIF" else PICTURE
    whole = encoded(picture, format_, **({"interlace": 0} if format_ == "GIF" else {}))
    image = decoded(cut(whole, share))
    assert (image.width, image.height) == (64, 64)
    assert image.damage.endswith(" % of its rows cannot be decoded")
    first = slice(48, 64) if format_ == "BMP" else slice(0, 16)  # a BMP begins at the bottom
    assert np.array_equal(image.pixels[first], decoded(whole).pixels[first])
    assert decode_upright(cut(whole, share), 64, LIMIT).shape == (64, 64, 3)
    if share < 0.9:
        assert float(image.damage.split()[0]) == pytest.approx(40, abs=15)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "AVIF"])
def test_skips_file_with_too_little_of_its_image(format_):
    picture = PICTURE.quantize(256) if format_ == "GIF" else PICTURE
    with pytest.raises(ImageError) as caught:
        decoded(cut(encoded(picture, format_), 0.12))
    assert caught.value.reason in ("truncated", "damaged")


def test_truncated_progressive_jpeg_is_complete_but_coarse():
    whole = encoded(PICTURE, "JPEG", progressive=True)
    image = decoded(cut(whole, 0.5))
    assert image.damage == "some of its scans are missing: details are lost"
    difference = image.pixels.astype(int) - decoded(whole).pixels
    assert np.abs(difference).mean() < 60


def test_decodes_received_part_of_an_interrupted_download():
    whole = encoded(PICTURE, "JPEG")
    part = cut(whole, 0.7)
    image = decoded(part + bytes(len(whole) - len(part)))
    assert image.damage == decoded(part).damage != ""
    assert decoded(whole + bytes(500)).damage == ""


def test_does_not_decode_jpeg_that_declares_more_than_it_holds():
    data = encoded(Image.new("RGB", (64, 64)), "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    large = data[:frame] + struct.pack(">HH", 3000, 3000) + data[frame + 4 :]
    for data in (large, large[:-2]):
        with pytest.raises(ImageError, match="too few for 3000x3000 pixels"):
            decoded(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_decodes_png_with_a_changed_byte_alike_everywhere(mode):
    whole = bytearray(encoded(PICTURE.convert(mode), "PNG"))
    start = whole.index(b"IDAT") + 4
    whole[start + (len(whole) - start) // 2] ^= 0xFF
    data = bytes(whole)
    assert "cannot be decoded" in decoded(data).damage or "damaged" in decoded(data).damage
    assert decode_upright(data, 64, LIMIT).shape == (64, 64, 3)
    assert upright_size(data, LIMIT) == (64, 64)


def test_ignores_wrong_checksums_of_intact_pixels():
    whole = bytearray(encoded(PICTURE, "PNG"))
    whole[-16] ^= 1  # IDAT's checksum
    assert decoded(bytes(whole)).damage == ""
    assert decoded(bytes(whole[:-12])).damage == ""  # no IEND


LONG = zlib.compress(bytes(2 << 20))


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"tEXt", b"Comment\0words", checksum=1),
        png_chunk(b"zTXt", b"Comment\0\0" + LONG),
        png_chunk(b"iTXt", b"Comment\0\x01\0\0\0" + LONG),
        png_chunk(b"iCCP", b"profile\0\0" + LONG),
        png_chunk(b"pHYs", b"\0"),
        png_chunk(b"acTL", b"\0"),
        png_chunk(b"eXIf", b"Exif", checksum=1),
    ],
    ids=["checksum", "zTXt", "iTXt", "iCCP", "pHYs", "acTL", "eXIf"],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_decodes_png_with_broken_metadata(chunk, place, tmp_path):
    title = png_chunk(b"tEXt", b"Title\0A chart")
    whole = with_chunks(encoded(PICTURE, "PNG"), title)
    data = with_chunks(whole, chunk) if place == "before" else whole[:-12] + chunk + whole[-12:]
    image = decoded(data)
    assert (image.damage, image.notes.split("\n")[0]) == ("", "A chart")
    assert np.array_equal(image.pixels, decoded(whole).pixels)
    assert upright_size(data, LIMIT) == (64, 64)
    (tmp_path / "a.png").write_bytes(data)
    with (tmp_path / "a.png").open("rb") as file:
        assert media_type(file) == "image/png"


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0nonsense",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\xff\xff\xff\x7f" + bytes(4),
        b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x1a\x01\x05\0\x01\0\0\0\x30"
        + bytes(15),
    ],
    ids=["nonsense", "offset", "directory", "resolution"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_decodes_image_with_broken_exif(format_, exif):
    image = decoded(encoded(PICTURE, format_, exif=exif))
    assert image.damage == ""
    assert (image.width, image.height) == (64, 64)


def test_broken_exif_prints_no_warning_without_a_file_name():
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        formats._formats.cache_clear()  # as in a process that has decoded nothing yet
        decoded(encoded(PICTURE, "JPEG", exif=exif))
    assert not caught


def test_decodes_png_with_much_text():
    chunk = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000)))
    assert decoded(with_chunks(encoded(PICTURE, "PNG"), *([chunk] * 80))).damage == ""


def test_decodes_jpeg_with_broken_metadata():
    whole = encoded(PICTURE, "JPEG")
    broken = whole[:2] + b"\xff\xe0\x00\x07JFIF\x00" + whole[20:]
    assert np.array_equal(decoded(broken).pixels, decoded(whole).pixels)


def test_accepts_header_with_a_wrong_checksum():
    whole = bytearray(encoded(PICTURE, "PNG"))
    whole[29] ^= 1
    assert np.array_equal(decoded(bytes(whole)).pixels, np.asarray(PICTURE))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
def test_libtiff_prints_nothing(capfd, compression):
    whole = bytearray(encoded(PICTURE, "TIFF", compression=compression))
    middle = len(whole) // 2
    whole[middle : middle + 40] = b"\x13" * 40
    with contextlib.suppress(ImageError):
        decoded(bytes(whole))
    assert capfd.readouterr() == ("", "")


def test_pillow_logs_nothing_to_the_terminal(tmp_path):
    whole = bytearray(encoded(PICTURE, "TIFF"))
    entry = whole.index(struct.pack("<HHI", 277, 3, 1))  # SamplesPerPixel
    whole[entry + 8 : entry + 10] = struct.pack("<H", 242)
    (tmp_path / "a.tiff").write_bytes(whole)
    code = """if True:
        import sys
        from pathlib import Path
        from memery.imaging.decoding import decode_upright
        from memery.errors import ImageError
        try:
            decode_upright(Path(sys.argv[1]).read_bytes(), 64, 10**6)
        except ImageError as error:
            print(error.reason)
    """
    done = run_python("-c", code, tmp_path / "a.tiff")
    assert (done.stdout, done.stderr) == ("damaged\n", "")


def test_status_names_what_was_decoded_in_part(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    folder = tmp_path / "photos"
    folder.mkdir()
    PICTURE.save(folder / "whole.png")
    (folder / "half.jpg").write_bytes(cut(encoded(PICTURE, "JPEG"), 0.6))
    assert index_flow(folder).searchable == 2
    (image,) = status(folder).damaged
    assert image.path == "half.jpg"
    assert "of its rows cannot be decoded" in image.damage
    PICTURE.save(folder / "half.jpg")  # the rest has come
    index_flow(folder)
    assert status(folder).damaged == ()
