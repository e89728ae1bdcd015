"""A busy server: the page waits as long as the server says, and then retries."""

import contextlib
import json
import re
import socket

import pytest
from playwright.sync_api import expect

from page.conftest import paint
from page.look import FIELD, TILE, names, ready, settled, typing
from support.servers.memery import serving

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 30), "blue": (0, 0, 200)}
AT_ONCE = 32
SEARCH = re.compile(r"/v1/search\?")


@pytest.fixture(scope="module")
def few(tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("few") / "photos"
    for day, (name, colour) in enumerate(COLOURS.items()):
        paint(folder / f"{name}.png", colour, day=day)
    built(folder)
    return folder


@pytest.fixture
def busy(few):
    """A server that answers so many requests at a time."""
    environment = {"MEMERY_MODEL": "colours"}
    with serving(few, limits={"requests": AT_ONCE}, environment=environment) as server:
        server.wait_until_indexed()
        yield server


@contextlib.contextmanager
def occupied(server):
    """As many requests as the server answers at a time; their bodies never come."""
    head = (
        f"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(AT_ONCE):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(head.encode())
        while server.get("/healthz").status != 503:
            pass
        yield


def emptied(server):
    """Ask until the server says that it was asked too often."""
    while server.get("/healthz").status != 429:
        pass


def refusal(retry_after):
    document = {
        "type": "about:blank",
        "title": "Busy",
        "status": 503,
        "detail": "The queue is full.",
    }
    headers = {"Content-Type": "application/problem+json", "Retry-After": retry_after}
    return {"status": 503, "body": json.dumps(document), "headers": headers}


def test_loads_despite_rate_limit(page, few):
    limits = {"rate": 0.7, "burst": 150}
    with serving(few, limits=limits, environment={"MEMERY_MODEL": "colours"}) as server:
        server.wait_until_indexed()

        def first(route):
            emptied(server)
            route.fallback()

        page.route(re.compile(r"/v1/images\?"), first, times=1)
        page.goto(server.url)
        expect(page.locator("#notice")).to_have_text(
            re.compile(r"Too many requests\. The page tries again in \d seconds?\.")
        )
        expect(page.locator("#notice")).not_to_have_class("error")
        page.wait_for_selector(TILE)
        assert names(page) == ["red.png", "green.png", "blue.png"]
        expect(page.locator("#notice")).to_be_hidden()
        expect(page.locator("#status")).to_contain_text("3 images")


def test_retries_search_while_server_is_busy(page, busy):
    ready(page, busy.url)
    with occupied(busy):
        typing(page, "green", enter=True)
        expect(page.locator("#notice")).to_contain_text(
            "The server is overloaded. The page tries again in 2 seconds."
        )
        assert page.locator(TILE).count() == 3  # what was there stays
    settled(page)
    assert names(page, 1) == ["green.png"]
    expect(page.locator("#notice")).to_be_hidden()


def test_new_search_cancels_retries(page, busy):
    ready(page, busy.url)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with occupied(busy):
        typing(page, "red", enter=True)
        expect(page.locator("#notice")).to_contain_text("The page tries again")
        page.get_by_role("button", name="Clear the search").click()
        typing(page, "blue", enter=True)
        expect(page.locator("#notice")).to_contain_text("The page tries again")
        page.wait_for_timeout(300)
        asked.clear()
    settled(page)
    page.wait_for_timeout(4000)  # longer than the first search waited for
    assert names(page, 1) == ["blue.png"]
    assert not [url for url in asked if "red" in url]


def test_honours_retry_after(page, site):
    page.clock.install()
    ready(page, site.url)
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.fulfill(**refusal("90"))

    page.route(SEARCH, refuse)
    page.fill(FIELD, "red")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("The page tries again in 90 seconds.")
    page.clock.run_for(89_000)
    assert len(asked) == 1
    page.unroute_all()
    page.clock.run_for(1_500)
    settled(page)
    assert names(page, 1) == ["red.png"]


def test_gives_up_after_last_retry(page, site):
    page.clock.install()
    ready(page, site.url)
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.fulfill(**refusal("0"))

    page.route(SEARCH, refuse)
    page.fill(FIELD, "red")
    page.keyboard.press("Enter")
    for tried, wait in enumerate((1, 2, 4, 8, 16, 30, 30), start=1):
        unit = "second" if wait == 1 else "seconds"
        expect(page.locator("#notice")).to_contain_text(f"The page tries again in {wait} {unit}.")
        while len(asked) == tried:  # it may not have begun to wait yet
            page.clock.run_for(1000)
    expect(page.locator("#notice")).to_have_text(
        "The queue is full. Wait a moment and try again.Try again"
    )
    expect(page.locator("#notice")).to_have_class("error")
    assert len(asked) == 8
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    settled(page)
    assert names(page, 1) == ["red.png"]
    expect(page.locator("#notice")).to_be_hidden()
