"""The page below the path prefix of a proxy."""

import pytest
from playwright.sync_api import expect

from page.look import names, open_picture, ready, shown_name
from support.servers.proxy import proxying

TOKEN = "a-token-of-32-letters-or-so-1234"
PREFIX = "/photos"


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
def test_works_below_path_prefix(page, serve, site, strips):
    words = ("--root-path", PREFIX, "--token", TOKEN, "--forwarded-allow", "127.0.0.1")
    with serve(site.folder, "--no-index", *words) as served:
        target = served.url.removesuffix(f"{PREFIX}/")
        with proxying(target, PREFIX, strips=strips) as front:
            page.goto(f"{front}/?token={TOKEN}&text=red")
            expect(page).to_have_url(f"{front}/?text=red")
            ready(page, f"{front}/?text=red")
            assert names(page, 1) == ["red.png"]
            shown = page.locator("#grid img").first
            expect(shown).to_have_js_property("complete", True)
            assert shown.evaluate("image => image.naturalWidth") > 0
            open_picture(page)
            assert shown_name(page) == "red.png"
            page.reload()
            expect(page.locator("#viewer .name")).to_have_text("red.png")
            page.keyboard.press("Escape")
            expect(page.locator("#status")).to_contain_text("53 images")
