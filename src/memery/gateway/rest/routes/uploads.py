"""`/v1/uploads`: pictures to search for, kept for the server's life."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from typing_extensions import TypedDict

from memery.errors import ImageError
from memery.gateway.rest.schemas import request_parsing
from memery.gateway.rest.schemas.answers import JSON
from memery.gateway.rest.schemas.problems import Problem, of_error
from memery.gateway.rest.state import Served, Service, base_path
from memery.gateway.rest.uploads import Upload

router = APIRouter(tags=["search"])
_PART = "image"


class UploadDocument(TypedDict):
    """A picture that is kept."""

    id: str
    width: int
    height: int
    thumbnail_url: str


def form_of(part: str, *, many: bool = False) -> dict[str, Any]:
    """What OpenAPI says of a multipart body with pictures."""
    picture = {"type": "string", "format": "binary"}
    schema = {"type": "array", "items": picture} if many else picture
    return {"schema": {"type": "object", "required": [part], "properties": {part: schema}}}


@router.post(
    "/v1/uploads",
    status_code=201,
    responses={201: {"model": UploadDocument}},
    response_model=None,
    openapi_extra={
        "requestBody": {"required": True, "content": {request_parsing.MULTIPART: form_of(_PART)}}
    },
)
async def upload(request: Request, served: Served) -> JSON:
    """Keep a picture to search for. It is held in memory only."""
    if request_parsing.content_type(request) != request_parsing.MULTIPART:
        raise Problem(415, "A picture is sent as multipart/form-data.")
    form = await request_parsing.read_form(request, served.options.limits)
    data = [part.data for part in form.pictures if part.name == _PART]
    if len(data) != 1:
        message = "send one picture"
        raise Problem(422, f"{_PART}: {message}.", errors=[(_PART, message)])
    kept = await run_in_threadpool(_keep, served, data[0])
    document: UploadDocument = {
        "id": kept.id,
        "width": kept.width,
        "height": kept.height,
        "thumbnail_url": f"{base_path(request)}/v1/uploads/{kept.id}/thumbnail",
    }
    return JSON(document, 201)


def _keep(served: Service, data: bytes) -> Upload:
    try:
        with served.decoding:
            return served.uploads.add(data)
    except ImageError as error:
        raise of_error(error, _PART) from None


@router.get(
    "/v1/uploads/{id}/thumbnail",
    responses={200: {"content": {"image/webp": {}}}},
    response_model=None,
)
def thumbnail(served: Served, id_: Annotated[str, Path(alias="id")]) -> Response:
    """A small version of an uploaded picture: WebP."""
    kept = served.uploads.get(id_)
    if kept is None:
        raise Problem(404, "This upload is not known any more: send the picture again.")
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(kept.thumbnail, 200, headers, "image/webp")
