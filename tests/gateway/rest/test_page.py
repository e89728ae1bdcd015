"""The page's files: the list of modules to preload, and URLs that browsers can cache."""

import posixpath
import re
from importlib import resources
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from memery.gateway.rest.routes import page
from memery.gateway.rest.schemas.problems import Problem

CLASSIC = {"theme.js"}
"""Scripts that are not modules: they run before anything is painted."""
WEB = Path(str(resources.files("memery.gateway") / "web"))


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(page.router)
    return TestClient(app)


def urls(html):
    return re.findall(r'(?:src|href)="(page/[^"]+)"', html)


def test_preloads_every_module_once(client):
    html = client.get("/").text
    preloaded = re.findall(r'<link rel="modulepreload" href="page/\w+/([^"]+)"', html)
    files = {file.relative_to(WEB).as_posix() for file in WEB.rglob("*.js")}
    assert set(preloaded) == files - CLASSIC
    assert len(preloaded) == len(set(preloaded))


def test_lists_a_module_after_its_imports():
    order = page.modules()
    imports = re.compile(r'^import\b[^;]*"(\.[^"]+)";', re.MULTILINE)
    for name in order:
        for target in imports.findall((WEB / name).read_text()):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            assert order.index(imported) < order.index(name)
    assert order.index("search/first-request.js") < 8  # the first request waits for few modules


def test_files_of_this_version_are_immutable(client):
    answer = client.get("/")
    assert answer.headers["Cache-Control"] == "no-cache"
    found = urls(answer.text)
    assert len(found) > 40
    for url in found:
        assert url.startswith(f"page/{page.version()}/")
        part = client.get(f"/{url}")
        assert part.status_code == 200
        assert part.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_serves_modules_without_documentation_comments(client):
    source = (WEB / "state" / "url-state.js").read_bytes()
    served = client.get(f"/page/{page.version()}/state/url-state.js").content
    code = [line for line in source.splitlines() if not re.match(rb"\s*(/\*\*| \*)", line)]
    assert len(code) < len(source.splitlines())
    assert served.splitlines() == code


def test_files_of_another_version_are_revalidated(client):
    old = client.get("/page/0123456789abcdef/state/terms.js")
    assert old.status_code == 200
    assert old.headers["Cache-Control"] == "no-cache"
    again = client.get(
        "/page/0123456789abcdef/state/terms.js", headers={"If-None-Match": old.headers["ETag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["nothing.js", "x/nothing.js", "__init__.py", "state/../main.js", "state", "types.d.ts"]
)
def test_rejects_other_paths(client, path):
    with pytest.raises(Problem, match="no such file"):
        client.get(f"/page/{page.version()}/{path}".replace("..", "%2e%2e"))


def test_declares_only_fields_that_the_openapi_document_has(server):
    """Each interface `XDocument` of types.d.ts describes an answer of the server."""
    schemas = server.get("/v1/openapi.json").json()["components"]["schemas"]
    declared = re.findall(
        r"^export interface (\w+Document)(?: extends \w+)? \{\n(.*?)^\}",
        (WEB / "types.d.ts").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert len(declared) > 10
    for name, body in declared:
        fields = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
        assert fields <= schemas[name]["properties"].keys(), name
