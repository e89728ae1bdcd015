"""The picture that is open, and its keys."""

import re

from playwright.sync_api import expect

from page.conftest import NASTY
from page.look import (
    asked,
    chips,
    focused,
    open_picture,
    ready,
    shown_name,
)


def test_the_viewer_and_its_keys(page, site):
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
    expect(page.locator("#selection")).to_contain_text("1 picture selected")


def test_words_in_a_picture_are_words_only(page, site):
    def with_words(route):
        answer = route.fetch()
        line = {"text": f"{NASTY} HELLO", "confidence": 1.0, "box": [0, 0, 1, 1]}
        route.fulfill(response=answer, json={**answer.json(), "text": [line]})

    page.route(re.compile(r"/v1/images/\w+$"), with_words)
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    page.keyboard.press("i")
    expect(page.locator("#viewer .facts .words")).to_have_text(f"{NASTY} HELLO")
    assert page.locator("#viewer .facts img").count() == 0
    assert page.title() == "memery"


def test_the_viewer_zooms(page, site):
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


def test_copy_the_picture(page, site):
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    page.get_by_role("button", name="Copy the picture").click()
    expect(page.locator("#toasts")).to_contain_text("Copied the picture")
    kinds = page.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert kinds == ["image/png"]


def test_similar_and_less_in_the_viewer(page, site):
    ready(page, site.url)
    open_picture(page)
    page.keyboard.press("s")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert chips(page) == ["red.png"]
    open_picture(page, 5)
    page.keyboard.press("-")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert [name for name, _ in asked(page)] == ["similar_to", "unlike"]


def test_the_strip_leads_on(page, site):
    ready(page, f"{site.url}?text=green")
    open_picture(page)
    before = shown_name(page)
    page.locator("#viewer .strip a").first.click()
    expect(page.locator("#viewer .name")).not_to_have_text(before)


def test_the_folder_of_a_picture(page, site):
    ready(page, f"{site.url}?text=green")
    open_picture(page)
    page.keyboard.press("i")
    page.get_by_role("button", name="Everything in wood").click()
    expect(page.locator("#viewer")).not_to_be_visible()
    assert asked(page) == [("under", "wood")]
