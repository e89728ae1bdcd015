"""What a search shows: results as terms, weak ones, scores, sizes, a selection."""

import re

from playwright.sync_api import expect

from page.look import (
    CHIP,
    TILE,
    asked,
    chips,
    ready,
    settled,
    tile,
)


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
    assert re.match(
        r"1 · 1\.000 · \d+\.\dσ\s+red\.png", tile(page).locator(".caption").inner_text()
    )
    page.reload()
    expect(tile(page).locator(".caption")).to_contain_text("red.png")


def test_pictures_change_their_size(page, site):
    ready(page, site.url)
    before = tile(page).bounding_box()["height"]
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Size of pictures").fill("400")
    assert tile(page).bounding_box()["height"] > 1.5 * before


def test_boxes_have_their_colours_before_their_pictures(page, site):
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=red")
    expect(tile(page)).to_have_css("background-color", "rgb(220, 30, 30)")


def test_rows_are_as_wide_as_the_page(page, site):
    ready(page, site.url)
    rows = page.evaluate(
        """async () => {
            const {justified} = await import('./page/layout.js');
            const found = [];
            for (let count = 1; count <= 100; count += 1) {
                const ratios = Array.from({length: count}, (_, i) => 0.4 + (i * 79) % 280 / 100);
                const {boxes} = justified(ratios, {width: 1000, height: 200, gap: 4, loose: false});
                const rows = new Map();
                for (const box of boxes) rows.set(box.row, [...(rows.get(box.row) ?? []), box]);
                for (const row of rows.values()) found.push({
                    count,
                    right: row.at(-1).x + row.at(-1).width,
                    height: row[0].height,
                    gaps: row.slice(1).every((box, i) => box.x === row[i].x + row[i].width + 4),
                });
            }
            return found;
        }"""
    )
    assert all(row["gaps"] for row in rows)
    many = [row for row in rows if row["count"] > 10]
    assert {row["right"] for row in many} == {1000}
    assert all(120 < row["height"] < 340 for row in many)


def test_boxes_stand_before_their_pictures(page, site):
    page.route("**/v1/thumbnails/**", lambda route: route.abort())
    page.goto(f"{site.url}?text=green")
    page.wait_for_selector(TILE)
    boxes = "all => all.slice(0, 20).map(t => [t.dataset.index, t.style.cssText])"
    without = page.eval_on_selector_all(TILE, boxes)
    page.unroute("**/v1/thumbnails/**")
    ready(page, f"{site.url}?text=green")
    settled(page)
    assert page.eval_on_selector_all(TILE, boxes) == without
