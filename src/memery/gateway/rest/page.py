"""The page: static files of the package, named one by one."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from memery.gateway.rest.problems import Problem

router = APIRouter(include_in_schema=False)
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_INDEX, _FIRST = "index.html", "first.js"
_LATER = ' fetchpriority="low"'
_PRELOADS = "<!-- modulepreload -->"
"""Where index.html lists the modules that the browser is to fetch at once."""
_ENTRY = re.compile(r'<script type="module"[^>]* src="page/([^"]+)"')
_IMPORT = re.compile(r'^import\b[^;]*"\./([^"]+)";', re.MULTILINE)
_ALWAYS_ASK = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, bytes]:
    """What may be asked for, by name: a path from outside is only ever looked up here.

    The files are read once, so that an upgrade under a running server does not mix two versions.
    """
    folder = resources.files("memery.gateway") / "page"
    if not folder.is_dir():
        return {}
    return {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.is_file() and file.name.rpartition(".")[2] in _MEDIA_TYPES
    }


@cache
def version() -> str:
    """A name for the files as they are: it is part of their addresses, so that they may be kept."""
    digest = hashlib.sha256()
    for name, content in _files().items():
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


@cache
def modules() -> tuple[str, ...]:
    """The page's modules in the order in which they run, found by what each one imports."""
    found: dict[str, None] = {}

    def follow(name: str, path: tuple[str, ...]) -> None:
        for imported in _IMPORT.findall(_files()[name].decode()):
            if imported not in found and imported not in path:
                follow(imported, (*path, name))
        found[name] = None

    for entry in _ENTRY.findall(_files()[_INDEX].decode()):
        follow(entry, ())
    return tuple(found)


@cache
def _index() -> bytes:
    """The page itself, with the addresses of its files' version and the list of its modules."""
    # A browser has six connections: what the first request needs must not wait for the rest.
    needed = modules().index(_FIRST) + 1
    preloads = [
        f'<link rel="modulepreload" href="page/{name}"{"" if number < needed else _LATER}>'
        for number, name in enumerate(modules())
    ]
    html = _files()[_INDEX].decode().replace(_PRELOADS, "\n".join(preloads))
    return html.replace('="page/', f'="page/{version()}/').encode()


@router.get("/")
async def index(
    if_none_match: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """The page."""
    if _INDEX not in _files():
        raise _no_such_part()
    return _answer(_INDEX, _index(), if_none_match, accept_encoding)


@router.get("/page/{name}")
async def file(
    name: str,
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """A part of it."""
    return _answer(name, _content(name), if_none_match, accept_encoding)


@router.get("/page/{of_version}/{name}")
async def file_of_version(
    of_version: str,
    name: str,
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """A part of it, which may be kept for ever while it is of this version."""
    kept = _FOREVER if of_version == version() else _ALWAYS_ASK
    return _answer(name, _content(name), if_none_match, accept_encoding, kept)


def _content(name: str) -> bytes:
    content = _files().get(name)
    if content is None:
        raise _no_such_part()
    return content


def _no_such_part() -> Problem:
    return Problem(404, "The page has no such part.")


@cache
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _answer(
    name: str,
    content: bytes,
    if_none_match: str,
    accept_encoding: str,
    cache_control: str = _ALWAYS_ASK,
) -> Response:
    headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding:
        content = _compressed(content)
        headers["Content-Encoding"] = "gzip"
    tag = headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(None, 304, headers)
    return Response(content, 200, headers, _MEDIA_TYPES[name.rpartition(".")[2]])
