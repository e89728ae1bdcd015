"""Filters with counts, and months beside the list."""

import re

from playwright.sync_api import expect

from page.conftest import PICTURES
from page.look import (
    TILE,
    asked,
    names,
    ready,
    settled,
    tile,
    typing,
)

PAUSE = 300  # ms: longer than the page waits for another key


def test_filters_with_counts(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Folder", exact=True).click()
    page.get_by_role("button", name=re.compile("wood.*20")).click()
    assert asked(page) == [("under", "wood")]
    expect(page.locator("#status")).to_contain_text("20 images")
    page.get_by_role("button", name="Type", exact=True).click()
    page.get_by_role("button", name=re.compile("jpg.*20")).click()
    assert asked(page) == [("under", "wood"), ("ext", "jpg")]
    page.get_by_role("button", name="Clear", exact=True).click()
    assert asked(page) == []
    page.get_by_role("button", name="Date", exact=True).click()
    page.get_by_role("button", name=re.compile("September 2023 .*")).click()
    assert asked(page) == [("since", "2023-09"), ("until", "2023-09")]
    settled(page)
    assert all(name.startswith("green") for name in names(page))
    page.go_back()
    expect(page.locator("#status")).to_contain_text(f"{PICTURES} images")


def test_a_span_of_days(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Date", exact=True).click()
    page.get_by_label("From").fill("2023-11-10")
    page.get_by_label("to", exact=True).fill("2023-11-12")
    page.get_by_role("button", name="Show").click()
    settled(page)
    assert len(names(page, 50)) == 4  # three blue ones and the purple one


def test_filters_that_nothing_passes(page, site):
    page.goto(f"{site.url}?since=1990&until=1990")
    expect(page.locator("#notice")).to_contain_text("No picture passes these filters")
    page.get_by_role("button", name="Clear the filters").click()
    page.wait_for_selector(TILE)


def test_nothing_moves_when_the_months_come(page, site):
    held = []

    def hold(route):
        held.append(route)

    page.route(re.compile("/v1/facets"), hold)
    ready(page, site.url)
    before = [tile(page, index).bounding_box() for index in range(5)]
    for route in held:
        route.continue_()
    page.get_by_role("navigation", name="Months").get_by_role("button").first.wait_for()
    assert [tile(page, index).bounding_box() for index in range(5)] == before


def test_months_beside_the_list(page, site):
    ready(page, site.url)
    months = page.get_by_role("navigation", name="Months").get_by_role("button")
    expect(months.nth(1)).to_be_visible()
    page.get_by_role("navigation", name="Months").get_by_label("September 2023").click()
    page.wait_for_timeout(PAUSE)
    assert page.evaluate("scrollY") > 0
    typing(page, "red", enter=True)
    expect(page.get_by_role("navigation", name="Months")).to_be_hidden()
