"""Zoom in the viewer: wheel, double click, drag, and two fingers."""

import re

import pytest
from playwright.sync_api import expect

from page.conftest import paint, until
from page.look import open_picture, ready, shown_name

PICTURE = "#viewer .picture img"
MIDDLE = (500, 350)


@pytest.fixture(scope="module")
def large(serve, tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("large") / "photos"
    for day, name in enumerate(("first", "second", "third")):
        paint(folder / f"{name}.png", (30 + 60 * day, 90, 90), (2400, 1800), day=day)
    built(folder)
    with serve(folder, "--no-index") as served:
        yield served


def state(page):
    """Scale and shift of the picture."""
    numbers = page.eval_on_selector(PICTURE, "e => getComputedStyle(e).transform")
    found = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
    return (found[0], found[4], found[5]) if found else (1, 0, 0)


def under(page, x, y):
    """What part of the picture is at a place of the window, as fractions of its size."""
    box = page.locator(PICTURE).bounding_box()
    return (x - box["x"]) / box["width"], (y - box["y"]) / box["height"]


def opened(page, large):
    ready(page, large.url)
    open_picture(page)
    expect(page.locator(PICTURE)).to_be_visible()


def test_wheel_zooms_about_pointer(page, large):
    opened(page, large)
    page.mouse.move(*MIDDLE)
    before = under(page, *MIDDLE)
    page.mouse.wheel(0, -500)
    until(lambda: state(page)[0] > 2)
    assert under(page, *MIDDLE) == pytest.approx(before, abs=0.01)
    page.mouse.wheel(0, 2000)
    until(lambda: state(page) == (1, 0, 0))


def test_double_click_zooms_about_pointer_and_back(page, large):
    opened(page, large)
    before = under(page, *MIDDLE)
    page.mouse.dblclick(*MIDDLE)
    until(lambda: state(page)[0] >= 2)
    assert under(page, *MIDDLE) == pytest.approx(before, abs=0.01)
    page.mouse.dblclick(*MIDDLE)
    until(lambda: state(page) == (1, 0, 0))


def test_drag_moves_zoomed_image_up_to_its_edge(page, large):
    opened(page, large)
    name = shown_name(page)
    page.keyboard.press("z")
    scale, x, y = state(page)

    def drag(right, down):
        page.mouse.move(600, 350)
        page.mouse.down()
        page.mouse.move(600 + right / 2, 350 + down / 2)
        page.mouse.move(600 + right, 350 + down)
        page.mouse.up()

    drag(-120, 80)
    assert state(page) == pytest.approx((scale, x - 120, y + 80), abs=1)
    for _ in range(6):
        drag(500, 0)
    left = page.locator(PICTURE).bounding_box()["x"]
    assert left == pytest.approx(page.locator("#viewer .stage").bounding_box()["x"], abs=1)
    assert shown_name(page) == name  # it is no swipe


def fingers(session, kind, *points):
    places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def test_pinch_zooms_and_one_finger_moves(phone, large):
    opened(phone, large)
    session = phone.context.new_cdp_session(phone)
    before = under(phone, 195, 380)
    name = shown_name(phone)
    fingers(session, "touchStart", (175, 380))
    fingers(session, "touchStart", (175, 380), (215, 380))
    for spread in range(30, 110, 10):
        fingers(session, "touchMove", (195 - spread, 380), (195 + spread, 380))
    fingers(session, "touchEnd", (95, 380))
    fingers(session, "touchEnd")
    scale, x, y = state(phone)
    assert scale == pytest.approx(5, rel=0.05)  # 200 px apart, from 40
    assert under(phone, 195, 380) == pytest.approx(before, abs=0.02)
    fingers(session, "touchStart", (200, 380))
    for right in range(-10, -90, -10):
        fingers(session, "touchMove", (200 + right, 380))
    fingers(session, "touchEnd")
    assert state(phone) == pytest.approx((scale, x - 80, y), abs=2)
    assert shown_name(phone) == name
    assert phone.evaluate("visualViewport.scale") == 1  # the page itself is not zoomed


def test_swipe_shows_next_image(phone, large):
    opened(phone, large)
    session = phone.context.new_cdp_session(phone)
    name = shown_name(phone)
    fingers(session, "touchStart", (300, 380))
    for left in range(10, 210, 20):
        fingers(session, "touchMove", (300 - left, 380))
    fingers(session, "touchEnd")
    expect(phone.locator("#viewer .name")).not_to_have_text(name)
