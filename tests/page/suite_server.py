"""States of the server: indexing, empty, locked, gone, slow; and very many images."""

import re

import pytest
from playwright.sync_api import expect

from memery.archive import find_archive
from page.conftest import PICTURES, paint, palette, until
from page.look import (
    TILE,
    asked,
    drawn,
    focused,
    held,
    names,
    open_picture,
    ready,
    settled,
    tile,
    typing,
)

PAUSE = 300  # ms: longer than the page waits for another key


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, built):
    """2,000 tiny pictures over six years."""
    folder = tmp_path_factory.mktemp("crowd") / "photos"
    for number in range(2000):
        colour = (number % 250, (number * 7) % 250, (number * 13) % 250)
        size = (30 + number % 40, 40 + number // 1000)  # no two are copies
        paint(folder / f"{number // 500}" / f"{number:04}.png", colour, size, day=number)
    built(folder)
    return folder


@pytest.fixture(scope="module")
def long_list(serve, crowd):
    with serve(crowd, "--no-index") as served:
        yield served


def scroll_down(page):
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 700)
    until(lambda: page.evaluate("scrollY") != before)
    drawn(page)


def test_scrolls_to_end_of_2000_images(page, long_list):
    ready(page, long_list.url)
    seen, most = set(), 0
    for _ in range(400):
        page.mouse.move(600, 500)
        scroll_down(page)
        expect(page.locator(".coming:visible")).to_have_count(0)
        indexes = page.eval_on_selector_all(TILE, "all => all.map(t => Number(t.dataset.index))")
        most = max(most, len(indexes))
        seen.update(indexes)
        if 1999 in seen:
            break
    assert seen == set(range(2000)), "pictures were passed over"
    assert most < 300
    assert tile(page, 1999).is_visible()


def test_back_restores_position_in_middle(page, long_list):
    ready(page, long_list.url)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    middle = """() => Math.min(...[...document.querySelectorAll('.tile')]
        .filter(t => t.getBoundingClientRect().top > 100).map(t => Number(t.dataset.index)))"""
    until(lambda: 200 < page.evaluate(middle) < 2000)  # infinite as long as no image is there
    page.wait_for_timeout(2 * PAUSE)  # its neighbours may move it
    before = page.evaluate(middle)
    typing(page, "red", enter=True)
    settled(page)
    assert page.evaluate("scrollY") == 0
    page.go_back()
    until(lambda: abs((page.evaluate(middle) or 0) - before) < 3)
    page.set_viewport_size({"width": 900, "height": 700})
    until(lambda: abs((page.evaluate(middle) or 0) - before) < 12)


@pytest.mark.parametrize("words", ["", "?text=red&sort=name"])
def test_first_request_does_not_wait_for_all_modules(page, site, words):
    held, sent = [], []
    page.route(re.compile("viewer[.]js"), lambda route: held.append(route))  # noqa: PLW0108
    page.on(
        "request",
        lambda request: sent.append(request.url) if "offset=0" in request.url else None,
    )
    page.goto(f"{site.url}{words}", wait_until="commit")
    until(lambda: (page.wait_for_timeout(50), held and sent)[1], "an early request", 8)
    for route in held:
        route.continue_()
    page.wait_for_selector(f"{TILE} img.shown")
    assert len(sent) == 1


def test_end_and_home_reach_last_and_first_image(page, long_list):
    ready(page, long_list.url)
    tile(page).locator(".open").focus()
    page.keyboard.press("End")
    until(lambda: focused(page) == "1999")
    page.keyboard.press("Home")
    until(lambda: focused(page) == "0")


def test_first_start_shows_progress_and_images(page, serve, tmp_path):
    folder = tmp_path / "photos"
    for number in range(96):
        paint(folder / f"{number:03}.png", (number * 2, 0, 0), day=number)
    with serve(folder, COLOURS_SECONDS="1.5", MEMERY_BATCH_SIZE="16") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("Indexing images")
        expect(page.locator("#notice")).to_contain_text(re.compile(r"\d+ of 96"))
        expect(page.locator("#status progress")).to_be_visible()
        page.wait_for_selector(TILE)
        assert page.locator("#status progress").count() == 1  # found while it goes on
        expect(page.locator("#notice")).to_be_hidden()  # it would move the images
        assert page.locator("#status progress").count() == 1
        expect(page.locator("#status")).to_contain_text("96 images", timeout=60_000)
        expect(page.locator("#notice")).to_be_hidden()
        fresh = page.locator("#fresh")
        if fresh.is_visible():
            fresh.click()
        expect(tile(page)).to_have_attribute("aria-setsize", "96")


