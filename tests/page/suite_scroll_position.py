"""Scroll position: at the top, after Back, at a month."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from page.conftest import DAY, FIRST_DAY, paint, until
from page.look import TILE, asked, drawn, focused, ready, settled, tile, typing

MONTHS = 14


@pytest.fixture(scope="module")
def album(serve, tmp_path_factory, built):
    """280 images over 14 months; few months begin with a row."""
    folder = tmp_path_factory.mktemp("album") / "photos"
    for number in range(20 * MONTHS):
        size = (40 + (number * 37) % 50, 40)
        day = number * 30.4 / 20
        paint(folder / f"{number:03}.png", (number % 250, 90, number // 250), size, day=day)
    built(folder)
    with serve(folder, "--no-index") as served:
        yield served


def scrolled(page):
    return page.evaluate("scrollY")


def test_reload_and_back_stay_at_the_top(page, album):
    ready(page, album.url)
    assert scrolled(page) == 0
    page.reload()
    page.wait_for_selector(f"{TILE} img.shown")
    assert scrolled(page) == 0
    expect(page.locator("#status")).to_be_in_viewport(ratio=1)
    typing(page, "red", enter=True)
    settled(page)
    page.go_back()
    until(lambda: not asked(page))
    settled(page)
    assert scrolled(page) == 0
    expect(page.locator("#status")).to_be_in_viewport(ratio=1)


def test_keeps_position_near_top(page, album):
    ready(page, album.url)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 12)
    until(lambda: scrolled(page) == 12)
    until(lambda: page.evaluate("history.state?.place"))
    page.reload()
    page.wait_for_selector(f"{TILE} img.shown")
    assert scrolled(page) == 12


def test_home_and_arrow_up_show_status_line(page, album):
    ready(page, album.url)
    tile(page).locator(".open").focus()
    page.keyboard.press("End")
    until(lambda: focused(page) == str(20 * MONTHS - 1))
    page.keyboard.press("Home")
    until(lambda: focused(page) == "0")
    assert scrolled(page) == 0
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    assert scrolled(page) > 0
    for _ in range(5):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert scrolled(page) == 0


def test_progress_stays_visible_when_first_images_arrive(page, serve, tmp_path):
    folder = tmp_path / "photos"
    for number in range(48):
        paint(folder / f"{number:03}.png", (number * 2, 0, 0), day=number)
    with serve(folder, COLOURS_SECONDS="1.5", MEMERY_BATCH_SIZE="16") as served:
        page.goto(served.url)
        page.wait_for_selector(f"{TILE} img.shown")
        expect(page.locator("#status progress")).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Stop")).to_be_in_viewport(ratio=1)
        assert scrolled(page) == 0


def month_of(index):
    moment = datetime.fromtimestamp(FIRST_DAY - index * 30.4 / 20 * DAY, UTC)
    return f"{moment:%B %Y}"


def test_click_on_month_scrolls_to_it(page, album):
    ready(page, album.url)
    page.set_viewport_size({"width": 1280, "height": 500})
    buttons = page.get_by_role("navigation", name="Months").get_by_role("button")
    buttons.nth(3).wait_for()
    for number in range(buttons.count()):
        button = buttons.nth(number)
        month = page.evaluate(
            "name => new Intl.DateTimeFormat('en', {month: 'long', year: 'numeric'})"
            ".format(new Date(name + '-15'))",
            button.get_attribute("data-month"),
        )
        page.evaluate("scrollTo(0, 400)")
        drawn(page)
        button.click()
        expect(button).to_have_attribute("aria-current", "true")
        first = next(index for index in range(20 * MONTHS) if month_of(index) == month)
        box = tile(page, first).bounding_box()
        header = page.locator("#header").bounding_box()["height"]
        at_end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
        assert abs(box["y"] - header) < 1 or (at_end and box["y"] > header) or first == 0, month
        drawn(page)
        expect(button).to_have_attribute("aria-current", "true")
        if first:
            assert page.locator(".bubble").text_content() == month


def test_names_month_while_scrolling(page, album):
    ready(page, album.url)
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 900)
    until(lambda: scrolled(page) == 900)
    first = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('.tile')].filter(t => {
            const header = document.querySelector('#header').offsetHeight;
            return t.getBoundingClientRect().bottom > header;
        }).map(t => Number(t.dataset.index)))"""
    )
    expect(page.locator(".bubble")).to_have_text(re.compile(month_of(first)))
