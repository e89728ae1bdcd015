"""The web page: static files of the package `memery.gateway.web`."""

from __future__ import annotations

import gzip
import hashlib
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from memery.gateway.rest.schemas.problems import Problem

router = APIRouter(include_in_schema=False)
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
_INDEX, _FIRST_REQUEST = "index.html", "search/first-request.js"
_LOW_PRIORITY = ' fetchpriority="low"'
_PRELOADS = "<!-- modulepreload -->"
"""The place in index.html where the list of modules to preload is inserted."""
_ENTRY = re.compile(r'<script type="module"[^>]* src="page/([^"]+)"')
_IMPORT = re.compile(r'^import\b[^;]*"(\.{1,2}/[^"]+)";', re.MULTILINE)
_DOC_COMMENT = re.compile(rb"^[ \t]*/\*\*.*?\*/[ \t]*\n?", re.MULTILINE | re.DOTALL)
"""JSDoc, a fifth of what a browser would load: types are for the type checker."""
_REVALIDATE = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"


@cache
def _files() -> dict[str, bytes]:
    """The page's files by path: a requested path is only ever looked up here.

    The files are read once, so that an upgrade of a running server does not mix two versions.
    """
    folder = resources.files("memery.gateway") / "web"
    return dict(sorted(_read_files(folder))) if folder.is_dir() else {}


def _read_files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = prefix + entry.name
        if entry.is_dir():
            yield from _read_files(entry, f"{path}/")
        elif path.rpartition(".")[2] in _MEDIA_TYPES:
            content = entry.read_bytes()
            yield path, _DOC_COMMENT.sub(b"", content) if path.endswith(".js") else content


@cache
def version() -> str:
    """A hash of all files. It is part of their URLs, so that browsers cache them permanently."""
    digest = hashlib.sha256()
    for name, content in _files().items():
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


@cache
def modules() -> tuple[str, ...]:
    """The page's modules in execution order: each one after the modules that it imports."""
    found: dict[str, None] = {}

    def follow(path: str, importers: tuple[str, ...]) -> None:
        for target in _IMPORT.findall(_files()[path].decode()):
            imported = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if imported not in found and imported not in importers:
                follow(imported, (*importers, path))
        found[path] = None

    for entry in _ENTRY.findall(_files()[_INDEX].decode()):
        follow(entry, ())
    return tuple(found)


@cache
def _index() -> bytes:
    """index.html with versioned URLs and the list of modules to preload."""
    # A browser opens six connections: modules that the first request needs come first.
    needed = modules().index(_FIRST_REQUEST) + 1
    preloads = [
        f'<link rel="modulepreload" href="page/{path}"{"" if number < needed else _LOW_PRIORITY}>'
        for number, path in enumerate(modules())
    ]
    html = _files()[_INDEX].decode().replace(_PRELOADS, "\n".join(preloads))
    return html.replace('="page/', f'="page/{version()}/').encode()


@router.get("/")
async def index(
    if_none_match: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """The page."""
    if _INDEX not in _files():
        raise _not_found()
    return _respond(_INDEX, _index(), if_none_match, accept_encoding)


@router.get("/page/{requested_version}/{path:path}")
async def file(
    requested_version: str,
    path: str,
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """One file of the page, cacheable permanently if the URL has the current version."""
    content = _files().get(path)
    if content is None:
        raise _not_found()
    cache_control = _IMMUTABLE if requested_version == version() else _REVALIDATE
    return _respond(path, content, if_none_match, accept_encoding, cache_control)


def _not_found() -> Problem:
    return Problem(404, "The page has no such file.")


@cache
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _respond(
    path: str,
    content: bytes,
    if_none_match: str,
    accept_encoding: str,
    cache_control: str = _REVALIDATE,
) -> Response:
    headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding:
        content = _compressed(content)
        headers["Content-Encoding"] = "gzip"
    tag = headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(None, 304, headers)
    return Response(content, 200, headers, _MEDIA_TYPES[path.rpartition(".")[2]])
