"""The page in a real browser: seconds until it shows images, and bytes transferred."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.gateway import served
from benchmarks.measure import memery, say

ROUNDS = 7
_NO_NAMES = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Host resolution of the browser: none, so that it does not contact its vendor."""
_SHOWN = ".tile img.shown"
_OWN = frozenset(["Document", "Script", "Stylesheet"])


def visit(browser: Browser, address: str) -> tuple[float, float, int]:
    """Seconds to the first image, from the first key to the results of a search, and bytes."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, int] = {}
    client.on("Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["type"]}))
    client.on(
        "Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]})
    )
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(_SHOWN)
    first = time.perf_counter() - began
    page.keyboard.press("/")  # focuses the search box
    began = time.perf_counter()
    with page.expect_response(lambda answer: "/v1/search" in answer.url):
        page.keyboard.type("cat")
    page.wait_for_selector(_SHOWN)
    found = time.perf_counter() - began
    own = sum(size for id_, size in sizes.items() if kinds.get(id_) in _OWN)
    context.close()
    return first, found, own


def main() -> None:
    """Measure on a folder of images."""
    parser = argparse.ArgumentParser(description="measure memery's page")
    parser.add_argument("photos", type=Path, help="a folder of images; it is copied")
    parser.add_argument("--browser", required=True, help="path of the browser")
    arguments = parser.parse_args()
    os.environ["MEMERY_READ_TEXT"] = "0"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        shutil.copytree(arguments.photos, folder, ignore=shutil.ignore_patterns(".memery"))
        subprocess.run([*memery(), "build", folder, "-q"], check=True)
        with served(str(folder), "--no-index") as (port, _), sync_playwright() as play:
            browser = play.chromium.launch(
                executable_path=arguments.browser,
                args=["--no-sandbox", "--disable-gpu", f"--host-resolver-rules={_NO_NAMES}"],
            )
            rounds = [visit(browser, f"http://127.0.0.1:{port}/") for _ in range(ROUNDS)]
            browser.close()
    first, found, own = (list(values) for values in zip(*rounds, strict=True))
    say(
        "the page",
        first_picture_s=[round(min(first), 2), round(statistics.median(first), 2)],
        first_key_to_results_s=[round(min(found), 2), round(statistics.median(found), 2)],
        own_kilobytes=round(max(own) / 1000, 1),
    )


if __name__ == "__main__":
    main()
