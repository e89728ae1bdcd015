"""The page: static files of the package, named one by one."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
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
_INDEX = "index.html"


@cache
def _files() -> dict[str, Traversable]:
    """What may be asked for, by name: a path from outside is only ever looked up here."""
    folder = resources.files("memery.gateway") / "page"
    if not folder.is_dir():
        return {}
    return {
        file.name: file
        for file in folder.iterdir()
        if file.is_file() and file.name.rpartition(".")[2] in _MEDIA_TYPES
    }


@router.get("/")
def index(
    if_none_match: Annotated[str, Header()] = "", accept_encoding: Annotated[str, Header()] = ""
) -> Response:
    """The page."""
    return _answer(_INDEX, if_none_match, accept_encoding)


@router.get("/page/{name}")
def module(
    name: str,
    if_none_match: Annotated[str, Header()] = "",
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """A part of it."""
    return _answer(name, if_none_match, accept_encoding)


def _answer(name: str, if_none_match: str, accept_encoding: str) -> Response:
    file = _files().get(name)
    if file is None:
        raise Problem(404, "The page has no such part.")
    content = file.read_bytes()
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding:
        content = gzip.compress(content, mtime=0)
        headers["Content-Encoding"] = "gzip"
    tag = headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(None, 304, headers)
    return Response(content, 200, headers, _MEDIA_TYPES[name.rpartition(".")[2]])
