"""A screenshot of each state for the documentation; `make test-page WRITE=1` writes them."""

import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from page.conftest import FIRST_DAY, build, photographs, serving
from page.look import FIELD, TILE, open_picture, ready, settled, tile, typing
from support.servers.memery import serving as library_serving

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LIMIT = 100_000
PHOTOS = (
    *("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png"),
    *("camera.png", "retina.jpg", "hubble_deep_field.jpg", "coins.png", "moon.png", "grass.png"),
    *("page.png", "gravel.png", "clock_motion.png", "brick.png", "text.png"),
)
"""Photographs of the scikit-image wheel that are in the public domain or CC0."""
MONTH = 30 * 86_400


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album") / "photos"
    photographs(folder, PHOTOS)
    for number, name in enumerate(PHOTOS):
        moment = FIRST_DAY - number * MONTH
        os.utime(folder / name, (moment, moment))
    return folder


@pytest.fixture(scope="module")
def home(album):
    build(album, "starter")
    with serving(album, "--no-index", MEMERY_MODEL="starter") as served:
        yield served


@pytest.fixture
def keep(tmp_path):
    """Keep what is seen as a small WebP: in the documentation, or only for this run."""
    place = IMAGES if os.environ.get("WRITE") else tmp_path

    def shoot(page, name):
        page.wait_for_timeout(500)  # pictures in view have come
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        path = place / f"page-{name}.webp"
        shot.save(path, quality=62, method=6)
        assert path.stat().st_size <= LIMIT, path

    return shoot


def test_shows_all_images(page, home, keep):
    page.emulate_media(color_scheme="light")
    ready(page, home.url)
    keep(page, "everything")


def test_shows_search_in_dark_mode(page, home, keep):
    page.emulate_media(color_scheme="dark")
    ready(page, f"{home.url}?text=a+motorcycle^2&not=a+rocket")
    tile(page).hover()
    tile(page).get_by_label("Similar").click()
    settled(page)
    tile(page).hover()
    keep(page, "search")


def test_shows_open_image(page, home, keep):
    ready(page, f"{home.url}?text=a+cat")
    open_picture(page)
    page.keyboard.press("i")
    page.locator("#viewer .strip a").nth(5).wait_for()
    keep(page, "viewer")


def test_shows_only_weak_matches(page, album, tmp_path, keep):
    folder = tmp_path / "photos"
    shutil.copytree(album, folder, ignore=shutil.ignore_patterns(".memery"))
    for name in PHOTOS:  # among few images nothing is called weak
        with Image.open(folder / name) as photo:
            half = photo.convert("RGB").crop((0, 0, photo.width // 2, photo.height))
            half.save(folder / f"half-{name}")
    build(folder, "starter")
    with serving(folder, "--no-index", MEMERY_MODEL="starter") as served:
        ready(page, f"{served.url}?text=submarine")
        expect(page.locator("#notice")).to_contain_text("Nothing here really matches")
        keep(page, "nothing-strong")


def test_fits_phone(phone, home, keep):
    ready(phone, f"{home.url}?text=a+cup+of+coffee")
    keep(phone, "phone")


def test_shows_first_start(page, album, tmp_path, keep):
    shutil.copytree(album, tmp_path / "photos", ignore=shutil.ignore_patterns(".memery"))
    slow = {"COLOURS_SECONDS": "2", "MEMERY_BATCH_SIZE": "4"}
    with serving(tmp_path / "photos", **slow) as served:
        page.goto(served.url)
        page.wait_for_selector(f"{TILE} img.shown")
        expect(page.locator("#status progress")).to_have_attribute("value", "8")
        keep(page, "first-start")


def test_shows_empty_folder(page, tmp_path, keep):
    (tmp_path / "photos").mkdir()
    with serving(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("no images")
        keep(page, "empty")


def test_shows_lost_server(page, home, album, keep):
    with serving(album, "--no-index", MEMERY_MODEL="starter") as served:
        ready(page, f"{served.url}?text=old+coins")
        served.stop()
        expect(page.locator("#notice")).to_contain_text("memery does not answer")
        page.locator(FIELD).focus()
        keep(page, "offline")


def test_shows_filters_in_dark_mode(page, home, keep):
    page.emulate_media(color_scheme="dark")
    ready(page, home.url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Type").click()
    keep(page, "filters")


def test_shows_selection(page, home, keep):
    ready(page, f"{home.url}?text=food")
    for number in range(3):
        tile(page, number).hover()
        tile(page, number).get_by_label("Select").click()
    keep(page, "selection")


def test_shows_keys(page, home, keep):
    ready(page, home.url)
    page.keyboard.press("?")
    keep(page, "keys")


def test_shows_viewer_on_phone(phone, home, keep):
    phone.emulate_media(color_scheme="dark")
    ready(phone, f"{home.url}?text=a+cat")
    open_picture(phone)
    keep(phone, "phone-viewer")


def test_shows_token_form(page, album, home, keep):
    with serving(album, "--no-index", "--token", "a-token-of-24-letters-123") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("token")
        keep(page, "token")


def test_shows_skipped_files(page, tmp_path, keep):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    with serving(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("could not be read")
        page.get_by_role("button", name="skipped").first.click()
        page.get_by_role("dialog").wait_for()
        keep(page, "skipped")


def test_shows_unreachable_encoder(page, album, home, keep):
    with library_serving(words=["--encoder-only"]) as encoder:
        words = ("--model", encoder.url)
        with serving(album, "--no-index", *words) as served:
            ready(page, served.url)
            encoder.end()
            typing(page, "a night sky", enter=True)
            expect(page.locator("#notice")).to_contain_text("The page tries again")
            keep(page, "model-away")
