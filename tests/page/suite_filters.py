"""Filters with counts, the months, and sort orders."""

import os
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from page.conftest import DAY, FIRST_DAY, PICTURES, paint, until
from page.look import (
    TILE,
    asked,
    held,
    names,
    ready,
    settled,
    tile,
    typing,
)


def test_shows_filters_with_counts(page, site):
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


def test_filters_by_span_of_days(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Date", exact=True).click()
    page.get_by_label("From").fill("2023-11-10")
    page.get_by_label("to", exact=True).fill("2023-11-12")
    page.get_by_role("button", name="Show").click()
    settled(page)
    assert len(names(page, 50)) == 4  # three blue ones and the purple one


def test_explains_filters_that_exclude_all_images(page, site):
    page.goto(f"{site.url}?since=1990&until=1990")
    expect(page.locator("#notice")).to_contain_text("No image is dated 1990")
    page.get_by_role("button", name="Clear the filters").click()
    page.wait_for_selector(TILE)


def boxes(page):
    return [tile(page, index).bounding_box() for index in range(5)]


def test_images_stay_in_place_when_the_status_arrives(page, site):
    with held(page, re.compile(r"/v1/(status|collections|index)")):
        ready(page, site.url)
        before = boxes(page)
    expect(page.locator("#status")).to_contain_text("1 skipped")
    assert boxes(page) == before


def test_images_stay_in_place_on_a_phone_when_the_status_arrives(phone, serve, tmp_path, built):
    for number in range(6):
        paint(tmp_path / f"sea-{number}.png", (0, 0, 130 + 9 * number))
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    built(tmp_path, "starter")
    with serve(tmp_path, MEMERY_MODEL="starter") as served:
        phone.goto(served.url)
        expect(phone.locator("#status")).to_contain_text("Update")  # it no longer indexes
        with held(phone, re.compile(r"/v1/(status|collections|index)")):
            ready(phone, served.url)
            before = boxes(phone)
        expect(phone.locator("#status")).to_contain_text("Update")
        expect(phone.locator("#status")).to_contain_text("get a better model")
        expect(phone.locator("#status")).to_contain_text("1 skipped")
        assert boxes(phone) == before


def test_images_stay_in_place_when_the_months_arrive(page, site):
    with held(page, re.compile("/v1/facets")):
        ready(page, site.url)
        expect(page.locator("#status")).to_contain_text("1 skipped")
        before = boxes(page)
    page.get_by_role("navigation", name="Months").get_by_role("button").first.wait_for()
    assert boxes(page) == before


def test_shows_months_next_to_list(page, site):
    ready(page, site.url)
    months = page.get_by_role("navigation", name="Months").get_by_role("button")
    expect(months.nth(1)).to_be_visible()
    page.get_by_role("navigation", name="Months").get_by_label("Sep 2023").click()
    until(lambda: page.evaluate("scrollY") > 0)
    typing(page, "red", enter=True)
    expect(page.get_by_role("navigation", name="Months")).to_be_hidden()


def choose_order(page, label):
    page.get_by_role("button", name=re.compile("^Order")).click()
    page.get_by_role("group", name="Order").get_by_text(label).click()


@pytest.fixture(scope="module")
def reds(serve, tmp_path_factory, built):
    """Three pictures that match: the best one is the oldest, and the second by name."""
    folder = tmp_path_factory.mktemp("reds") / "photos"
    folder.mkdir()
    for name, blue, day in (("b", 0, 9), ("c", 8, 5), ("a", 16, 1)):
        picture = Image.new("RGB", (60, 40), (255, 0, 0))
        picture.paste((0, 0, 255), (0, 0, blue, 40))
        picture.save(folder / f"{name}.png")
        os.utime(folder / f"{name}.png", (FIRST_DAY - day * DAY,) * 2)
    for number in range(60):
        paint(folder / f"sea-{number:02}.png", (0, 0, 130 + number), day=20 + number)
    built(folder)
    with serve(folder, "--no-index") as served:
        yield served


def matches(page):
    """What stands above the weaker matches, in its order."""
    settled(page)
    return names(page, page.locator(f"{TILE} .open:not([aria-label*='weaker'])").count())


def test_sorts_search_results(page, reds):
    ready(page, f"{reds.url}?text=red")
    best = matches(page)
    assert best == ["b.png", "c.png", "a.png"]
    page.get_by_role("button", name="Filters").click()
    choose_order(page, "Newest first")
    assert asked(page) == [("sort", "date"), ("text", "red")]
    assert matches(page) == ["a.png", "c.png", "b.png"]
    expect(page.locator(".divider")).to_have_text("Weaker matches")
    choose_order(page, "By name")
    assert asked(page) == [("sort", "name"), ("text", "red")]
    assert matches(page) == ["a.png", "b.png", "c.png"]
    page.reload()
    expect(page.get_by_role("button", name="Order: By name")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile(r"\?text=red$"))
    assert matches(page) == best


def test_keeps_weak_matches_below_strong_ones(page, site):
    """However the matches are sorted, what hardly fits stays below them, the best first."""
    ready(page, f"{site.url}?text=red")
    strong = page.locator(f"{TILE} .open:not([aria-label*='weaker'])").count()
    assert strong
    best = names(page, 20)
    ready(page, f"{site.url}?text=red&sort=name")
    assert names(page, 20)[strong:] == best[strong:]


def test_keeps_sort_order_per_list(page, site):
    ready(page, f"{site.url}?sort=name")
    typing(page, "red", enter=True)
    assert asked(page) == [("text", "red")]
    page.go_back()
    assert asked(page) == [("sort", "name")]
    page.goto(f"{site.url}?sort=date")
    page.wait_for_selector(TILE)
    expect(page.locator("#notice")).to_be_hidden()
    page.goto(f"{site.url}?sort=score")
    expect(page.locator("#notice")).to_contain_text("sort")


def test_sorts_list_by_name_and_date(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="Filters").click()
    choose_order(page, "By name")
    settled(page)
    assert names(page, 2) == ["<img src=x onerror=document.title='owned'>.png", "purple.png"]
    choose_order(page, "Newest first")
    settled(page)
    assert asked(page) == []
    assert names(page, 1) == ["red.png"]
