"""Every kind of image becomes upright RGB over white."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, PpmImagePlugin

from memery import index_flow
from memery.errors import SKIP_REASONS, ImageError
from memery.imaging import formats
from memery.imaging.decoding import decode, decode_upright, upright_size, webp
from memery.imaging.formats import decoders
from memery.imaging.html_grid import thumbnail_url
from memery.imaging.limits import count_scans
from memery.imaging.perceptual_hash import DUPLICATE_SIGNATURE_BYTES
from memery.imaging.resizing import Resize
from support.damaged_images import (
    damaged_avif,
    encoded,
    png_of_size,
    repeat_last_scan,
    tiff_with_rows,
)

LIMIT = 178_956_970


def pixels(data, size=16, resize="squash"):
    return decode(data, Resize(size, resize), LIMIT).pixels


@pytest.mark.parametrize(
    "format_", ["JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "AVIF", "DIB", "MPO"]
)
def test_decodes_every_format(format_):
    data = encoded(Image.new("RGB", (40, 30), (200, 40, 40)), format_)
    decoded = decode(data, Resize(16, "squash"), LIMIT)
    assert (decoded.width, decoded.height) == (40, 30)
    assert decoded.pixels.shape == (16, 16, 3)
    assert decoded.pixels.dtype == np.uint8
    assert np.abs(decoded.pixels.astype(int) - (200, 40, 40)).max() <= 6


@pytest.mark.parametrize(
    ("extension", "format_"),
    [
        ("hif", "HEIF"),
        ("apng", "PNG"),
        ("mpo", "MPO"),
        ("jps", "MPO"),
        ("jif", "JPEG"),
        ("pfm", "PPM"),
    ],
)
def test_indexes_files_with_every_usual_extension(tmp_path, monkeypatch, extension, format_):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    decoders()
    formats._formats()  # HEIF is registered
    folder = tmp_path / "photos"
    folder.mkdir()
    mode = "F" if extension == "pfm" else "RGB"
    (folder / f"a.{extension.upper()}").write_bytes(encoded(Image.new(mode, (64, 48)), format_))
    assert index_flow(folder).searchable == 1


def test_decodes_heic_with_pillow_heif():
    decode(
        encoded(Image.new("RGB", (8, 8)), "PNG"), Resize(16, "squash"), LIMIT
    )  # registers the format
    data = encoded(Image.new("RGB", (64, 48), (200, 40, 40)), "HEIF")
    decoded = decode(data, Resize(16, "squash"), LIMIT)
    assert (decoded.width, decoded.height, decoded.format) == (64, 48, "HEIF")
    assert np.abs(decoded.pixels.astype(int) - (200, 40, 40)).max() <= 8
    assert "pillow-heif=" in decoders()


def test_names_package_to_install_for_heic(monkeypatch):
    monkeypatch.setattr(formats, "_formats", lambda: ("JPEG", "PNG", "AVIF"))
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(ImageError) as caught:
        decode(data, Resize(16, "squash"), LIMIT)
    assert str(caught.value) == "unsupported format (HEIC: pip install 'memery[heif]')"


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\x0a", "JPEG XL: convert it to JPEG or PNG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG: export it as PNG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg/>', "SVG: export it as PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL: convert it to JPEG or PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000: convert it to JPEG or PNG"),
        (b"8BPS\0\1", "Photoshop: export it as JPEG or PNG"),
        (b"\0\0\0\x18ftypcrx ", "RAW: export it as JPEG"),
        (b"\0\0\0\x18ftypisom", "video: extract frames as JPEG"),
        (b"%PDF-1.7", "PDF: export the pages as PNG"),
    ],
)
def test_names_kind_of_a_file_with_a_wrong_extension(start, kind):
    with pytest.raises(ImageError) as caught:
        decode(start + bytes(100), Resize(16, "squash"), LIMIT)
    assert (caught.value.reason, caught.value.detail) == ("unsupported format", kind)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_image_upright(orientation):
    upright = Image.new("RGB", (64, 32), "black")
    upright.paste("white", (0, 0, 32, 16))  # top left
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x9003] = "2023:05:01 10:20:30"
    decoded = decode(encoded(stored, "PNG", exif=exif), Resize(16, "squash"), LIMIT)
    assert (decoded.width, decoded.height) == (64, 32)
    assert decoded.taken_at == "2023-05-01T10:20:30"
    assert decoded.pixels[2, 2].min() > 200
    assert decoded.pixels[12, 12].max() < 50


def test_gives_upright_size_of_a_turned_tiff():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.new("RGB", (32, 64)), "TIFF", exif=exif)
    decoded = decode(data, Resize(16, "squash"), LIMIT)
    assert (decoded.width, decoded.height) == (64, 32)


def test_does_not_decode_a_png_for_its_size(monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.new("RGB", (32, 64)), "PNG", exif=exif)
    chunk = turned[turned.index(b"eXIf") - 4 : turned.index(b"IDAT") - 4]
    late = turned.replace(chunk, b"")[:-12] + chunk + turned[-12:]
    assert upright_size(turned, LIMIT) == upright_size(late, LIMIT) == (64, 32)
    decoded = []

    def record(image):
        decoded.append(image)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_prepare", record)
    assert upright_size(encoded(Image.new("RGB", (32, 64)), "PNG"), LIMIT) == (32, 64)
    assert upright_size(turned, LIMIT) == (64, 32)
    for orientation, size in ((6, (64, 32)), (1, (32, 64))):
        xmp = PngImagePlugin.PngInfo()
        packet = f'<rdf:Description tiff:Orientation="{orientation}"/>'
        xmp.add_itxt("XML:com.adobe.xmp", packet, zip=True)
        data = encoded(Image.new("RGB", (32, 64)), "PNG", pnginfo=xmp)
        assert upright_size(data, LIMIT) == size
    assert not decoded


def test_shows_transparency_as_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.info["transparency"] = 1
    for data in (
        encoded(clear, "PNG"),
        encoded(clear.convert("LA"), "PNG"),
        encoded(palette, "PNG", transparency=1),
        encoded(palette, "GIF", transparency=1),
        encoded(clear, "WEBP", lossless=True),
    ):
        assert pixels(data).min() == 255


def test_keeps_contrast_of_deep_greys():
    half = np.full((8, 8), 32768, dtype=np.uint16)
    for data in (
        encoded(Image.fromarray(half), "PNG"),
        encoded(Image.fromarray(half), "TIFF"),
        encoded(Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32)), "TIFF"),
        encoded(Image.fromarray(np.full((8, 8), 32768, dtype=np.int32)), "TIFF"),
        encoded(Image.new("L", (8, 8), 128), "PNG"),
    ):
        assert abs(int(pixels(data)[4, 4, 0]) - 128) <= 1


@pytest.mark.parametrize("maximum", [1, 15, 100, 254, 1023, 4095, 65535])
@pytest.mark.parametrize(("magic", "bands"), [(b"P5", 1), (b"P6", 3)])
def test_decodes_ppm_of_any_depth(monkeypatch, maximum, magic, bands):
    def fail(*_):
        raise AssertionError("Pillow decodes it in Python")

    monkeypatch.setattr(PpmImagePlugin.PpmDecoder, "decode", fail)
    values = np.linspace(0, maximum, 64 * 64 * bands).round()
    samples = values.astype(">u2" if maximum > 255 else np.uint8).tobytes()
    data = magic + b" 64 64 %d\n" % maximum + samples
    seen = decode(data, Resize(64, "squash", "nearest"), LIMIT).pixels.astype(float)
    expected = np.broadcast_to((values * 255 / maximum).reshape(64, 64, bands), (64, 64, 3))
    assert np.abs(seen - expected).max() <= 1


def test_decodes_cmyk_and_bilevel_images():
    assert pixels(encoded(Image.new("CMYK", (8, 8)), "JPEG")).min() > 250
    assert pixels(encoded(Image.new("1", (8, 8), 1), "PNG")).min() == 255


def test_decodes_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for format_ in ("GIF", "WEBP"):
        data = encoded(frames[0], format_, save_all=True, append_images=frames[1:])
        assert tuple(np.round(pixels(data)[4, 4] / 255)) == (1, 0, 0)


def test_resizing_the_shortest_side_keeps_the_middle():
    image = Image.new("RGB", (60, 20), "black")
    image.paste("white", (20, 0, 40, 20))
    assert pixels(encoded(image, "PNG"), 20, "shortest").min() == 255
    assert pixels(encoded(image.rotate(90, expand=True), "PNG"), 20, "shortest").min() == 255


def test_rounds_centre_as_the_model_requires():
    picture = Image.fromarray(np.repeat(np.arange(0, 250, 10, dtype=np.uint8)[None], 10, axis=0))
    data = encoded(picture, "PNG")  # 25 × 10: 7.5 pixels to either side
    for crop, first in (("floor", 70), ("round", 80)):
        decoded = decode(data, Resize(10, "shortest", crop=crop), LIMIT)
        assert decoded.pixels[5, 0, 0] == first


def test_accepts_short_side_larger_than_the_square():
    image = Image.new("RGB", (40, 40), "black")
    image.paste("white", (10, 10, 30, 30))
    resize = Resize(20, "shortest", "bilinear", edge=40)
    assert decode(encoded(image, "PNG"), resize, LIMIT).pixels.min() == 255


def test_decodes_large_photographs_at_a_reduced_size():
    gradient = np.linspace(0, 255, 2000, dtype=np.uint8)
    image = Image.fromarray(np.stack([np.tile(gradient, (1600, 1))] * 3, axis=-1))
    full = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    drafted = pixels(encoded(image, "JPEG", quality=95), 64).astype(int)
    assert np.abs(full - drafted).mean() < 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"words", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported format"),
        (encoded(Image.new("RGB", (50, 50), "red"), "JPEG")[:400], "truncated"),
        (encoded(Image.new("RGB", (50, 50), "red"), "PNG")[:60], "truncated"),
        (encoded(Image.new("1", (20_000, 20_000)), "PNG"), "too large"),
    ],
)
def test_names_reason_why_an_image_cannot_be_decoded(data, reason):
    with pytest.raises(ImageError) as caught:
        pixels(data)
    assert caught.value.reason == reason


def test_applies_pixel_limit_of_the_caller():
    data = encoded(Image.new("RGB", (50, 50)), "PNG")
    with pytest.raises(ImageError, match="50x50"):
        decode(data, Resize(16, "squash"), 2499)


def test_applies_limit_above_that_of_pillow(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # one for the whole process, whose it is
    data = encoded(Image.new("1", (200, 200)), "PNG")
    assert decode(data, Resize(16, "squash"), 40_000).width == 200
    assert Image.MAX_IMAGE_PIXELS == 100


def test_names_setting_for_an_image_above_the_limit():
    with pytest.raises(
        ImageError, match=r"190\.0 megapixels \(19000x10000\); the limit is 179\.0 meg"
    ):
        pixels(png_of_size(19_000, 10_000))
    with pytest.raises(ImageError, match="raise max_pixels"):
        pixels(png_of_size(19_000, 10_000))


def test_decodes_panorama_at_a_reduced_size():
    image = Image.new("RGB", (800, 100), "blue")
    image.paste("red", (0, 0, 400, 100))
    for limit, options in ((10_000, {}), (52_000, {"progressive": True, "subsampling": 2})):
        decoded = decode(encoded(image, "JPEG", **options), Resize(64, "squash"), limit)
        assert (decoded.width, decoded.height) == (800, 100)
        assert decoded.pixels[32, 16, 0] > 200
        assert decoded.pixels[32, 48, 2] > 200
    with pytest.raises(ImageError, match="the limit is"):
        decode(encoded(image, "PNG"), Resize(64, "squash"), 79_999)
    progressive = encoded(image, "JPEG", progressive=True, subsampling=0)
    with pytest.raises(ImageError, match="the limit is"):  # libjpeg keeps every coefficient
        decode(progressive, Resize(64, "squash"), 60_000)


def test_rejects_tiff_with_too_many_tiles():
    image = tiff_with_rows(100_001)
    with pytest.raises(ImageError, match="100001 tiles take too long"):
        pixels(image)
    assert pixels(tiff_with_rows(1000)).shape == (16, 16, 3)


def test_rejects_jpeg_with_too_many_scans():
    data = encoded(Image.new("RGB", (64, 64), "red"), "JPEG", progressive=True)
    assert count_scans(data) == 10
    assert pixels(repeat_last_scan(data, 90)).shape == (16, 16, 3)
    with pytest.raises(ImageError, match="101 scans of 64x64 pixels") as caught:
        pixels(repeat_last_scan(data, 91))
    assert caught.value.reason == "too large"
    with pytest.raises(ImageError, match="10 scans"):  # fewer where there are many pixels
        decode(data, Resize(16, "squash"), 64 * 64 // 2)


def test_counts_one_scan_in_a_sequential_jpeg():
    data = encoded(Image.new("RGB", (64, 64), "red"), "JPEG")
    assert count_scans(repeat_last_scan(data, 500)) == 1
    assert pixels(repeat_last_scan(data, 500)).shape == (16, 16, 3)


def test_does_not_count_scans_in_metadata_or_further_images():
    inner = encoded(Image.new("RGB", (64, 64), "red"), "JPEG", progressive=True)
    exif = Image.Exif()
    exif[0x010E] = "x" + inner.decode("latin-1")
    assert count_scans(encoded(Image.new("RGB", (8, 8)), "JPEG", comment=inner)) == 1
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    assert count_scans(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])) == 1


@pytest.mark.parametrize("size", [(13_000, 13_000), (60_000, 2_000)])
def test_rejects_png_too_short_for_its_size_before_decoding(size):
    with pytest.raises(ImageError, match="bytes: too few for") as caught:
        pixels(png_of_size(*size))
    assert caught.value.reason == "truncated"


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="needs Linux's /proc")
def test_decoding_takes_at_most_eight_bytes_a_pixel():
    """In a separate process, whose memory nothing else uses."""
    code = """if True:
        import io
        from PIL import Image
        from benchmarks.decoding import peak_bytes
        from memery.imaging.decoding import decode, webp
        from memery.imaging.resizing import Resize
        for mode, share in (("I;16", 1), ("RGBA", 1), ("RGB", 0.7)):
            for side in (64, 2500):
                image = Image.new(mode, (side, side))
                buffer = io.BytesIO()
                image.save(buffer, "PNG", compress_level=1)
                del image
                data = buffer.getvalue()
                data = data[: int(share * len(data))]
                peaks = (
                    peak_bytes(lambda: decode(data, Resize(64, "squash"), 10**9)),
                    peak_bytes(lambda: webp(data, 64, 10**9)),
                )
            assert max(peaks) < 8 * side**2 + (16 << 20), (mode, peaks)
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_ignores_broken_date():
    exif = Image.Exif()
    exif[0x0132] = "yesterday"
    data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    assert decode(data, Resize(16, "squash"), LIMIT).taken_at is None


