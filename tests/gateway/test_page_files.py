"""The page's own files: one list of modules, addresses that may be kept."""

import re
from importlib import resources

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from memery.gateway.rest import page
from memery.gateway.rest.problems import Problem

CLASSIC = {"theme.js"}
"""Scripts that are no modules: they run before anything is painted."""


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(page.router)
    return TestClient(app)


def addresses(html):
    return re.findall(r'(?:src|href)="(page/[^"]+)"', html)


def test_every_module_is_preloaded_once(client):
    html = client.get("/").text
    preloaded = re.findall(r'<link rel="modulepreload" href="page/\w+/([^"]+)"', html)
    folder = resources.files("memery.gateway") / "page"
    files = {file.name for file in folder.iterdir() if file.name.endswith(".js")}
    assert set(preloaded) == files - CLASSIC
    assert len(preloaded) == len(set(preloaded))


def test_a_module_comes_after_what_it_imports():
    order = page.modules()
    imports = re.compile(r'"\./([^"]+)";')
    folder = resources.files("memery.gateway") / "page"
    for name in order:
        for imported in imports.findall((folder / name).read_text()):
            assert order.index(imported) < order.index(name)
    assert order.index("first.js") < 8  # the first request waits for few modules


def test_files_of_this_version_are_kept_for_ever(client):
    answer = client.get("/")
    assert answer.headers["Cache-Control"] == "no-cache"
    found = addresses(answer.text)
    assert len(found) > 40
    for address in found:
        assert address.startswith(f"page/{page.version()}/")
        part = client.get(f"/{address}")
        assert part.status_code == 200
        assert part.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_files_of_another_version_are_asked_for_again(client):
    old = client.get("/page/0123456789abcdef/main.js")
    assert old.status_code == 200
    assert old.headers["Cache-Control"] == "no-cache"
    plain = client.get("/page/main.js")
    assert plain.headers["Cache-Control"] == "no-cache"
    assert plain.content == old.content
    again = client.get("/page/main.js", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["nothing.js", "x/nothing.js", "__init__.py"])
def test_rejects_other_names(client, path):
    with pytest.raises(Problem, match="no such part"):
        client.get(f"/page/{path}")
