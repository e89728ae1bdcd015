"""`/v1/images`: a listing without a query, facts, files; and `/v1/thumbnails`."""

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
from memery.gateway.rest.routes.search import known, refuse_away
from memery.gateway.rest.schemas.answers import (
    JSON,
    FacetsDocument,
    FactsDocument,
    ImageDocument,
    ImagesDocument,
    image_document,
    line_document,
)
from memery.gateway.rest.schemas.parameters import Browsed, CollectionName, Counted
from memery.gateway.rest.schemas.problems import Problem
from memery.gateway.rest.state import Served, Service, base_path
from memery.imaging.formats import DECODING
from memery.imaging.thumbnails import Side

router = APIRouter(tags=["images"])

Id = Annotated[str, Path(alias="id", description="Of an image, as answers name it.")]
_BAD_REQUEST = 400
_FOREVER = "private, max-age=31536000, immutable"
_ISOLATED = "default-src 'none'; sandbox"
"""What a file may do where a browser shows it by itself: nothing."""
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The file."},
    206: {"content": {"image/*": {}}, "description": "A part of it."},
    304: {"description": "It is as it was."},
    416: {"description": "It has no such part."},
}


@router.get("/v1/images", responses={200: {"model": ImagesDocument}}, response_model=None)
def browse(
    request: Request,
    served: Served,
    options: Browsed,
    sort: Annotated[
        Literal["date", "name"], Query(description="Newest first, or by name.")
    ] = "date",
    collection: CollectionName = None,
) -> JSON:
    """Images without a query."""
    name = known(served, collection)
    found, total, reasons = served.collections.browse(options, sort, name)
    if not total:
        refuse_away(served, [c.name for c in served.collections if name in (None, c.name)])
    document: ImagesDocument = {
        "total": total,
        "warnings": list(reasons),
        "images": [_facts(request, one) for one in found],
    }
    return JSON(document)


@router.get("/v1/facets", responses={200: {"model": FacetsDocument}}, response_model=None)
def facets(
    served: Served,
    options: Counted,
    collection: CollectionName = None,
) -> JSON:
    """What the images that pass a filter can be narrowed by, with counts."""
    name = known(served, collection)
    found = served.collections.facets(options, name)
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
def facts(request: Request, served: Served, id_: Id) -> JSON:
    """All that is known of an image."""
    found = served.collections.describe(id_)
    text = None if found.lines is None else [line_document(line) for line in found.lines]
    return JSON({**_facts(request, found), "text": text, "copy_paths": list(found.copy_paths)})


def _facts(request: Request, found: FoundImage) -> ImageDocument:
    return image_document(found, base_path(request))


@router.get("/v1/images/{id}/file", responses=_FILE, response_model=None)
def file(
    served: Served,
    id_: Id,
    download: Annotated[bool, Query(description="To be saved, not shown.")] = False,
    if_none_match: Annotated[str, Header()] = "",
    _range: Annotated[str, Header(alias="Range")] = "",  # for OpenAPI: the response reads both
    _if_range: Annotated[str, Header(alias="If-Range")] = "",
) -> Response:
    """The file itself, or ranges of it."""
    found = served.collections.image(id_)
    opened, media_type = _opened(found)
    facts = os.fstat(opened.fileno())
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _ISOLATED,
        "Content-Disposition": disposition(found.path, attachment=download),
    }
    if tag in if_none_match or if_none_match.strip() == "*":
        opened.close()
        return Response(None, 304, headers)
    return OpenFile(opened, facts, headers, media_type)


class OpenFile(FileResponse):
    """An open file: what was checked is sent, whatever has its name by now.

    Args:
        file: opened for reading; closed when the answer ends.
        facts: of the file.
        headers: of the answer.
        media_type: of the file.
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
        left = 0

        async def checked(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                if message["status"] >= _BAD_REQUEST:
                    headers = {"Content-Range": f"bytes */{self.headers['content-length']}"}
                    raise Problem(message["status"], "The file has no such part.", headers=headers)
                left = int(Headers(raw=message["headers"])["content-length"])
            else:  # the file may grow while it is sent
                message["body"] = message["body"][:left]
                left -= len(message["body"])
            await send(message)

        with self._file:
            try:
                await super().__call__(scope, receive, checked)
            except Problem as problem:
                if problem.status != _BAD_REQUEST:
                    raise
                # A range that is not understood is ignored (RFC 9110, 14.2).
                others = [header for header in scope["headers"] if header[0] != b"range"]
                await super().__call__({**scope, "headers": others}, receive, checked)


def _opened(found: FoundImage) -> tuple[BinaryIO, str]:
    try:
        return found.collection.memery.open(found.image)
    except ImageError as error:
        raise _gone(error) from None


def _gone(error: ImageError) -> Problem:
    return Problem(404, f"The image cannot be shown: {error}. Bring the index up to date.")


def disposition(path: str, *, attachment: bool) -> str:
    """`Content-Disposition` (RFC 6266) for a file's name, whatever bytes it has."""
    name = path.rpartition("/")[2]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    encoded = quote(os.fsencode(name), safe="")
    kind = "attachment" if attachment else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@router.get(
    "/v1/thumbnails/{id}",
    responses={200: {"content": {"image/webp": {}}}, 304: {"description": "It is as it was."}},
    response_model=None,
)
def thumbnail(
    served: Served,
    id_: Id,
    size: Annotated[Side, Query(description="Pixels.")] = "320",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """A small version of an image: WebP, its longer side at most that many pixels."""
    found = served.collections.image(id_)
    tag = f'"{found.image.digest[:32]}-{size}-{DECODING}"'
    headers = {"ETag": tag, "Cache-Control": _FOREVER}
    if tag in if_none_match or if_none_match.strip() == "*":
        return Response(None, 304, headers)
    return Response(_thumbnail(served, found, int(size)), 200, headers, "image/webp")


def _thumbnail(served: Service, found: FoundImage, side: int) -> bytes:
    try:
        with served.decoding:
            return found.collection.memery.thumbnail(found.image, side)
    except ImageError as error:
        raise _gone(error) from None
