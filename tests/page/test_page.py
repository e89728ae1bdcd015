"""The page's heart: type, see, open, go back. `make test-page` tries everything else."""

from playwright.sync_api import expect

from page.look import (
    CHIP,
    FIELD,
    TILE,
    asked,
    chips,
    names,
    open_picture,
    ready,
    settled,
    shown_name,
    tile,
    typing,
)


def test_shows_all_images_newest_first(page, site):
    ready(page, site.url)
    assert names(page, 1) == ["red.png"]
    assert tile(page).get_attribute("aria-setsize") == "53"
    expect(page.locator("#status")).to_contain_text("53 images")


def test_typing_searches_and_enter_makes_chip(page, site):
    ready(page, site.url)
    typing(page, "green")
    expect(page).to_have_url(f"{site.url}?q=green")
    settled(page)
    assert names(page, 1)[0].startswith("green")
    page.keyboard.press("Enter")
    assert chips(page) == ["green"]
    assert asked(page) == [("text", "green")]
    page.go_back()
    expect(page.locator(CHIP)).to_have_count(0)
    assert page.input_value(FIELD) == ""


def test_opens_image_and_back_closes_it(page, site):
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    assert shown_name(page) == "red.png"
    assert dict(asked(page)).keys() == {"text", "picture"}
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .name")).not_to_have_text("red.png")
    page.go_back()
    expect(page.locator("#viewer")).not_to_be_visible()
    assert asked(page) == [("text", "red")]


def test_escapes_file_names(page, site):
    ready(page, f"{site.url}?text=yellow")
    assert names(page, 1)[0].startswith("<img src=x")
    page.keyboard.press("Escape")
    open_picture(page)
    page.keyboard.press("i")
    expect(page.locator("#viewer .facts h2")).to_contain_text("<img src=x")
    assert page.title().endswith(" · memery")  # and not what the name would have made it
    assert page.locator(f"{TILE} .open > *").first.evaluate("e => e.tagName") == "IMG"
