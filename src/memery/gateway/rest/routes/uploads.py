"""`/v1/uploads`: query images, kept until the server stops or needs the memory."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from typing_extensions import TypedDict

from memery.errors import ImageError
from memery.gateway.rest.schemas import request_parsing
from memery.gateway.rest.schemas.problems import Problem, problem_from_error
from memery.gateway.rest.schemas.responses import JSON
from memery.gateway.rest.state import ServerState, State, base_path
from memery.gateway.rest.uploads import Upload

router = APIRouter(tags=["search"])
_PART = "image"


class UploadDocument(TypedDict):
    """An uploaded image."""

    id: str
    width: int
    height: int
    thumbnail_url: str


def image_form_schema(part: str, *, many: bool = False) -> dict[str, Any]:
    """Return the OpenAPI schema of a multipart body with images.

    Args:
        part: name of the part.
        many: whether the part may be repeated.
    """
    image = {"type": "string", "format": "binary"}
    schema = {"type": "array", "items": image} if many else image
    return {"schema": {"type": "object", "required": [part], "properties": {part: schema}}}


@router.post(
    "/v1/uploads",
    status_code=201,
    responses={201: {"model": UploadDocument}},
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {request_parsing.MULTIPART: image_form_schema(_PART)},
        }
    },
)
async def upload(request: Request, state: State) -> JSON:
    """Upload a query image. It is kept in memory only."""
    if request_parsing.content_type(request) != request_parsing.MULTIPART:
        raise Problem(415, "Send an image as multipart/form-data.")
    form = await request_parsing.read_form(request, state.options.limits)
    data = [part.data for part in form.images if part.name == _PART]
    if len(data) != 1:
        message = "send one image"
        raise Problem(422, f"{_PART}: {message}.", errors=[(_PART, message)])
    kept = await run_in_threadpool(_keep, state, data[0])
    document: UploadDocument = {
        "id": kept.id,
        "width": kept.width,
        "height": kept.height,
        "thumbnail_url": f"{base_path(request)}/v1/uploads/{kept.id}/thumbnail",
    }
    return JSON(document, 201)


def _keep(state: ServerState, data: bytes) -> Upload:
    try:
        with state.decoding:
            return state.uploads.add(data)
    except ImageError as error:
        raise problem_from_error(error, _PART) from None


@router.get(
    "/v1/uploads/{id}/thumbnail",
    responses={200: {"content": {"image/webp": {}}}},
    response_model=None,
)
def thumbnail(state: State, id_: Annotated[str, Path(alias="id")]) -> Response:
    """The thumbnail of an uploaded image: WebP."""
    kept = state.uploads.get(id_)
    if kept is None:
        raise Problem(404, "This upload no longer exists. Send the image again.")
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(kept.thumbnail, 200, headers, "image/webp")
