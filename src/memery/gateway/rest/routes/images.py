"""`/v1/images`: listings, details, files and facets; `/v1/thumbnails`."""

from __future__ import annotations

import os
from typing import Annotated, Any, BinaryIO, Literal
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from memery.errors import ImageError
from memery.gateway.collection import FoundImage
from memery.gateway.rest.routes.search import collection_name, require_available
from memery.gateway.rest.schemas.parameters import BrowseParams, CollectionName, FacetParams
from memery.gateway.rest.schemas.problems import Problem
from memery.gateway.rest.schemas.responses import (
    JSON,
    FacetsDocument,
    FactsDocument,
    ImageDocument,
    ImagesDocument,
    image_document,
    line_document,
)
from memery.gateway.rest.state import ServerState, State, base_path
from memery.imaging.formats import DECODING
from memery.imaging.thumbnails import Side

router = APIRouter(tags=["images"])

Id = Annotated[str, Path(alias="id", description="Id of an image.")]
_BAD_REQUEST = 400
_IMMUTABLE = "private, max-age=31536000, immutable"
_FILE_CSP = "default-src 'none'; sandbox"
"""Denies everything to a file that a browser opens as a page."""
_FILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The file."},
    206: {"content": {"image/*": {}}, "description": "A range of the file."},
    304: {"description": "Not modified."},
    416: {"description": "Range not satisfiable."},
}


@router.get("/v1/images", responses={200: {"model": ImagesDocument}}, response_model=None)
def browse(
    request: Request,
    state: State,
    options: BrowseParams,
    sort: Annotated[
        Literal["date", "name"], Query(description="Newest first, or by name.")
    ] = "date",
    collection: CollectionName = None,
) -> JSON:
    """List images without a query."""
    name = collection_name(state, collection)
    found, total, reasons = state.collections.browse(options, sort, name)
    if not total:
        require_available(state, [c.name for c in state.collections if name in (None, c.name)])
    document: ImagesDocument = {
        "total": total,
        "warnings": list(reasons),
        "images": [_facts(request, image) for image in found],
    }
    return JSON(document)


@router.get("/v1/facets", responses={200: {"model": FacetsDocument}}, response_model=None)
def facets(
    state: State,
    options: FacetParams,
    collection: CollectionName = None,
) -> JSON:
    """Count the images that match a filter by folder, month and type."""
    name = collection_name(state, collection)
    found = state.collections.facets(options, name)
    return JSON(
        {
            kind: [{"name": name, "count": count} for name, count in counts.items()]
            for kind, counts in (
                ("folders", found.folders),
                ("months", found.months),
                ("types", found.types),
            )
        }
    )


@router.get("/v1/images/{id}", responses={200: {"model": FactsDocument}}, response_model=None)
def facts(request: Request, state: State, id_: Id) -> JSON:
    """Return all details of an image."""
    found = state.collections.describe(id_)
    text = None if found.lines is None else [line_document(line) for line in found.lines]
    return JSON({**_facts(request, found), "text": text, "copy_paths": list(found.copy_paths)})


def _facts(request: Request, found: FoundImage) -> ImageDocument:
    return image_document(found, base_path(request))


@router.get("/v1/images/{id}/file", responses=_FILE_RESPONSES, response_model=None)
def file(
    state: State,
    id_: Id,
    download: Annotated[bool, Query(description="Send it as a download.")] = False,
    if_none_match: Annotated[str, Header()] = "",
    _range: Annotated[
        str, Header(alias="Range")
    ] = "",  # for OpenAPI; the response class reads both
    _if_range: Annotated[str, Header(alias="If-Range")] = "",
) -> Response:
    """Return the image file, or ranges of it."""
    found = state.collections.image(id_)
    opened, media_type = _open(found)
    facts = os.fstat(opened.fileno())
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _FILE_CSP,
        "Content-Disposition": disposition(found.path, attachment=download),
    }
    if tag in if_none_match or if_none_match.strip() == "*":
        opened.close()
        return Response(None, 304, headers)
    return OpenFile(opened, facts, headers, media_type)


class OpenFile(FileResponse):
    """Sends an open file: exactly the file that was checked, even if its path now leads elsewhere.

    Args:
        file: open for reading; closed after the response.
        facts: stat of the file.
        headers: response headers.
        media_type: media type of the file.
    """

    chunk_size = 1 << 18

    def __init__(
        self, file: BinaryIO, facts: os.stat_result, headers: dict[str, str], media_type: str
    ) -> None:
        path = f"/dev/fd/{file.fileno()}"
        super().__init__(path, headers=headers, media_type=media_type, stat_result=facts)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        remaining = 0

        async def send_part(message: Message) -> None:
            nonlocal remaining
            if message["type"] == "http.response.start":
                if message["status"] >= _BAD_REQUEST:
                    headers = {"Content-Range": f"bytes */{self.headers['content-length']}"}
                    raise Problem(message["status"], "The file has no such range.", headers=headers)
                remaining = int(Headers(raw=message["headers"])["content-length"])
            else:  # the file may grow while it is sent
                message["body"] = message["body"][:remaining]
                remaining -= len(message["body"])
            await send(message)

        with self._file:
            try:
                await super().__call__(scope, receive, send_part)
            except Problem as problem:
                if problem.status != _BAD_REQUEST:
                    raise
                # An invalid range is ignored (RFC 9110, 14.2).
                others = [header for header in scope["headers"] if header[0] != b"range"]
                await super().__call__({**scope, "headers": others}, receive, send_part)


def _open(found: FoundImage) -> tuple[BinaryIO, str]:
    try:
        return found.collection.memery.open(found.image)
    except ImageError as error:
        raise _not_available(error) from None


def _not_available(error: ImageError) -> Problem:
    return Problem(404, f"Cannot show the image: {error}. Update the index.")


def disposition(path: str, *, attachment: bool) -> str:
    """Make `Content-Disposition` (RFC 6266) for a file name of any bytes."""
    name = path.rpartition("/")[2]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    encoded = quote(os.fsencode(name), safe="")
    kind = "attachment" if attachment else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@router.get(
    "/v1/thumbnails/{id}",
    responses={200: {"content": {"image/webp": {}}}, 304: {"description": "Not modified."}},
    response_model=None,
)
def thumbnail(
    state: State,
    id_: Id,
    size: Annotated[Side, Query(description="Pixels.")] = "320",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """Return the thumbnail of an image: WebP, with a longer side of at most `size` pixels."""
    found = state.collections.image(id_)
    tag = f'"{found.image.digest[:32]}-{size}-{DECODING}"'
    headers = {"ETag": tag, "Cache-Control": _IMMUTABLE}
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(None, 304, headers)
    return Response(_thumbnail(state, found, int(size)), 200, headers, "image/webp")


def _thumbnail(state: ServerState, found: FoundImage, side: int) -> bytes:
    try:
        with state.decoding:
            return found.collection.memery.thumbnail(found.image, side)
    except ImageError as error:
        raise _not_available(error) from None
