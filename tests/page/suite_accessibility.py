"""Keyboard, phone, colour scheme, screen readers, and the size of the page."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from page.conftest import PICTURES, paint, until
from page.look import (
    FIELD,
    asked,
    chips,
    focused,
    open_picture,
    ready,
    settled,
    shown_name,
    tile,
)

PAUSE = 300  # ms: longer than the page waits for another key


def test_works_with_keyboard_alone(page, site):
    ready(page, site.url)
    page.keyboard.press("/")
    page.keyboard.type("blue")
    page.keyboard.press("Enter")
    settled(page)
    page.keyboard.press("ArrowDown")
    assert focused(page) == "0"
    page.keyboard.press("ArrowRight")
    assert focused(page) == "1"
    page.keyboard.press("ArrowDown")
    below = int(focused(page))
    assert below > 2
    page.keyboard.press("ArrowUp")
    assert focused(page) == "1"
    page.keyboard.press("ArrowUp")
    expect(page.locator(FIELD)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    expect(page.locator("#selection")).to_contain_text("3 images selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("End")
    until(lambda: focused(page) == str(PICTURES - 1))
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    page.keyboard.press("Shift+S")
    assert [name for name, _ in asked(page)] == ["text", "similar_to"]
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="More of this")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert [name for name, _ in asked(page)] == ["text", "unlike"]


def test_has_heading_on_phone(phone, site):
    ready(phone, site.url)
    heading = phone.get_by_role("heading", name="memery", level=1)
    expect(heading).to_have_count(1)
    link = heading.get_by_role("link")
    link.focus()  # by keyboard it is reached, and then it is seen
    expect(link).to_be_in_viewport()
    assert link.bounding_box()["width"] > 20
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("locale", "month", "date", "score", "size"),
    [
        ("de-DE", "Sep 2023", "14. November 2023", r"1 · 1,000 · \d+,\dσ", "1.200 × 800"),
        ("en-GB", "Sept 2023", "14 November 2023", r"1 · 1\.000 · \d+\.\dσ", "1,200 × 800"),
        ("ja-JP", "9月 2023年", "2023年11月14日", r"1 · 1\.000 · \d+\.\dσ", "1,200 × 800"),
    ],
)
def test_dates_and_numbers_follow_the_browser(
    browser, serve, site, tmp_path, built, locale, month, date, score, size
):
    folder = tmp_path / "photos"
    shutil.copytree(site.folder, folder, ignore=shutil.ignore_patterns(".memery", "red.png"))
    paint(folder / "red.png", (220, 30, 30), (1200, 800))
    built(folder)
    context = browser.new_context(locale=locale, timezone_id="UTC")
    with serve(folder, "--no-index") as served:
        page = context.new_page()
        ready(page, served.url)
        months = page.get_by_role("navigation", name="Months")
        expect(months.get_by_label(month)).to_be_visible()
        ready(page, f"{served.url}?text=red^0.5&since=2023-11-01")
        expect(page.get_by_role("button", name="Date:")).not_to_contain_text("2023-11-01")
        assert chips(page) == [f"red ×{'0,5' if locale == 'de-DE' else '0.5'}"]
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Show scores").check()
        assert re.match(score, tile(page).locator(".caption").inner_text())
        page.keyboard.press("Escape")
        open_picture(page)
        page.keyboard.press("i")
        expect(page.locator("#viewer .facts")).to_contain_text(date)
        expect(page.locator("#viewer .facts")).to_contain_text(size)
    context.close()


def test_acts_on_selected_images(page, site):
    ready(page, f"{site.url}?sort=name&under=sea")
    tile(page).hover()
    tile(page).get_by_label("Select").click()
    tile(page, 3).locator(".open").click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("4 images selected")
    page.get_by_role("button", name="Copy paths").click()
    expect(page.locator("#toasts")).to_contain_text("Copied 4 paths")
    paths = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert paths == [str(site.folder / f"sea/blue-0{number}.png") for number in range(4)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Contact sheet").click()
    sheet = download.value.path().read_text(encoding="utf-8")
    assert sheet.count('<img src="data:image/webp;base64,') == 4
    assert "sea/blue-03.png" in sheet
    assert "http" not in sheet
    page.get_by_role("button", name="More like these").click()
    assert [name for name, _ in asked(page) if name == "similar_to"] == ["similar_to"] * 4


def test_contact_sheet_escapes_file_names(page, site):
    ready(page, f"{site.url}?text=yellow")
    tile(page).hover()
    tile(page).get_by_label("Select").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Contact sheet").click()
    page.goto("about:blank")
    page.set_content(download.value.path().read_text(encoding="utf-8"))
    assert page.locator("img").count() == 1
    assert page.title() == "yellow (1 image)"


def test_fits_phone(phone, site):
    ready(phone, site.url)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.locator(FIELD).tap()
    phone.keyboard.type("green")
    phone.keyboard.press("Enter")
    settled(phone)
    tile(phone).locator(".open").tap()
    expect(phone.locator("#viewer")).to_be_visible()
    before = shown_name(phone)
    swipe(phone, -200)
    expect(phone.locator("#viewer .name")).not_to_have_text(before)
    phone.get_by_role("button", name="Details").tap()
    expect(phone.locator("#viewer .facts")).to_be_visible()
    phone.get_by_role("button", name="Close").tap()
    expect(phone.locator("#viewer")).not_to_be_visible()
    sizes = phone.eval_on_selector_all(
        "#header button.icon", "all => all.map(b => Math.min(b.offsetWidth, b.offsetHeight))"
    )
    assert min(sizes) >= 34


def test_long_press_selects(phone, site):
    ready(phone, site.url)
    for index in (0, 2):
        phone.evaluate(
            """async index => {
                const tile = document.querySelector(`.tile[data-index="${index}"] .open`);
                const send = type => tile.dispatchEvent(
                    new PointerEvent(type, {pointerType: 'touch', bubbles: true}));
                send('pointerdown');
                await new Promise(done => setTimeout(done, 700));
                send('pointerup');
                tile.dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}));
            }""",
            index,
        )
    expect(phone.locator("#selection")).to_contain_text("2 images selected")
    tile(phone, 2).locator(".open").tap()
    expect(phone.locator("#selection")).to_contain_text("1 image selected")


def swipe(page, right):
    """A finger across the open picture."""
    page.evaluate(
        """right => {
            const stage = document.querySelector('#viewer .stage');
            stage.setPointerCapture = () => {};
            const send = (type, x) => stage.dispatchEvent(new PointerEvent(type,
                {pointerId: 7, pointerType: 'touch', clientX: x, clientY: 300, bubbles: true}));
            send('pointerdown', 250); send('pointermove', 250 + right / 2);
            send('pointermove', 250 + right); send('pointerup', 250 + right);
        }""",
        right,
    )


def test_follows_colour_scheme_and_switch(page, site):
    def paper():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.emulate_media(color_scheme="light")
    ready(page, site.url)
    light = paper()
    page.emulate_media(color_scheme="dark")
    dark = paper()
    assert light != dark
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Light").check()
    assert paper() == light
    page.reload()
    assert paper() == light


def test_announces_changes_to_screen_readers(page, site):
    ready(page, f"{site.url}?text=red")
    first = page.locator("#grid").get_by_role("listitem").first
    assert first.get_by_role("link").get_attribute("aria-label") == "red.png, number 1"
    expect(page.locator("#heard")).to_have_text(f"1 good match in {PICTURES} images")


def test_respects_reduced_motion(page, site):
    ready(page, site.url)
    moving = page.evaluate(
        "[...document.querySelectorAll('*')]"
        ".filter(e => parseFloat(getComputedStyle(e).transitionDuration)).length"
    )
    assert moving == 0


def test_limits_transferred_bytes(page, site):
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    kinds, sizes = {}, {}
    client.on(
        "Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]})
    )
    client.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    ready(page, site.url)
    page.wait_for_timeout(PAUSE)
    own = sum(
        size
        for id_, size in sizes.items()
        if kinds.get(id_) in {"Document", "Script", "Stylesheet"}
    )
    assert 10_000 < own <= 100_000


def test_loads_nothing_from_other_hosts(page, site):
    elsewhere = []
    page.on(
        "request",
        lambda request: None if request.url.startswith(site.url) else elsewhere.append(request.url),
    )
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    page.locator("#viewer .strip a").first.wait_for()
    assert elsewhere == []
