"""A real browser, the real `memery serve`, and folders of pictures for them."""

import importlib.util
import os
import shutil
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from browser import FLAGS, NoBrowserError, browser_environment, find_browser
from support import images
from support.commands import run_command
from support.servers import memery

NASTY = "<img src=x onerror=document.title='owned'>"
"""A name that would run if it were put in as markup. A name holds no slash."""
FIRST_DAY = images.MODIFIED  # 14 November 2023
DAY = 86_400
SECONDS = 30
expect.set_options(timeout=SECONDS * 1000)  # as everything else waits; by default 5 seconds


@pytest.fixture(scope="session")
def base_url():
    """Each server says its own address; the plug-in's way is deprecated by pytest."""
    return


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type, browser_type_launch_args, tmp_path_factory):
    try:
        path = find_browser(browser_type.executable_path)
    except NoBrowserError as error:
        pytest.fail(str(error), pytrace=False)
    return {
        **browser_type_launch_args,
        "executable_path": path,
        "args": FLAGS,
        "env": browser_environment(os.fspath(tmp_path_factory.mktemp("browser"))),
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {
        **browser_context_args,
        "viewport": {"width": 1280, "height": 800},
        "reduced_motion": "reduce",
        "permissions": ["clipboard-read", "clipboard-write"],
    }


@dataclass
class Served:
    """A running `memery serve`: its address, what it printed, and how to stop it."""

    url: str
    lines: list
    stop: Callable


@contextmanager
def serving(*words, port=0, **environment):
    """Run the real command with the colour model until the block ends; see `servers.memery`."""
    unset = dict.fromkeys((name for name in os.environ if name.startswith("MEMERY_")), "")
    settings = unset | {"MEMERY_MODEL": "colours", "MEMERY_CONFIG": os.devnull} | environment
    arguments = (*map(str, words), "--port", str(port))
    with memery.serving(words=arguments, environment=settings) as server:
        yield Served(server.link.partition("?")[0].rstrip("/") + "/", server.lines, server.end)


@pytest.fixture(scope="session")
def serve():
    return serving


def photographs(folder, names):
    """Photographs of the scikit-image wheel, whose terms allow everything."""
    spec = importlib.util.find_spec("skimage")
    data = Path(spec.submodule_search_locations[0]) / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(data / name, folder)


def paint(path, colour, size=(60, 40), day=0):
    images.paint(path, colour, size, modified=FIRST_DAY - day * DAY)


def palette(folder):
    """Pictures over four months, in three folders; one red, one with a nasty name."""
    paint(folder / "red.png", (220, 30, 30), day=0)
    for number in range(30):
        shade = 130 + 3 * number
        paint(
            folder / "sea" / f"blue-{number:02}.png", (0, 0, shade), (60 + number, 40), day=number
        )
    for number in range(20):
        shade = 100 + 3 * number
        paint(
            folder / "wood" / f"green-{number:02}.jpg", (30, shade, 30), (40, 60), day=60 + number
        )
    paint(folder / f"{NASTY}.png", (240, 220, 40), day=1)
    notes = PngInfo()
    notes.add_text("Description", NASTY)
    Image.new("RGB", (50, 50), (130, 40, 160)).save(folder / "purple.png", pnginfo=notes)
    os.utime(folder / "purple.png", (FIRST_DAY - 2 * DAY,) * 2)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    return folder


PICTURES = 53
"""In `palette`, without the broken one."""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """One server for the tests that only look; its pictures are indexed before they begin."""
    folder = palette(tmp_path_factory.mktemp("site") / "photos")
    build(folder)
    with serving(folder, "--no-index") as served:
        served.folder = folder
        yield served


def build(folder, model="colours"):
    environment = {**os.environ, "MEMERY_MODEL": model, "MEMERY_CONFIG": os.devnull}
    run_command("build", folder, "-q", env=environment)


@pytest.fixture(scope="session")
def built():
    return build


@contextmanager
def watched(context):
    """A context whose pages have what they must never have reported: errors, the policy's noes."""
    faults = []
    context.on("weberror", lambda one: faults.append(f"error: {one.error}"))
    context.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security" in said.text else None,
    )
    context.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error("
        "'Content Security: ' + e.violatedDirective + ' ' + e.blockedURI))"
    )
    context.set_default_timeout(SECONDS * 1000)
    yield context
    assert faults == []


@pytest.fixture
def context(context):
    with watched(context):
        yield context


@pytest.fixture
def phone(browser):
    context = browser.new_context(
        viewport={"width": 390, "height": 780},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    with watched(context):
        yield context.new_page()
    context.close()


def until(true, what="what was waited for", seconds=SECONDS):
    """Wait for what the page's policy lets no script inside it wait for."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)