def test_gives_perceptual_hash_and_colour_with_the_pixels():
    data = encoded(Image.new("RGB", (300, 200), (10, 200, 30)), "PNG")
    seen = decode(data, Resize(64, "shortest"), 10**6)
    assert len(seen.hashes) == DUPLICATE_SIGNATURE_BYTES
    assert seen.colour == 0x0AC81E


RAISED = [
    *(RuntimeError, AssertionError, OverflowError, SystemError, KeyError, RecursionError),
    *(MemoryError, ZeroDivisionError, NotImplementedError, AttributeError, OSError, SyntaxError),
]
"""What decoders raise, or may."""


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("step", ["_open", "load"])
def test_gives_reason_for_any_exception_of_a_decoder(monkeypatch, kind, step):
    data = encoded(Image.new("RGB", (8, 8)), "PNG")

    def fail(_):
        raise kind("what it says")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, step, fail)
    for use in (
        lambda: decode(data, Resize(16, "squash"), LIMIT),
        lambda: decode_upright(data, 16, LIMIT),
        lambda: webp(data, 16, LIMIT),
    ):
        with pytest.raises(ImageError) as caught:
            use()
        assert caught.value.reason in SKIP_REASONS


def test_skips_damaged_avif_and_names_it(tmp_path):
    data = damaged_avif()
    assert upright_size(data, LIMIT) == (64, 64)
    with pytest.raises(ImageError, match="RuntimeError: Failed to decode frame 0") as caught:
        decode(data, Resize(16, "squash"), LIMIT)
    assert caught.value.reason == "damaged"
    (tmp_path / "a.avif").write_bytes(data)
    assert thumbnail_url(tmp_path / "a.avif") is None
