"""Colours are those that a profile means; transparent images stand on a ground that shows them."""

import contextlib
import io
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from memery import index_flow
from memery.gateway.status import status
from memery.imaging import icc
from memery.imaging.decoding import decode, webp
from memery.imaging.resizing import Resize
from support.damaged_images import cut, noise
from support.icc_profiles import cmyk_profile, grey_profile, rgb_profile
from support.images import encoded

LIMIT = 10**7
SQUARE = Resize(16, "squash")
COLOUR = (200, 60, 90)


def middle(data):
    """The middle pixel for the model, and in a thumbnail."""
    pixels = decode(data, SQUARE, LIMIT).pixels
    thumbnail = np.asarray(Image.open(io.BytesIO(webp(data, 16, LIMIT))))
    return pixels[8, 8].astype(int), thumbnail[8, 8].astype(int)


def in_space(profile, colour=COLOUR):
    """What a colour in sRGB is in a profile's space."""
    source = ImageCms.createProfile("sRGB")
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    patch = Image.new("RGB", (1, 1), colour)
    return ImageCms.profileToProfile(patch, source, target, outputMode="RGB").getpixel((0, 0))


@pytest.mark.parametrize("name", ["Display P3", "Adobe RGB", "ProPhoto"])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_converts_wide_gamut_colours(name, format_):
    profile = rgb_profile(name)
    stored = in_space(profile)
    assert np.abs(np.array(stored) - COLOUR).max() > 10
    options = {"lossless": True} if format_ == "WEBP" else {"quality": 98}
    options = {} if format_ in ("PNG", "TIFF") else options
    image = Image.new("RGB", (64, 64), stored)
    data = encoded(image, format_, icc_profile=profile, **options)
    for pixel in middle(data):
        assert np.abs(pixel - COLOUR).max() <= 8
    seen = decode(data, SQUARE, LIMIT).colour
    assert np.abs(np.array([seen >> 16, seen >> 8 & 255, seen & 255]) - COLOUR).max() <= 8


def test_applies_profile_to_palettes_and_transparency():
    profile = rgb_profile("Display P3")
    image = Image.new("RGB", (64, 64), in_space(profile))
    for converted in (image.quantize(16), image.convert("RGBA")):
        pixel, _ = middle(encoded(converted, "PNG", icc_profile=profile))
        assert np.abs(pixel - COLOUR).max() <= 4


@pytest.mark.parametrize("bits", [8, 16])
def test_applies_profile_to_greys(bits):
    values = np.full(
        (64, 64), 128 if bits == 8 else 128 * 257, np.uint8 if bits == 8 else np.uint16
    )
    for gamma, low, high in ((1.0, 180, 195), (1.8, 135, 155)):
        data = encoded(Image.fromarray(values), "PNG", icc_profile=grey_profile(gamma))
        pixel, _ = middle(data)
        assert low <= pixel[0] <= high
        assert np.ptp(pixel) <= 1


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
def test_converts_inks_by_their_profile(format_):
    """JPEG stores them inverted, as Adobe's programs do; TIFF does not."""
    inks = Image.new("CMYK", (64, 64), (255, 255, 0, 0))
    without = middle(encoded(inks, format_))[0]
    assert without[2] > without[0] + 100  # cyan and magenta are blue
    pixel, _ = middle(encoded(inks, format_, icc_profile=cmyk_profile()))
    assert np.ptp(pixel) <= 6
    assert 100 < pixel[0] < 140  # L* 50
    white, _ = middle(encoded(Image.new("CMYK", (64, 64)), format_, icc_profile=cmyk_profile()))
    assert white.min() > 245