def test_refresh_button_finds_new_images(page, serve, tmp_path, built):
    folder = tmp_path / "photos"
    paint(folder / "red.png", (220, 30, 30))
    built(folder)
    with serve(folder, "--no-index") as served:
        ready(page, served.url)
        paint(folder / "green.png", (30, 160, 30))
        page.get_by_role("button", name="Update").click()
        expect(tile(page)).to_have_attribute("aria-setsize", "2")


def test_announces_new_images_during_search(page, serve, tmp_path, built):
    folder = tmp_path / "photos"
    paint(folder / "red.png", (220, 30, 30))
    built(folder)
    with serve(folder, "--no-index") as served:
        ready(page, f"{served.url}?text=red")
        paint(folder / "green.png", (30, 160, 30))
        page.get_by_role("button", name="Update").click()
        page.get_by_role("button", name="Show 1 new image").click()
        expect(tile(page)).to_have_attribute("aria-setsize", "2")
        expect(page.locator("#fresh")).to_be_hidden()


def test_searches_several_folders(page, serve, site, tmp_path, built):
    paint(tmp_path / "other" / "trip" / "cyan.png", (40, 210, 220))
    built(tmp_path / "other")
    with serve(site.folder, tmp_path / "other", "--no-index") as served:
        ready(page, served.url)
        expect(tile(page)).to_have_attribute("aria-setsize", "54")
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("button", name="Collection").click()
        page.get_by_role("button", name=re.compile("other.*1")).click()
        expect(tile(page)).to_have_attribute("aria-setsize", "1")
        assert names(page) == ["cyan.png"]
        open_picture(page)
        page.keyboard.press("c")
        expect(page.locator("#toasts")).to_contain_text(str(tmp_path / "other/trip/cyan.png"))
        page.keyboard.press("i")
        expect(page.locator("#viewer .facts")).to_contain_text("Collectionother")
        page.get_by_role("button", name="All images in trip").click()
        assert asked(page) == [("collection", "other"), ("under", "trip")]


def test_lists_skipped_files_with_reasons(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="1 skipped").click()
    expect(page.get_by_role("dialog", name="Skipped files")).to_contain_text("broken.jpg")


