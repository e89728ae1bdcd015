"""Folders of colours, and servers over them that the tests of a module share."""

import os

import pytest

from support.images import paint
from support.servers.memery import serving

COLOURS = ("red", "green", "blue", "yellow", "purple")
ODD = b"odd\xff-\r\nname.png"


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory):
    place = tmp_path_factory.mktemp("environment")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMERY_MODEL", "colours")
        patch.setenv("MEMERY_CONFIG", str(place / "no-config.toml"))
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setenv("MEMERY_READ_TEXT", "0")
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten pictures, of which one has a name that is not UTF-8, and what is none."""
    folder = tmp_path_factory.mktemp("served") / "photos"
    (folder / "trip").mkdir(parents=True)
    for name in COLOURS:
        paint(folder / f"{name}.png", name)
    paint(folder / "trip" / "sea.jpg", (30, 60, 220), (60, 20))
    paint(folder / "trip" / "grass.png", (30, 160, 30), (20, 60))
    paint(folder / "trip" / "copy.png", "red")
    paint(os.fsencode(folder) + b"/" + ODD, "orange")
    paint(folder / "<img src=x onerror=alert(1)>.png", "brown")
    (folder / "broken.png").write_bytes(b"<svg onload='alert(1)'></svg>")
    return folder


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "more"
    folder.mkdir()
    for name in ("pink", "cyan", "blue"):
        paint(folder / f"{name}.png", name, (80, 80))
    return folder


@pytest.fixture(scope="module")
def server(photos):
    with serving(photos) as server:
        server.wait_until_indexed()
        yield server


@pytest.fixture(scope="module")
def both(photos, more):
    with serving(photos, more) as server:
        server.wait_until_indexed()
        yield server
