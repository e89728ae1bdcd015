"""A server that does not answer: what the page shows meanwhile, and how it recovers."""

import re

import pytest
from playwright.sync_api import expect

from page.conftest import paint
from page.look import TILE, names, open_picture, ready, settled, tile, typing

AWAY = "memery does not answer"
NOTICE = "#notice"


class Outage:
    """Requests that fail as long as `is_on`, whatever the stream of events does."""

    def __init__(self, page, pattern, status=None):
        self.is_on = False
        self.status = status
        page.route(re.compile(pattern), self._answer)

    def _answer(self, route):
        if not self.is_on:
            route.fallback()
        elif self.status:
            route.fulfill(status=self.status, body="<h1>Bad Gateway</h1>")
        else:
            route.abort()


@pytest.mark.parametrize("status", [None, 502, 504])
def test_retries_failed_search_while_event_stream_is_open(page, site, status):
    ready(page, site.url)
    outage = Outage(page, "/v1/search", status)
    outage.is_on = True
    typing(page, "red", enter=True)
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    outage.is_on = False
    expect(page.locator(NOTICE)).to_be_hidden()
    settled(page)
    assert names(page, 1) == ["red.png"]


def test_starts_after_first_requests_failed(page, site):
    outage = Outage(page, "/v1/")
    outage.is_on = True
    page.goto(site.url)
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    outage.is_on = False
    page.wait_for_selector(f"{TILE} img.shown")
    expect(page.locator(NOTICE)).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("53 images")
    months = page.get_by_role("navigation", name="Months").get_by_role("button")
    expect(months.first).to_be_visible()
    open_picture(page)
    page.keyboard.press("c")  # the folders served are known
    expect(page.locator("#toasts")).to_contain_text(str(site.folder / "red.png"))


def test_retries_failed_months(page, site):
    outage = Outage(page, "/v1/facets")
    outage.is_on = True
    ready(page, site.url)
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    outage.is_on = False
    months = page.get_by_role("navigation", name="Months").get_by_role("button")
    expect(months.first).to_be_visible()


def test_retries_failed_thumbnails(page, site):
    outage = Outage(page, "/v1/")
    ready(page, site.url)
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=green")
    tile(page).wait_for()
    expect(tile(page)).to_have_class(re.compile("broken"), timeout=15_000)
    outage.is_on = True
    typing(page, "blue", enter=True)
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    page.unroute("**/v1/thumbnails/**")
    page.go_back()
    outage.is_on = False
    expect(page.locator(NOTICE)).to_be_hidden()
    expect(tile(page)).not_to_have_class(re.compile("broken"))
    expect(tile(page).locator("img")).to_have_class("shown")


@pytest.fixture
def large(serve, tmp_path, built):
    for number in range(3):
        paint(tmp_path / "photos" / f"{number}.png", (220, 30 * number, 30), (1800, 1200), number)
    built(tmp_path / "photos")
    with serve(tmp_path / "photos", "--no-index") as served:
        served.folder = tmp_path / "photos"
        yield served


def natural_width(page):
    return page.locator("#viewer .picture img").evaluate(
        "e => e.decode().then(() => e.naturalWidth, () => 0)"
    )


def test_viewer_shows_thumbnail_of_grid(page, serve, large):
    ready(page, large.url)
    port = large.url.rstrip("/").rpartition(":")[2]
    large.stop()
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    open_picture(page)
    note = page.locator("#viewer .note")
    expect(note).to_have_text("memery does not answer: this is a small copy.")
    assert 0 < natural_width(page) <= 640
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .name")).to_have_text("1.png")
    assert 0 < natural_width(page) <= 640
    with serve(large.folder, "--no-index", port=port):
        expect(note).to_be_hidden()
        expect(page.locator("#viewer .strip a").first).to_be_visible()
        page.wait_for_function(
            "document.querySelector('#viewer .picture img').naturalWidth === 1800"
        )


def test_hides_image_without_thumbnail(page, site):
    outage = Outage(page, "/v1/images/[^/]+/file|/v1/thumbnails")
    ready(page, site.url)
    page.goto("about:blank")
    outage.is_on = True
    page.goto(site.url)
    tile(page).wait_for()
    open_picture(page)
    expect(page.locator("#viewer .note")).to_have_text("The image cannot be shown now.")
    expect(page.locator("#viewer .picture img")).to_have_css("opacity", "0")


def test_opens_image_in_url_when_server_returns(page, site):
    ready(page, site.url)
    open_picture(page, 4)
    name, address = page.locator("#viewer .name").inner_text(), page.url
    page.goto("about:blank")
    outage = Outage(page, "/v1/")
    outage.is_on = True
    page.goto(address)
    expect(page.locator(NOTICE)).to_contain_text(AWAY)
    outage.is_on = False
    expect(page.locator("#viewer .name")).to_have_text(name)
    assert page.url == address
