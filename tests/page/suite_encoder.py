"""A remote model that becomes unreachable; stopping indexing; recognised text."""

import re

from playwright.sync_api import expect

from memery import Memery
from memery.stores.records import RecognizedText
from memery.types import Line
from page.conftest import paint
from page.look import TILE, names, open_picture, ready, settled, tile, typing
from support.servers.memery import serving as library_serving

WRITTEN = "<img src=x onerror=document.title='owned'> <script>document.title='owned'</script>"


def test_explains_unreachable_encoder(page, serve, built, tmp_path):
    folder = tmp_path / "photos"
    for day, colour in enumerate(((220, 30, 30), (30, 160, 30))):
        paint(folder / f"{day}.png", colour, day=day)
    environment = {"MEMERY_MODEL": "colours"}
    with library_serving(words=["--encoder-only"], environment=environment) as encoder:
        built(folder, encoder.url)
        with serve(folder, "--no-index", MEMERY_MODEL=encoder.url) as served:
            ready(page, served.url)
            typing(page, "green", enter=True)
            settled(page)
            assert names(page, 1) == ["1.png"]
            encoder.end()
            page.get_by_role("button", name="Clear the search").click()
            page.wait_for_selector(TILE)  # what needs no model is there
            typing(page, "something never asked before", enter=True)
            expect(page.locator("#notice")).to_contain_text(
                re.compile(r"encoder.*The page tries again in \d+ seconds?\."), timeout=30_000
            )
            expect(page.get_by_role("button", name="Try now")).to_be_visible()
            page.get_by_role("button", name="Clear the search").click()
            settled(page)
            tile(page).hover()
            tile(page).get_by_label("Similar").click()  # its embedding is known
            settled(page)
            expect(page.locator("#notice")).not_to_contain_text("encoder")


def test_stops_and_restarts_indexing(page, serve, tmp_path):
    folder = tmp_path / "photos"
    for number in range(64):
        paint(folder / f"{number:03}.png", (number * 3, 0, 0), day=number)
    with serve(folder, COLOURS_SECONDS="1", MEMERY_BATCH_SIZE="8") as served:
        page.goto(served.url)
        page.wait_for_selector(TILE)
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Update")).to_be_visible(timeout=30_000)
        expect(page.locator("#status progress")).to_have_count(0)
        (job,) = page.request.get(f"{served.url}v1/index").json()
        assert job["state"] == "cancelled"
        assert 0 < job["searchable"] < 64
        expect(page.locator("#status")).to_contain_text(f"{job['searchable']} images")
        page.get_by_role("button", name="Update").click()
        expect(page.locator("#status progress")).to_be_visible()
        expect(page.locator("#status")).to_contain_text("64 images", timeout=60_000)


def test_escapes_recognized_text(page, serve, built, tmp_path):
    folder = tmp_path / "photos"
    paint(folder / "red.png", (220, 30, 30))
    built(folder)
    with Memery(folder, model="colours") as memery:
        (hit,) = memery.recall("red")
        line = Line(WRITTEN, 1.0, (0.0, 0.0, 1.0, 1.0))
        with memery.store.writing() as writer:
            writer.commit_texts([RecognizedText(hit.image.digest, "test", (line,))])
    with serve(folder, "--no-index") as served:
        ready(page, f"{served.url}?text=red")
        assert WRITTEN in tile(page).locator(".open").get_attribute("aria-label")
        open_picture(page)
        page.keyboard.press("i")
        expect(page.locator("#viewer .facts .words")).to_have_text(WRITTEN)
        assert WRITTEN in page.locator("#viewer .picture img").get_attribute("alt")
        assert page.locator("#viewer .facts img, #viewer .facts script").count() == 0
        assert page.title() == "red.png · memery"
