"""Everything the page does, in a real browser: `make test-page`."""

import json
import os
import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from page.conftest import PICTURES, paint, until
from page.look import (
    CHIP,
    FIELD,
    TILE,
    asked,
    chips,
    focused,
    names,
    open_picture,
    ready,
    settled,
    shown_name,
    tile,
    typing,
)
from PIL import Image
from playwright.sync_api import expect

PAUSE = 300  # ms: longer than the page waits for another key


def picture_file(tmp_path, colour=(30, 160, 30), name="mine.png"):
    path = tmp_path / name
    Image.new("RGB", (80, 60), colour).save(path)
    return path


def hold_files(page, path):
    """A DataTransfer with a file, as a drag or the clipboard holds it."""
    return page.evaluate_handle(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
            return data;
        }""",
        [path.name, list(path.read_bytes())],
    )


# The field


def test_a_comma_makes_a_chip(page, site):
    ready(page, site.url)
    typing(page, "red, gre")
    assert chips(page) == ["red"]
    assert page.input_value(FIELD) == "gre"
    expect(page).to_have_url(re.compile("text=red&q=gre$"))


def test_a_dash_means_less(page, site):
    ready(page, site.url)
    typing(page, "-blue", enter=True)
    assert asked(page) == [("not", "blue")]
    assert chips(page) == ["− blue"]


def test_backspace_takes_the_last_chip_back(page, site):
    ready(page, f"{site.url}?text=red^2&not=blue")
    page.locator(FIELD).press("Backspace")
    assert page.input_value(FIELD) == "-blue"
    assert chips(page) == ["red ×2"]
    typing(page, "")
    page.locator(FIELD).press("Backspace")
    assert page.input_value(FIELD) == "red^2"
    assert chips(page) == []


def test_a_chip_has_a_menu(page, site):
    ready(page, f"{site.url}?text=red")

    def choose(name):
        page.locator(CHIP).click()
        page.get_by_role("menu").get_by_text(name).click()

    choose("Stronger")
    assert asked(page) == [("text", "red^2")]
    choose("Weaker")
    choose("Weaker")
    assert asked(page) == [("text", "red^0.5")]
    choose("Less of this")
    assert asked(page) == [("not", "red^0.5")]
    choose("More of this")
    assert asked(page) == [("text", "red^0.5")]
    choose("Remove")
    assert asked(page) == []
    page.go_back()
    assert chips(page) == ["red ×0.5"]


def test_a_late_answer_never_replaces_a_newer_one(page, site):
    ready(page, site.url)

    def late(route):
        time.sleep(1.5)
        route.fallback()

    page.route(re.compile(r"/v1/search\?.*text=blue"), late)
    typing(page, "blue")
    page.wait_for_timeout(PAUSE)
    typing(page, "green")
    page.wait_for_timeout(2500)
    settled(page)
    assert names(page, 1)[0].startswith("green")


def test_drop_a_picture(page, site, tmp_path):
    ready(page, site.url)
    data = hold_files(page, picture_file(tmp_path))
    page.dispatch_event("#grid", "dragenter", {"dataTransfer": data})
    expect(page.locator("#veil")).to_be_visible()
    page.dispatch_event("#grid", "drop", {"dataTransfer": data})
    expect(page.locator(CHIP)).to_have_text("mine.png")
    expect(page.locator("#veil")).to_be_hidden()
    settled(page)
    assert names(page, 1)[0].startswith("green")
    assert asked(page)[0][0] == "upload"


def test_paste_a_picture(page, site, tmp_path):
    ready(page, site.url)
    data = hold_files(page, picture_file(tmp_path, (220, 30, 30)))
    page.evaluate(
        "data => document.querySelector('#field input').dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))",
        data,
    )
    expect(page.locator(CHIP)).to_have_text("mine.png")
    settled(page)
    assert names(page, 1) == ["red.png"]


def test_pick_a_picture_and_reload(page, site, tmp_path):
    ready(page, site.url)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search with a picture").click()
    chooser.value.set_files(picture_file(tmp_path))
    expect(page.locator(CHIP)).to_have_count(1)
    page.reload()
    page.wait_for_selector(TILE)
    assert names(page, 1)[0].startswith("green")
    assert page.locator(f"{CHIP} img").evaluate("async e => (await e.decode(), e.naturalWidth)") > 0


def test_what_is_no_picture_is_refused_with_a_sentence(page, site, tmp_path):
    ready(page, site.url)
    path = tmp_path / "notes.png"
    path.write_text("no picture at all")
    page.set_input_files("#file", path)
    expect(page.locator("#toasts")).to_contain_text("notes.png")
    expect(page.locator(CHIP)).to_have_count(0)


def test_an_upload_that_is_gone_is_explained(page, site):
    page.goto(f"{site.url}?upload=00000000000000000000000000000000")
    expect(page.locator("#notice")).to_contain_text("gone")


# Results


def test_a_result_becomes_a_chip(page, site):
    ready(page, f"{site.url}?text=red")
    tile(page).hover()
    tile(page).get_by_label("Similar").click()
    assert chips(page) == ["red", "red.png"]
    settled(page)
    tile(page, 1).hover()
    tile(page, 1).get_by_label("Less like this").click()
    assert [name for name, _ in asked(page)] == ["text", "similar_to", "unlike"]


def test_a_result_is_dragged_into_the_field(page, site):
    ready(page, site.url)
    page.drag_and_drop(f"{TILE}[data-index='0'] .open", "#field")
    expect(page.locator(CHIP)).to_have_text("red.png")
    assert asked(page)[0][0] == "similar_to"


def test_weak_matches_stand_apart(page, site):
    ready(page, f"{site.url}?text=red")
    weak = page.eval_on_selector_all(
        TILE, "all => all.filter(t => t.firstElementChild.ariaLabel.includes('weaker')).length"
    )
    assert weak > 0
    line = page.locator(".divider")
    expect(line).to_have_text("Weaker matches")
    assert tile(page, 0).bounding_box()["y"] < line.bounding_box()["y"]
    assert tile(page, 20).bounding_box()["y"] > line.bounding_box()["y"]


def test_nothing_strong_is_said(page, site):
    ready(page, f"{site.url}?text=submarine")
    expect(page.locator("#notice")).to_have_text(
        "Nothing here really matches ‘submarine’. The nearest:"
    )
    expect(page.locator(".divider")).to_be_hidden()


def test_scores_and_names_on_demand(page, site):
    ready(page, f"{site.url}?text=red")
    assert tile(page).locator(".caption").inner_text() == ""
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Show scores").check()
    page.get_by_label("Show names").check()
    assert re.match(r"1 · 1\.000 · \d+\.\dσ\s+red\.png", tile(page).locator(".caption").inner_text())
    page.reload()
    expect(tile(page).locator(".caption")).to_contain_text("red.png")


def test_pictures_change_their_size(page, site):
    ready(page, site.url)
    before = tile(page).bounding_box()["height"]
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Size of pictures").fill("400")
    assert tile(page).bounding_box()["height"] > 1.5 * before


def test_boxes_stand_before_their_pictures(page, site):
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=green")
    page.wait_for_selector(TILE)
    boxes = "all => all.slice(0, 20).map(t => [t.dataset.index, t.style.transform, t.style.width, t.style.height])"
    without = page.eval_on_selector_all(TILE, boxes)
    page.unroute("**/v1/thumbnails/**")
    ready(page, f"{site.url}?text=green")
    settled(page)
    assert page.eval_on_selector_all(TILE, boxes) == without


# The address


def test_a_shared_link_says_all(page, site):
    address = f"{site.url}?text=blue^2&not=red&under=sea&ext=png"
    ready(page, address)
    assert chips(page) == ["blue ×2", "− red"]
    assert tile(page).get_attribute("aria-setsize") == "30"
    expect(page.get_by_role("button", name="Folder: sea")).to_be_visible()
    page.reload()
    page.wait_for_selector(TILE)
    assert chips(page) == ["blue ×2", "− red"]


def test_back_and_forward(page, site):
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


def test_a_shared_picture_opens(page, site):
    ready(page, site.url)
    open_picture(page, 3)
    name, address = shown_name(page), page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator("#viewer .name")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    assert asked(page) == []


# Filters


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


def test_months_beside_the_list(page, site):
    ready(page, site.url)
    months = page.get_by_role("navigation", name="Months").get_by_role("button")
    expect(months.nth(1)).to_be_visible()
    page.get_by_role("navigation", name="Months").get_by_label("September 2023").click()
    page.wait_for_timeout(PAUSE)
    assert page.evaluate("scrollY") > 0
    typing(page, "red", enter=True)
    expect(page.get_by_role("navigation", name="Months")).to_be_hidden()


# The open picture


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


# Keyboard, finger, eyes, ears


def test_keyboard_alone(page, site):
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
    page.keyboard.press("x")
    expect(page.locator("#selection")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+X")
    expect(page.locator("#selection")).to_contain_text("3 pictures selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("End")
    until(lambda: focused(page) == str(PICTURES - 1))
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).not_to_be_visible()
    page.keyboard.press("s")
    assert [name for name, _ in asked(page)] == ["text", "similar_to"]
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="More of this")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert [name for name, _ in asked(page)] == ["text", "unlike"]


def test_selected_pictures(page, site):
    ready(page, f"{site.url}?sort=name&under=sea")
    tile(page).hover()
    tile(page).get_by_label("Select").click()
    tile(page, 3).locator(".open").click(modifiers=["Shift"])
    expect(page.locator("#selection")).to_contain_text("4 pictures selected")
    page.get_by_role("button", name="Copy paths").click()
    expect(page.locator("#toasts")).to_contain_text("Copied 4 paths")
    paths = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert paths == [str(site.folder / f"sea/blue-0{number}.png") for number in range(4)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Contact sheet").click()
    sheet = download.value.path().read_text(encoding="utf-8")
    assert sheet.count("<img src=\"data:image/webp;base64,") == 4
    assert "sea/blue-03.png" in sheet
    assert "http" not in sheet
    page.get_by_role("button", name="More like these").click()
    assert [name for name, _ in asked(page) if name == "similar_to"] == ["similar_to"] * 4


def test_a_contact_sheet_runs_nothing(page, site):
    ready(page, f"{site.url}?text=yellow")
    tile(page).hover()
    tile(page).get_by_label("Select").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Contact sheet").click()
    page.goto("about:blank")
    page.set_content(download.value.path().read_text(encoding="utf-8"))
    assert page.locator("img").count() == 1
    assert page.title() == "yellow (1 picture)"


@pytest.fixture
def phone(browser, site):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True
    )
    yield context.new_page()
    context.close()


def test_a_phone(phone, site):
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
    phone.get_by_role("button", name="Facts").tap()
    expect(phone.locator("#viewer .facts")).to_be_visible()
    phone.get_by_role("button", name="Close").tap()
    expect(phone.locator("#viewer")).not_to_be_visible()
    sizes = phone.eval_on_selector_all(
        "#header button.icon", "all => all.map(b => Math.min(b.offsetWidth, b.offsetHeight))"
    )
    assert min(sizes) >= 34


def swipe(page, right):
    """A finger across the open picture."""
    page.evaluate(
        """right => {
            const stage = document.querySelector('#viewer .stage');
            stage.setPointerCapture = () => {};
            const send = (type, x) => stage.dispatchEvent(new PointerEvent(type,
                {pointerId: 7, pointerType: 'touch', clientX: x, clientY: 300, button: 0, bubbles: true}));
            send('pointerdown', 250); send('pointermove', 250 + right / 2);
            send('pointermove', 250 + right); send('pointerup', 250 + right);
        }""",
        right,
    )


def test_dark_by_wish_and_by_switch(page, site):
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["browse", "search", "filters", "settings", "viewer", "skipped"])
def test_nothing_serious_for_axe(page, site, scheme, place):
    page.emulate_media(color_scheme=scheme)
    ready(page, site.url if place == "browse" else f"{site.url}?text=red&not=blue")
    if place == "filters":
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("button", name="Date", exact=True).click()
        page.get_by_role("button", name=re.compile("November 2023")).wait_for()
    elif place == "settings":
        page.get_by_role("button", name="Settings").click()
    elif place == "viewer":
        open_picture(page)
        page.keyboard.press("i")
        page.locator("#viewer .strip a").first.wait_for()
    elif place == "skipped":
        page.get_by_role("button", name="1 skipped").click()
        page.get_by_text("broken.jpg").wait_for()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []


def test_who_hears_the_page(page, site):
    ready(page, f"{site.url}?text=red")
    first = page.locator("#grid").get_by_role("listitem").first
    assert first.get_by_role("link").get_attribute("aria-label") == "red.png, number 1"
    expect(page.locator("#heard")).to_have_text(f"{PICTURES} pictures")


def test_no_motion_where_none_is_wanted(page, site):
    ready(page, site.url)
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter(e => parseFloat(getComputedStyle(e).transitionDuration)).length"
    )
    assert moving == 0


def test_weight_over_the_wire(page, site):
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    kinds, sizes = {}, {}
    client.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    client.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    ready(page, site.url)
    page.wait_for_timeout(PAUSE)
    own = sum(size for id_, size in sizes.items() if kinds.get(id_) in {"Document", "Script", "Stylesheet"})
    assert 10_000 < own <= 100_000


def test_nothing_comes_from_elsewhere(page, site):
    elsewhere = []
    page.on(
        "request",
        lambda request: None if request.url.startswith(site.url) else elsewhere.append(request.url),
    )
    ready(page, f"{site.url}?text=red")
    open_picture(page)
    page.locator("#viewer .strip a").first.wait_for()
    assert elsewhere == []


# States of the server


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, built):
    """2,000 tiny pictures over six years."""
    folder = tmp_path_factory.mktemp("crowd") / "photos"
    for number in range(2000):
        colour = (number % 250, (number * 7) % 250, (number * 13) % 250)
        size = (30 + number % 40, 40)
        paint(folder / f"{number // 500}" / f"{number:04}.png", colour, size, day=number)
    built(folder)
    return folder


@pytest.fixture(scope="module")
def long_list(serve, crowd):
    with serve(crowd, "--no-index") as served:
        yield served


def test_scroll_to_the_end_of_2000(page, long_list):
    ready(page, long_list.url)
    seen, most = set(), 0
    for _ in range(400):
        page.mouse.move(600, 500)
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(60)
        page.wait_for_selector(TILE)
        indexes = page.eval_on_selector_all(TILE, "all => all.map(t => Number(t.dataset.index))")
        most = max(most, len(indexes))
        seen.update(indexes)
        if 1999 in seen:
            break
    assert seen == set(range(2000)), "pictures were passed over"
    assert most < 300
    assert names(page, 1) and tile(page, 1999).is_visible()


def test_a_place_in_the_middle_survives_back(page, long_list):
    ready(page, long_list.url)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    page.wait_for_timeout(2 * PAUSE)
    page.wait_for_selector(TILE)
    page.wait_for_timeout(2 * PAUSE)
    middle = "[...document.querySelectorAll('.tile')].filter(t => t.getBoundingClientRect().top > 100).map(t => Number(t.dataset.index)).sort((a, b) => a - b)[0]"
    before = page.evaluate(middle)
    assert before > 200
    typing(page, "red", enter=True)
    settled(page)
    assert page.evaluate("scrollY") == 0
    page.go_back()
    until(lambda: abs((page.evaluate(middle) or 0) - before) < 3)
    page.set_viewport_size({"width": 900, "height": 700})
    until(lambda: abs((page.evaluate(middle) or 0) - before) < 12)


def test_end_and_home(page, long_list):
    ready(page, long_list.url)
    tile(page).locator(".open").focus()
    page.keyboard.press("End")
    until(lambda: focused(page) == "1999")
    page.keyboard.press("Home")
    until(lambda: focused(page) == "0")


def test_first_start_shows_progress_and_what_is_found(page, serve, tmp_path):
    folder = tmp_path / "photos"
    for number in range(96):
        paint(folder / f"{number:03}.png", (number * 2, 0, 0), day=number)
    with serve(folder, COLOURS_SECONDS="1.5", MEMERY_BATCH_SIZE="16") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("Looking at your pictures")
        expect(page.locator("#notice")).to_contain_text(re.compile(r"\d+ of 96"))
        expect(page.locator("#status progress")).to_be_visible()
        page.wait_for_selector(TILE)
        assert page.locator("#status progress").count() == 1  # found while it goes on
        expect(page.locator("#status")).to_contain_text("96 images", timeout=60_000)
        expect(page.locator("#notice")).to_be_hidden()
        fresh = page.locator("#fresh")
        if fresh.is_visible():
            fresh.click()
        expect(tile(page)).to_have_attribute("aria-setsize", "96")


def test_the_button_finds_new_pictures(page, serve, tmp_path, built):
    folder = tmp_path / "photos"
    paint(folder / "red.png", (220, 30, 30))
    built(folder)
    with serve(folder, "--no-index") as served:
        ready(page, served.url)
        paint(folder / "green.png", (30, 160, 30))
        page.get_by_role("button", name="Update").click()
        expect(tile(page)).to_have_attribute("aria-setsize", "2")


def test_skipped_files_with_reasons(page, site):
    ready(page, site.url)
    page.get_by_role("button", name="1 skipped").click()
    expect(page.get_by_role("dialog", name="Skipped files")).to_contain_text("broken.jpg")


def test_an_empty_folder(page, serve, tmp_path):
    (tmp_path / "photos").mkdir()
    with serve(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("There are no pictures in this folder yet")
        expect(page.get_by_role("button", name="Look again")).to_be_visible()


def test_only_skipped_files(page, serve, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with serve(tmp_path / "photos") as served:
        page.goto(served.url)
        expect(page.locator("#notice")).to_contain_text("None of the 1 file here could be read")
        page.get_by_role("button", name="See why").click()
        expect(page.get_by_role("dialog")).to_contain_text("bad.jpg")


def test_a_token_is_asked_for(page, serve, site):
    with serve(site.folder, "--no-index", "--token", "s3cret-token-of-the-test") as served:
        page.goto(served.url)
        page.get_by_label(re.compile("asks for a token")).fill("wrong")
        page.get_by_role("button", name="Enter").click()
        page.goto(served.url)
        page.get_by_label(re.compile("asks for a token")).fill("s3cret-token-of-the-test")
        page.get_by_role("button", name="Enter").click()
        page.wait_for_selector(TILE)
        assert "token" not in page.url


def test_a_lost_server_comes_back(page, serve, site):
    with serve(site.folder, "--no-index") as served:
        ready(page, served.url)
        port = served.url.rstrip("/").rpartition(":")[2]
        served.stop()
        expect(page.locator("#notice")).to_contain_text("memery does not answer")
        assert page.locator(TILE).count() > 0
        typing(page, "red", enter=True)
        expect(page.locator("#notice")).to_contain_text("memery does not answer")
    with serve(site.folder, "--no-index", port=port):
        expect(page.locator("#notice")).to_be_hidden()
        settled(page)
        assert names(page, 1) == ["red.png"]


def test_a_slow_answer_is_told(page, site):
    ready(page, site.url)

    def slow(route):
        time.sleep(2.5)
        route.fallback()

    page.route(re.compile("/v1/search"), slow)
    typing(page, "red", enter=True)
    expect(page.locator("#status")).to_contain_text("Still looking")
    settled(page)
    expect(page.locator("#status")).not_to_contain_text("Still looking")


def test_an_error_says_what_to_do(page, site):
    ready(page, site.url)
    body = {"type": "about:blank", "title": "Too many", "status": 503, "detail": "The queue is full."}
    page.route(
        re.compile("/v1/search"),
        lambda route: route.fulfill(
            status=503, body=json.dumps(body), content_type="application/problem+json"
        ),
    )
    typing(page, "red", enter=True)
    expect(page.locator("#notice")).to_have_text(
        re.compile("The queue is full. Wait a moment and try again.")
    )
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    settled(page)
    expect(page.locator("#notice")).to_be_hidden()