def test_explains_empty_folder(page, serve, tmp_path):
    (tmp_path / "photos").mkdir()
    with serve(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("This folder has no images yet")
        expect(page.get_by_role("button", name="Look again")).to_be_visible()


def test_explains_folder_of_skipped_files(page, serve, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with serve(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text(
            "The only image file here could not be read"
        )
        page.get_by_role("button", name="See why").click()
        expect(page.get_by_role("dialog")).to_contain_text("bad.jpg")
        expect(page.get_by_role("dialog")).to_contain_text("1 file skipped. It is tried again")


def test_requests_token(page, serve, site):
    with serve(site.folder, "--no-index", "--token", "s3cret-token-of-the-test") as served:
        page.goto(served.url)
        page.get_by_label(re.compile("requires a token")).fill("wrong")
        page.get_by_role("button", name="Enter").click()
        expect(page.locator("#notice")).to_contain_text("Wrong token.")
        page.get_by_label(re.compile("requires a token")).fill("s3cret-token-of-the-test")
        page.get_by_role("button", name="Enter").click()
        page.wait_for_selector(TILE)
        assert "token" not in page.url
        page.goto("about:blank")
        ready(page, served.lines[0].split()[-1])  # the link that was printed
        assert "token" not in page.url


def test_requests_token_after_it_changed(page, serve, site):
    with serve(site.folder, "--no-index", "--token", "the-first-token") as served:
        ready(page, served.lines[0].split()[-1])
        port = served.url.rstrip("/").rpartition(":")[2]
    expect(page.locator("#notice")).to_contain_text("does not answer")
    with serve(site.folder, "--no-index", "--token", "the-second-token", port=port):
        page.get_by_label(re.compile("requires a token")).fill("the-second-token")
        page.get_by_role("button", name="Enter").click()
        page.wait_for_selector(TILE)


def test_recovers_when_server_returns(page, serve, site):
    with serve(site.folder, "--no-index") as served:
        ready(page, served.url)
        port = served.url.rstrip("/").rpartition(":")[2]
        served.stop()
        expect(page.locator("#notice")).to_contain_text("memery does not answer")
        assert page.locator(TILE).count() > 0
        typing(page, "red", enter=True)
        expect(page.locator("#notice")).to_contain_text("memery does not answer")
    with serve(site.folder, "--no-index", port=port):
        expect(page.locator("#notice")).to_be_hidden()
        settled(page)
        assert names(page, 1) == ["red.png"]


def test_announces_slow_response(page, site):
    ready(page, site.url)
    with held(page, re.compile("/v1/search")):
        typing(page, "red", enter=True)
        expect(page.locator("#status")).to_contain_text("Still searching")
    settled(page)
    expect(page.locator("#status")).not_to_contain_text("Still searching")


def test_error_message_says_what_to_do(page, site):
    page.goto(f"{site.url}?text=red&since=soon")
    expect(page.locator("#notice")).to_contain_text("soon")
    expect(page.locator("#notice")).to_have_class("error")
    page.get_by_role("button", name="Clear", exact=True).click()
    settled(page)
    assert names(page, 1) == ["red.png"]
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize("words", ["", "sort=name", "text=red"])
def test_shared_image_far_down_has_neighbours(page, long_list, words):
    far = 1500
    path = "search" if "text" in words else "images"
    answer = page.request.get(f"{long_list.url}v1/{path}?{words}&top_k=3&offset={far}").json()
    before, picture, after = (one["path"] for one in answer.get("hits") or answer["images"])
    shared = (answer.get("hits") or answer["images"])[1]["id"]
    page.goto(f"{long_list.url}?{words}&picture={shared}")
    expect(page.locator("#viewer .name")).to_have_text(picture.rpartition("/")[2])
    page.get_by_role("button", name="Next").wait_for()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .name")).to_have_text(after.rpartition("/")[2])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer .name")).to_have_text(before.rpartition("/")[2])
    page.keyboard.press("Escape")
    until(lambda: focused(page) == str(far))


def test_sorted_search_reaches_last_image(page, long_list):
    ready(page, f"{long_list.url}?text=red&sort=name")
    expect(tile(page)).to_have_attribute("aria-setsize", "2000")
    tile(page).locator(".open").focus()
    page.keyboard.press("End")
    until(lambda: focused(page) == "1999")
    last = tile(page, 1999).locator(".open").get_attribute("aria-label")
    assert "number 2000" in last


def test_waits_for_other_writer(page, serve, tmp_path, built):
    folder = palette(tmp_path / "photos")
    built(folder)
    with serve(folder, "--no-index") as served:
        with find_archive(folder).lock():
            ready(page, served.url)
            page.get_by_role("button", name="Update").click()
            expect(page.locator("#status")).to_contain_text("Another process is writing")
            paint(folder / "new.png", (250, 250, 250), day=-1)
        expect(page.locator("#status")).to_contain_text(f"{PICTURES + 1} images")
        expect(page.locator("#status")).not_to_contain_text("Another process")


def test_explains_unavailable_folder(page, serve, tmp_path, built):
    folder = palette(tmp_path / "photos")
    built(folder)
    with serve(folder, "--no-index") as served:
        folder.rename(tmp_path / "out")
        page.goto(served.url)
        expect(page.locator("#status")).to_contain_text(
            "photos cannot be reached: is the disk connected?"
        )
        (tmp_path / "out").rename(folder)
        ready(page, served.url)
        expect(page.locator("#status")).not_to_contain_text("cannot be reached")
        expect(page.locator("#status")).to_contain_text(f"{PICTURES} images")
