"""The search box: chips, their menu, uploaded images."""

import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from memery.gateway.rest.options import Limits
from page.conftest import PICTURES, until
from page.look import (
    CHIP,
    FIELD,
    TILE,
    asked,
    chips,
    focused,
    names,
    ready,
    settled,
    tile,
    typing,
)

MOST = Limits().terms
ROOT = Path(__file__).parents[2]


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


def test_keeps_commas_in_text(page, site):
    ready(page, site.url)
    typing(page, "Paris, France")
    expect(page).to_have_url(re.compile("[?]q=Paris%2C[+]France$"))
    assert chips(page) == []
    page.keyboard.press("Enter")
    assert chips(page) == ["Paris, France"]
    assert asked(page) == [("text", "Paris, France")]


def test_explains_empty_results(page, site):
    page.goto(f"{site.url}?under=nosuch")
    expect(page.locator("#notice")).to_contain_text("No indexed image is in the folder 'nosuch'.")
    page.goto(f"{site.url}?q=red&since=2024&until=2023")
    expect(page.locator("#notice p")).to_have_text(
        "since 2024-01-01 is after until 2023-12-31: no image can be in between."
        " Swap the two dates."
    )


def test_dash_makes_negative_term(page, site):
    ready(page, site.url)
    typing(page, "-blue", enter=True)
    assert asked(page) == [("not", "blue")]
    assert chips(page) == ["− blue"]


def test_backspace_edits_last_chip(page, site):
    ready(page, f"{site.url}?text=red^2&not=blue")
    page.locator(FIELD).press("Backspace")
    assert page.input_value(FIELD) == "-blue"
    assert chips(page) == ["red ×2"]
    typing(page, "")
    page.locator(FIELD).press("Backspace")
    assert page.input_value(FIELD) == "red^2"
    assert chips(page) == []


def test_chip_opens_menu(page, site):
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


def test_clears_search_box(page, site):
    ready(page, f"{site.url}?text=red&under=sea")
    page.get_by_role("button", name="Clear the search").click()
    assert asked(page) == [("under", "sea")]
    page.keyboard.type("blue")
    expect(page).to_have_url(re.compile("q=blue"))
    page.keyboard.press("Escape")
    assert page.input_value(FIELD) == ""


def test_ignores_late_response(page, site):
    ready(page, site.url)
    late = []
    page.route(
        re.compile(r"/v1/search\?.*text=blue"), lambda route: late.append((route, route.fetch()))
    )
    typing(page, "blue")
    until(lambda: (page.wait_for_timeout(50), late)[1])
    typing(page, "green")
    expect(page).to_have_url(re.compile("q=green$"))
    settled(page)
    assert names(page, 1)[0].startswith("green")
    for route, answer in late:
        route.fulfill(response=answer)
    page.wait_for_timeout(1000)  # the page shows it now, if it still waits for it
    assert names(page, 1)[0].startswith("green")


def test_searches_for_dropped_image(page, site, tmp_path):
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


def test_searches_for_pasted_image(page, site, tmp_path):
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


def test_keeps_picked_image_after_reload(page, site, tmp_path):
    ready(page, site.url)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search by image").click()
    chooser.value.set_files(picture_file(tmp_path))
    expect(page.locator(CHIP)).to_have_count(1)
    page.reload()
    page.wait_for_selector(TILE)
    assert names(page, 1)[0].startswith("green")
    assert page.locator(f"{CHIP} img").evaluate("async e => (await e.decode(), e.naturalWidth)") > 0


def test_explains_rejected_upload(page, site, tmp_path):
    ready(page, site.url)
    path = tmp_path / "notes.png"
    path.write_text("no picture at all")
    page.set_input_files("#file", path)
    expect(page.locator("#toasts")).to_contain_text("notes.png")
    expect(page.locator(CHIP)).to_have_count(0)


def test_explains_expired_upload(page, site):
    page.goto(f"{site.url}?upload=00000000000000000000000000000000")
    expect(page.locator("#notice")).to_contain_text("no longer available")


def many(site, count):
    """A link with so many terms."""
    return f"{site.url}?{'&'.join(f'text=red+{number}' for number in range(count))}"


def test_uses_upload_limit_of_server(page, site):
    ready(page, site.url)
    for count, status in ((MOST, 200), (MOST + 1, 422)):
        address = many(site, count).replace("?", "v1/search?")
        assert page.request.get(address).status == status


def test_rejects_more_images_than_query_may_have(page, site):
    ready(page, f"{site.url}?sort=name")
    tile(page).locator(".open").focus()
    page.keyboard.press("x")
    page.keyboard.press("End")
    until(lambda: focused(page) == str(PICTURES - 1))
    page.keyboard.press("Shift+X")
    expect(page.locator("#selection")).to_contain_text(f"{PICTURES} images selected")
    page.get_by_role("button", name="More like these").click()
    expect(page.locator("#toasts")).to_contain_text(f"A search takes {MOST} terms at most")
    expect(page.locator(CHIP)).to_have_count(MOST)
    settled(page)
    expect(page.locator("#notice")).to_be_hidden()
    assert [name for name, _ in asked(page)].count("similar_to") == MOST


def test_rejects_one_chip_too_many(page, site, tmp_path):
    ready(page, many(site, MOST))
    expect(page.locator(CHIP)).to_have_count(MOST)
    expect(page.locator("#toasts")).to_be_hidden()
    typing(page, "blue")
    expect(page.locator("#toasts")).to_contain_text(f"A search takes {MOST} terms at most")
    page.keyboard.press("Enter")
    expect(page.locator(CHIP)).to_have_count(MOST)
    assert page.input_value(FIELD) == "blue"  # nothing that was written is lost
    settled(page)
    expect(page.locator("#notice")).to_be_hidden()
    assert names(page, 1) == ["red.png"]
    page.locator(CHIP).first.press("Delete")
    page.locator(FIELD).press("Enter")
    assert chips(page)[-1] == "blue"
    page.set_input_files("#file", picture_file(tmp_path))
    expect(page.locator("#toasts p")).to_have_count(1)
    tile(page, 3).hover()
    tile(page, 3).get_by_label("Similar").click(modifiers=["Shift"])
    expect(page.locator(CHIP)).to_have_count(MOST)
    assert not [name for name, _ in asked(page) if name != "text"]


def test_explains_link_with_too_many_terms(page, site):
    ready(page, many(site, MOST + 8))
    expect(page.locator("#toasts")).to_contain_text(f"A search takes {MOST} terms at most")
    expect(page.locator(CHIP)).to_have_count(MOST)
    expect(page.locator("#notice")).to_be_hidden()


def test_many_chips_do_not_cover_images(phone, site):
    ready(phone, many(site, MOST))
    assert phone.locator("#header").bounding_box()["height"] < 300
    expect(phone.locator(FIELD)).to_be_in_viewport(ratio=0.9)
    expect(phone.locator(CHIP).last).to_be_in_viewport()
    phone.goto(many(site, MOST + 1))
    assert phone.locator("#toasts p").bounding_box()["width"] > 300
