"""No serious violations found by axe, in every state. AXE=axe.min.js tries another version."""

import os
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from page.conftest import paint
from page.look import CHIP, open_picture, ready, tile


def browsing(page):
    pass


def filters(page):
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Date", exact=True).click()
    page.get_by_role("button", name=re.compile("November 2023")).wait_for()


def order(page):
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Order", exact=True).click()


def settings(page):
    page.get_by_role("button", name="Settings").click()


def chip_menu(page):
    page.locator(CHIP).first.click()
    page.get_by_role("menu").wait_for()


def keys(page):
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()


def viewer(page):
    open_picture(page)
    page.get_by_role("button", name="Details").click()
    page.locator("#viewer .strip a").first.wait_for()


def skipped(page):
    page.get_by_role("button", name="1 skipped").click()
    page.get_by_text("broken.jpg").wait_for()


def selected(page):
    tile(page).locator(".open").focus()
    page.keyboard.press("x")
    page.get_by_role("button", name="Copy paths").click()
    page.locator("#toasts p").wait_for()


def nothing(page):
    page.goto(f"{page.url}&since=1990&until=1990")
    page.get_by_role("button", name="Clear the filters").wait_for()


def busy(page):
    page.route(
        re.compile(r"/v1/search\?"),
        lambda route: route.fulfill(status=503, json={}, headers={"Retry-After": "60"}),
    )
    page.fill("#field input[type=text]", "green")
    page.get_by_role("button", name="Try now").wait_for()


STATES = [
    *(browsing, filters, order, settings, chip_menu, keys, viewer, skipped, selected, nothing),
    busy,
]


TARGETS = {"rules": {"target-size": {"enabled": True}}}
"""WCAG 2.2: 24 × 24 px for each target of a click. axe does not check it by default."""


def serious(page):
    axe = Axe.from_file(os.environ["AXE"]) if "AXE" in os.environ else Axe()
    found = axe.run(page, options=TARGETS).response["violations"]
    return [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found
        if one["impact"] in {"serious", "critical"} or one["id"] == "target-size"
    ]


def check(page, site, scheme, state):
    page.emulate_media(color_scheme=scheme)
    ready(page, f"{site.url}?text=red&not=blue")
    state(page)
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_has_no_serious_violations(page, site, scheme, state):
    check(page, site, scheme, state)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_has_no_serious_violations_on_phone(phone, site, scheme, state):
    check(phone, site, scheme, state)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_serious_violations_without_search(page, site, scheme):
    page.emulate_media(color_scheme=scheme)
    ready(page, site.url)
    page.get_by_role("navigation", name="Months").get_by_role("button").first.wait_for()
    assert serious(page) == []


def test_labels_of_many_months_are_large_enough(page, serve, tmp_path, built):
    for number in range(120):
        day = number * number // 8  # the months are of unequal lengths
        paint(tmp_path / "photos" / f"{number}.png", (2 * number, 90, 160), day=day)
    built(tmp_path / "photos")
    with serve(tmp_path / "photos", "--no-index") as served:
        ready(page, served.url)
        labels = page.get_by_role("navigation", name="Months").get_by_role("button")
        labels.nth(12).wait_for()
        assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_serious_violations_at_token_form(page, serve, site, scheme):
    page.emulate_media(color_scheme=scheme)
    with serve(site.folder, "--no-index", "--token", "the-token") as served:
        page.goto(served.url)
        expect(page.get_by_label(re.compile("requires a token"))).to_be_visible()
        assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_no_serious_violations_while_offline(page, serve, site, scheme):
    page.emulate_media(color_scheme=scheme)
    with serve(site.folder, "--no-index") as served:
        ready(page, served.url)
        served.stop()
        expect(page.locator("#notice")).to_contain_text("does not answer")
        assert serious(page) == []
