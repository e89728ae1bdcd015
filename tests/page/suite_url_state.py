"""The URL holds the state of the page."""

import re

from playwright.sync_api import expect

from page.look import (
    CHIP,
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


def test_shared_link_restores_view(page, site):
    address = f"{site.url}?text=blue^2&not=red&under=sea&ext=png"
    ready(page, address)
    assert chips(page) == ["blue ×2", "− red"]
    assert tile(page).get_attribute("aria-setsize") == "30"
    expect(page.get_by_role("button", name="Folder: sea")).to_be_visible()
    page.reload()
    page.wait_for_selector(TILE)
    assert chips(page) == ["blue ×2", "− red"]


def test_back_and_forward_restore_views(page, site):
    ready(page, site.url)
    typing(page, "red", enter=True)
    typing(page, "blue", enter=True)
    assert chips(page) == ["red", "blue"]
    page.go_back()
    expect(page.locator(CHIP)).to_have_count(1)
    page.go_back()
    expect(page.locator(CHIP)).to_have_count(0)
    page.go_forward()
    expect(page.locator(CHIP)).to_have_text(["red"])
    settled(page)
    assert names(page, 1) == ["red.png"]


def test_title_names_view(page, site):
    ready(page, site.url)
    assert page.title() == "memery"
    typing(page, "red")
    expect(page).to_have_title("red · memery")
    page.keyboard.press("Enter")
    typing(page, "-blue", enter=True)
    expect(page).to_have_title("red, −blue · memery")
    settled(page)
    open_picture(page)
    expect(page).to_have_title("red.png · memery")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_title(f"{shown_name(page)} · memery")
    page.keyboard.press("Escape")
    expect(page).to_have_title("red, −blue · memery")
    page.keyboard.press("s")
    expect(page).to_have_title(re.compile(r"\.(png|jpg) · memery$"))
    page.go_back()
    expect(page).to_have_title("red, −blue · memery")
    page.goto(f"{site.url}?under=wood")
    expect(page).to_have_title("wood · memery")


def test_opens_shared_image(page, site):
    ready(page, site.url)
    open_picture(page, 3)
    name, address = shown_name(page), page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#viewer .name")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert asked(page) == []
