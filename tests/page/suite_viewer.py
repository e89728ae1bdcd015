"""The viewer and its keys."""

import io
import re

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import expect

from page.conftest import paint
from page.look import (
    asked,
    chips,
    focused,
    open_picture,
    ready,
    shown_name,
    tile,
)


def test_viewer_keys_move_and_close(page, site):
    ready(page, f"{site.url}?sort=name&under=wood")
    open_picture(page, 2)
    assert shown_name(page) == "green-02.jpg"
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .name")).to_have_text("green-03.jpg")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer .name")).to_have_text("green-01.jpg")
    page.keyboard.press("i")
    facts = page.locator("#viewer .facts")
    expect(facts).to_contain_text("40 × 60")
    expect(facts).to_contain_text("JPEG")
    expect(page.locator("#viewer .strip a").first).to_be_visible()
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename == "green-01.jpg"
    page.keyboard.press("c")
    expect(page.locator("#toasts")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == str(site.folder / "wood/green-01.jpg")
    page.keyboard.press("x")
    expect(page.get_by_label("Select", exact=True).last).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert focused(page) == "1"
    expect(page.locator("#selection")).to_contain_text("1 image selected")


def test_copies_path_clicked_in_details(page, site):
    ready(page, f"{site.url}?sort=name&under=wood")
    open_picture(page, 1)
    page.keyboard.press("i")
    page.locator("#viewer .facts .path").click()
    expect(page.locator("#toasts")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == str(site.folder / "wood/green-01.jpg")


def test_home_and_end_reach_first_and_last_image(page, site):
    ready(page, f"{site.url}?sort=name&under=wood")
    open_picture(page, 2)
    page.keyboard.press("End")
    expect(page.locator("#viewer .name")).to_have_text("green-19.jpg")
    expect(page.get_by_role("button", name="Next")).to_be_hidden()
    page.keyboard.press("Home")
    expect(page.locator("#viewer .name")).to_have_text("green-00.jpg")
    expect(page.get_by_role("button", name="Previous")).to_be_hidden()


def test_viewer_fills_window(browser_type, browser_type_launch_args, site):
    arguments = {**browser_type_launch_args, "ignore_default_args": ["--hide-scrollbars"]}
    browser = browser_type.launch(**arguments)
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    ready(page, site.url)
    assert page.evaluate("innerWidth - document.documentElement.clientWidth") > 0  # a scrollbar
    before = [tile(page, index).bounding_box() for index in range(8)]
    open_picture(page)
    inside = "document.elementFromPoint(innerWidth - 2, innerHeight / 2)?.closest('#viewer')?.id"
    assert page.evaluate(inside) == "viewer"
    assert page.locator("#viewer").bounding_box()["width"] == 1280
    assert [tile(page, index).bounding_box() for index in range(8)] == before  # nothing moved
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert [tile(page, index).bounding_box() for index in range(8)] == before
    browser.close()


def test_zooms_and_resets(page, site):
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    picture = page.locator("#viewer .picture img")
    page.keyboard.press("z")
    expect(picture).to_have_css("transform", re.compile("matrix"))
    page.keyboard.press("z")
    expect(picture).to_have_css("transform", "none")
    picture.hover()
    page.mouse.wheel(0, -400)
    expect(picture).to_have_css("transform", re.compile("matrix"))


def test_shows_drawings_on_transparent_background(page, serve, tmp_path, built):
    """Black and white ones: neither is lost on the viewer's ground."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, shade in (("black", 0), ("white", 255), ("dark", 18)):
        drawing = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
        drawing.paste((shade, shade, shade, 255), (100, 100, 300, 200))
        drawing.save(folder / f"{name}.png")
    built(folder)
    with serve(folder, "--no-index") as served:
        ready(page, f"{served.url}?sort=name")
        open_picture(page)
        for name in ("black", "dark", "white"):
            expect(page.locator("#viewer .name")).to_have_text(f"{name}.png")
            picture = page.locator("#viewer .picture img.file")
            picture.wait_for()
            shot = Image.open(io.BytesIO(picture.screenshot())).convert("L")
            ground = shot.getpixel((shot.width // 8, shot.height // 2))
            drawn = shot.getpixel((shot.width // 2, shot.height // 2))
            assert abs(ground - drawn) > 90
            page.keyboard.press("ArrowRight")


def test_copies_image_to_clipboard(page, site):
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    page.get_by_role("button", name="Copy the image").click()
    expect(page.locator("#toasts")).to_contain_text("Copied the image")
    kinds = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert kinds == ["image/png"]


def test_searches_for_similar_and_less_from_viewer(page, site):
    ready(page, site.url)
    open_picture(page)
    page.keyboard.press("s")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert chips(page) == ["red.png"]
    open_picture(page, 5)
    page.keyboard.press("-")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert [name for name, _ in asked(page)] == ["similar_to", "unlike"]


def test_strip_opens_other_images(page, site):
    ready(page, f"{site.url}?text=green")
    open_picture(page)
    before = shown_name(page)
    page.locator("#viewer .strip a").first.click()
    expect(page.locator("#viewer .name")).not_to_have_text(before)


def test_filters_by_folder_of_image(page, site):
    ready(page, f"{site.url}?text=green")
    open_picture(page)
    page.keyboard.press("i")
    page.get_by_role("button", name="All images in wood").click()
    expect(page.locator("#viewer")).not_to_be_visible()
    assert asked(page) == [("under", "wood")]


@pytest.fixture(scope="module")
def odd_kinds(serve, tmp_path_factory, built):
    """Kinds that no chromium shows: TIFF, large and small, and HEIC."""
    pillow_heif.register_heif_opener()
    folder = tmp_path_factory.mktemp("kinds") / "photos"
    folder.mkdir()
    for name, size in (("large.tiff", (2400, 1200)), ("small.tif", (300, 200))):
        Image.new("RGB", size, (220, 30, 30)).save(folder / name)
    Image.new("RGB", (1600, 1600), (30, 160, 30)).save(folder / "phone.heic")
    built(folder)
    with serve(folder, "--no-index") as served:
        served.folder = folder
        yield served


@pytest.mark.parametrize(
    ("name", "fact", "size"),
    [
        ("large.tiff", "Smaller copy: this browser cannot show TIFF.", (1280, 640)),
        ("small.tif", "Copy: this browser cannot show TIFF.", (300, 200)),
        ("phone.heic", "Smaller copy: this browser cannot show HEIC.", (1280, 1280)),
    ],
)
def test_converts_formats_that_browsers_do_not_show(page, odd_kinds, name, fact, size):
    files = []
    page.on(
        "request", lambda request: files.append(request.url) if "/file" in request.url else None
    )
    ready(page, f"{odd_kinds.url}?sort=name")
    open_picture(page, ["large.tiff", "phone.heic", "small.tif"].index(name))
    assert shown_name(page) == name
    page.keyboard.press("i")
    facts = page.locator("#viewer .facts")
    expect(facts).to_contain_text(fact)
    expect(facts).to_contain_text("Download the file for the original.")
    shown = "e => e.decode().then(() => [e.naturalWidth, e.naturalHeight])"
    assert page.locator("#viewer .picture img").evaluate(shown) == list(size)
    expect(page.locator("#viewer .note")).to_be_hidden()
    assert files == []  # nothing is fetched that cannot be shown
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.path().read_bytes() == (odd_kinds.folder / name).read_bytes()
    page.get_by_role("button", name="Copy the image").click()
    expect(page.locator("#toasts")).to_contain_text("Copied the image")


def test_shows_thumbnail_of_deleted_file(page, serve, tmp_path, built):
    picture = tmp_path / "photos" / "red.png"
    paint(picture, (220, 30, 30), (900, 600))
    built(picture.parent)
    with serve(picture.parent, "--no-index") as served:
        ready(page, served.url)
        assert page.request.get(f"{served.url}v1/images").json()["images"][0]["format"] == "PNG"
        picture.unlink()
        open_picture(page)
        expect(page.locator("#viewer .note")).to_have_text(
            "This browser cannot show the file; this is a copy."
        )
