"""Search results: as terms, weak ones, scores, sizes, a selection."""

import io
import re
import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect

from memery.archive import find_archive
from page.conftest import paint
from page.look import (
    CHIP,
    TILE,
    asked,
    chips,
    held,
    open_picture,
    ready,
    settled,
    tile,
)


def test_similar_starts_new_search(page, site):
    ready(page, f"{site.url}?text=red&ext=png")
    tile(page).hover()
    tile(page).get_by_label("Similar").click()
    assert chips(page) == ["red.png"]
    assert [name for name, _ in asked(page)] == ["ext", "similar_to"]
    settled(page)
    page.go_back()
    expect(page.locator(CHIP)).to_have_text(["red"])
    settled(page)
    tile(page).locator(".open").focus()
    page.keyboard.press("s")
    assert [name for name, _ in asked(page)] == ["ext", "similar_to"]


def test_similar_with_shift_adds_to_the_search(page, site):
    ready(page, f"{site.url}?text=red")
    tile(page).hover()
    tile(page).get_by_label("Similar").click(modifiers=["Shift"])
    assert chips(page) == ["red", "red.png"]
    settled(page)
    tile(page, 1).hover()
    tile(page, 1).get_by_label("Less like this").click()
    assert [name for name, _ in asked(page)] == ["text", "similar_to", "unlike"]
    settled(page)
    tile(page, 4).locator(".open").focus()
    page.keyboard.press("Shift+S")
    assert [name for name, _ in asked(page)] == ["text", "similar_to", "unlike", "similar_to"]
    settled(page)
    open_picture(page, 5)
    page.keyboard.press("Shift+S")
    expect(page.locator(CHIP)).to_have_count(5)


def test_good_matches_are_counted(page, site):
    ready(page, f"{site.url}?text=red")
    settled(page)
    strong = page.locator(f"{TILE} .open:not([aria-label*='weaker'])").count()
    words = f"{strong} good match{'' if strong == 1 else 'es'}"
    expect(page.locator("#status")).to_contain_text(f"{words} in 53 images")
    expect(page.locator("#heard")).to_have_text(f"{words} in 53 images")
    expect(page.locator("#status")).not_to_contain_text(re.compile(r"\bms\b"))
    page.goto(f"{site.url}?text=submarine")
    expect(page.locator("#status")).to_contain_text("no good matches in 53 images")
    page.goto(f"{site.url}?text=red&under=sea")
    expect(page.locator("#status")).to_contain_text("in 30 images")
    page.goto(f"{site.url}?under=sea")
    expect(page.locator("#status")).to_contain_text("30 images")


def test_dragged_result_becomes_term(page, site):
    ready(page, site.url)
    page.drag_and_drop(f"{TILE}[data-index='0'] .open", "#field")
    expect(page.locator(CHIP)).to_have_text("red.png")
    assert asked(page)[0][0] == "similar_to"


def test_separates_weak_matches(page, site):
    ready(page, f"{site.url}?text=red")
    weak = page.eval_on_selector_all(
        TILE, "all => all.filter(t => t.firstElementChild.ariaLabel.includes('weaker')).length"
    )
    assert weak > 0
    line = page.locator(".divider")
    expect(line).to_have_text("Weaker matches")
    assert tile(page, 0).bounding_box()["y"] < line.bounding_box()["y"]
    assert tile(page, 20).bounding_box()["y"] > line.bounding_box()["y"]


def test_shows_warnings(page, site):
    def warn(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"warnings": ["It cannot read <b>."]})

    page.route(re.compile(r"/v1/search\?"), warn)
    ready(page, f"{site.url}?text=submarine")
    expect(page.locator("#notice")).to_have_text("It cannot read <b>.")


def test_announces_only_weak_matches(page, site):
    ready(page, f"{site.url}?text=submarine")
    expect(page.locator("#notice")).to_have_text(
        "Nothing here really matches ‘submarine’. The nearest:"
    )
    expect(page.locator(".divider")).to_be_hidden()


def test_shows_scores_and_names_on_demand(page, site):
    ready(page, f"{site.url}?text=red")
    assert tile(page).locator(".caption").inner_text() == ""
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Show scores").check()
    page.get_by_label("Show names").check()
    assert re.match(
        r"1 · 1\.000 · \d+\.\dσ\s+red\.png", tile(page).locator(".caption").inner_text()
    )
    page.reload()
    expect(tile(page).locator(".caption")).to_contain_text("red.png")


def test_resizes_images(page, site):
    ready(page, site.url)
    before = tile(page).bounding_box()["height"]
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Image size").fill("400")
    assert tile(page).bounding_box()["height"] > 1.5 * before


def test_boxes_have_colours_before_images_load(page, site):
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=red")
    expect(tile(page)).to_have_css("background-color", "rgb(220, 30, 30)")


@pytest.fixture(scope="module")
def twice(serve, tmp_path_factory, built):
    """A red image at three places, a blue one at two, and 120 others."""
    folder = tmp_path_factory.mktemp("twice") / "photos"
    for number in range(120):
        paint(folder / "sea" / f"{number:03}.png", (0, number, 130 + number), day=5 + number)
    paint(folder / "red.png", (220, 30, 30), day=0)
    paint(folder / "blue.png", (0, 0, 250), day=1)
    for name, place in (("red", "a/red"), ("red", "b/same"), ("blue", "b/blue")):
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy2(folder / f"{name}.png", folder / f"{place}.png")
    built(folder)
    with serve(folder, "--no-index") as served:
        served.folder = folder
        yield served


