"""Helpers that find what people see and hear on the page."""

import re
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

FIELD = "#field input[type=text]"
CHIP = ".chip"
TILE = ".tile"


def ready(page, url):
    """Open a URL and wait for the first images."""
    page.goto(url)
    page.wait_for_selector(f"{TILE} img.shown")


def typing(page, words, *, enter=False):
    page.fill(FIELD, "")
    page.locator(FIELD).press_sequentially(words)
    if enter:
        page.keyboard.press("Enter")


@contextmanager
def held(page, paths):
    """Hold back these requests until the block ends; gives those that came."""
    routes, is_held = [], True
    page.route(paths, lambda route: routes.append(route) if is_held else route.continue_())
    yield routes
    is_held = False
    for route in routes:
        route.continue_()


def settled(page):
    """Wait until the results of the last search are shown."""
    page.wait_for_selector("#grid[aria-busy=false]")


def drawn(page):
    """Wait until the page has heard of a scroll and has drawn what follows from it."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def chips(page):
    return [re.sub(r"\s+", " ", text).strip() for text in page.locator(CHIP).all_inner_texts()]


def names(page, count=5):
    """File names of the first images, from their accessible names."""
    page.wait_for_selector(TILE)
    tiles = page.eval_on_selector_all(
        TILE,
        "all => all.map(t => [Number(t.dataset.index), t.firstElementChild.ariaLabel])",
    )
    return [label.split(", ")[0] for _, label in sorted(tiles)[:count]]


def asked(page):
    """The parameters of the page's address, in their order."""
    return parse_qsl(urlsplit(page.url).query)


def tile(page, index=0):
    return page.locator(f"{TILE}[data-index='{index}']")


def open_picture(page, index=0):
    tile(page, index).locator(".open").click()
    page.wait_for_selector("#viewer[open]")


def shown_name(page):
    return page.locator("#viewer .name").inner_text()


def focused(page):
    """The index of the picture that has the focus."""
    return page.evaluate("document.activeElement.closest('.tile')?.dataset.index ?? null")