def test_decodes_lab():
    lab = Image.new("RGB", (32, 32), COLOUR)
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    pixel, _ = middle(encoded(ImageCms.applyTransform(lab, to_lab), "TIFF"))
    assert np.abs(pixel - COLOUR).max() <= 4


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("profile", "mode"),
    [
        (SRGB, "RGB"),
        (SRGB, "L"),  # of another kind of image
        (grey_profile(1.0), "RGB"),
        (cmyk_profile(), "RGB"),
        (b"", "RGB"),
        (b"no profile", "RGB"),
        (rgb_profile("ProPhoto")[:200], "RGB"),
        (rgb_profile("ProPhoto") + bytes(5 << 20), "RGB"),
    ],
    ids=["sRGB", "grey", "wrong grey", "wrong inks", "empty", "text", "cut", "large"],
)
def test_ignores_unusable_profiles(profile, mode):
    image = Image.new(mode, (8, 8))
    image.info["icc_profile"] = profile
    assert icc.conversion(image) is None


def test_shares_conversions_among_threads():
    profile = rgb_profile("Adobe RGB")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "PNG", icc_profile=profile)
    first = decode(data, Resize(64, "squash"), LIMIT).pixels
    with ThreadPoolExecutor(4) as pool:
        many = pool.map(lambda _: decode(data, Resize(64, "squash"), LIMIT).pixels, range(50))
        assert all(np.array_equal(first, pixels) for pixels in many)


def test_old_archive_encodes_only_images_decoded_differently(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    folder = tmp_path / "photos"
    folder.mkdir()
    plain = Image.new("RGB", (32, 32), "red")
    plain.save(folder / "plain.jpg")
    plain.save(folder / "srgb.png", icc_profile=SRGB)
    plain.save(folder / "wide.jpg", icc_profile=rgb_profile("Display P3"))
    drawing((255, 255, 255)).save(folder / "drawing.png")
    (folder / "broken.png").write_bytes(cut(encoded(noise(), "PNG"), 0.6))
    assert index_flow(folder).encoded == 5
    with contextlib.closing(sqlite3.connect(folder / ".memery" / "store.sqlite3")) as db:
        db.executescript(
            "ALTER TABLE contents DROP COLUMN damage; ALTER TABLE contents DROP COLUMN date_source;"
            "ALTER TABLE files DROP COLUMN named_at; DROP TABLE names; DROP TABLE outdated;"
            "PRAGMA user_version = 2;"
        )
    report = index_flow(folder)
    assert (report.encoded, report.reused, report.unchanged) == (3, 2, 0)
    assert index_flow(folder).unchanged == 5
    assert [image.path for image in status(folder).damaged] == ["broken.png"]


def drawing(ink, mode="RGBA"):
    image = Image.new("RGBA", (64, 64), (*ink, 0))
    ImageDraw.Draw(image).ellipse((8, 8, 56, 56), (*ink, 255))
    return image.convert(mode)


def test_puts_drawings_on_a_contrasting_background():
    seen = {}
    for ink in ((255, 255, 255), (250, 240, 200), (0, 0, 0), (200, 0, 0)):
        data = encoded(drawing(ink), "PNG")
        pixels = decode(data, SQUARE, LIMIT).pixels
        assert abs(int(pixels[8, 8].mean()) - int(pixels[0, 0].mean())) > 100
        assert np.ptp(np.asarray(Image.open(io.BytesIO(webp(data, 32, LIMIT)))).astype(int)) > 100
        seen[ink] = pixels[0, 0, 0]
    assert list(seen.values()) == [32, 32, 255, 255]


def test_tells_white_drawings_apart():
    cross = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    ImageDraw.Draw(cross).line((0, 0, 64, 64), (255, 255, 255, 255), 8)
    one, two = (encoded(image, "PNG") for image in (drawing((255, 255, 255)), cross))
    assert decode(one, SQUARE, LIMIT).hashes != decode(two, SQUARE, LIMIT).hashes


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_shows_transparent_and_opaque_white_as_white(mode):
    clear = Image.new("RGBA", (8, 8), (255, 255, 255, 0)).convert(mode)
    opaque = Image.new("RGBA", (8, 8), (255, 255, 255, 255)).convert(mode)
    for image in (clear, opaque):
        assert decode(encoded(image, "PNG"), SQUARE, LIMIT).pixels.min() == 255