def test_exact_copies_are_one_tile(page, twice):
    ready(page, twice.url)
    expect(tile(page)).to_have_attribute("aria-setsize", "122")
    expect(tile(page).locator(".copies")).to_have_text("×3")
    expect(tile(page, 1).locator(".copies")).to_have_text("×2")
    expect(tile(page, 2).locator(".copies")).to_have_count(0)
    assert tile(page).locator(".open").get_attribute("aria-label") == "red.png, 3 copies"
    page.goto(f"{twice.url}?text=red")
    expect(page.locator("#status")).to_contain_text("1 good match in 122 images")
    expect(tile(page).locator(".copies")).to_have_text("×3")
    label = tile(page).locator(".open").get_attribute("aria-label")
    assert label == "red.png, number 1, 3 copies"
    open_picture(page)
    page.keyboard.press("i")
    facts = page.locator("#viewer .facts")
    expect(facts).to_contain_text("Exact copies")
    expect(facts.locator(".copies button")).to_have_count(2)
    paths = facts.locator("button.path").all_inner_texts()
    assert sorted(paths) == ["a/red.png", "b/same.png", "red.png"]
    facts.get_by_role("button", name="b/same.png").click()
    assert page.evaluate("navigator.clipboard.readText()") == str(twice.folder / "b/same.png")


def test_does_not_count_copies_as_new_images(page, twice):
    ready(page, twice.url)
    expect(page.locator("#status")).to_contain_text("125 images")
    paint(twice.folder / "green.png", (30, 160, 30), day=400)
    page.get_by_role("button", name="Update").click()
    page.get_by_role("button", name="Show 1 new image").click()
    expect(tile(page)).to_have_attribute("aria-setsize", "123")
    expect(page.locator("#fresh")).to_be_hidden()


def test_requests_short_list_with_copies_once(page, serve, built, tmp_path):
    paint(tmp_path / "red.png", (220, 30, 30))
    paint(tmp_path / "blue.png", (0, 0, 250), day=1)
    shutil.copy2(tmp_path / "red.png", tmp_path / "same.png")
    built(tmp_path)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    with serve(tmp_path, "--no-index") as served:
        with held(page, re.compile(r"/v1/(status|collections|index)")):
            ready(page, served.url)
        expect(page.locator("#status")).to_contain_text("3 images")
        page.get_by_role("link", name="red.png, 2 copies").focus()
        page.keyboard.press("s")  # another request: one that came before it is seen by now
        settled(page)
    assert len([url for url in requests if "/v1/images?" in url]) == 1


@pytest.mark.parametrize("screen", ["page", "phone"])
def test_grid_uses_thumbnails_made_while_indexing(request, serve, built, tmp_path, screen):
    for number in range(12):
        paint(tmp_path / f"{number:02}.png", (0, 10 * number, 130), (600 + 25 * number, 600))
    built(tmp_path)
    archive = find_archive(tmp_path)
    before = sorted(place.name for place in archive.kept_thumbnails())
    page = request.getfixturevalue(screen)
    with serve(tmp_path, "--no-index") as served:
        ready(page, served.url)
        expect(page.locator(f"{TILE} img.shown")).to_have_count(12)
    assert len(before) == 12
    assert sorted(place.name for place in archive.kept_thumbnails()) == before


def edge(page, locator):
    """Lightness of the ground, of the edge and of the inside of an image, 0 to 255."""
    box = locator.bounding_box()
    y = box["y"] + box["height"] / 2
    clip = {"x": box["x"] - 2, "y": y, "width": 6, "height": 1}
    shot = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L")
    return [shot.getpixel((x, 0)) for x in (0, 2, 5)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_image_in_page_colour_has_visible_edge(page, serve, built, tmp_path, scheme):
    grounds = {"light": (251, 251, 250), "dark": (21, 22, 24)}
    for number, colour in enumerate([(255, 255, 255), (0, 0, 0), *grounds.values()]):
        paint(tmp_path / "photos" / f"{number}.png", colour, (300, 200), number)
    built(tmp_path / "photos")
    page.emulate_media(color_scheme=scheme)
    with serve(tmp_path / "photos", "--no-index") as served:
        ready(page, served.url)
        page.locator(f"{TILE} img.shown").nth(3).wait_for()
        page.mouse.move(1, 700)
        for number in range(4):
            ground, line, _ = edge(page, tile(page, number))
            assert abs(ground - line) >= 20, (scheme, number, ground, line)


def test_boxes_appear_before_images_load(page, site):
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=green")
    page.wait_for_selector(TILE)
    boxes = "all => all.slice(0, 20).map(t => [t.dataset.index, t.style.cssText])"
    without = page.eval_on_selector_all(TILE, boxes)
    page.unroute("**/v1/thumbnails/**")
    ready(page, f"{site.url}?text=green")
    settled(page)
    assert page.eval_on_selector_all(TILE, boxes) == without
