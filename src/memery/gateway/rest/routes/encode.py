"""`/v1/model` and `/v1/encode`: the server side of docs/encoder-protocol.md."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import io
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from typing_extensions import TypedDict

from memery.errors import ImageError
from memery.gateway.rest.routes.uploads import image_form_schema
from memery.gateway.rest.schemas import request_parsing
from memery.gateway.rest.schemas.problems import Problem, problem_from_error
from memery.gateway.rest.schemas.responses import JSON
from memery.gateway.rest.state import ServerState, State
from memery.models.batching import BATCH, QUEUE_TIMEOUT, result_or_busy
from memery.models.protocol import FINGERPRINT, PICTURES, PROTOCOL, SHAPE, VECTORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

router = APIRouter(tags=["encoder"])

NPY = "application/x-npy"
_PART = "image"
_TEXT_MAX = 20_000
"""Maximum length of a text, characters. Every text encoder reads far less."""
_ESCAPE_BYTES = len("\\u0000")
_MARGIN = 64 << 10
"""Bytes of JSON in addition to the items."""
_SHAPE = re.compile(r"(\d{1,4})x(\d{1,4})x(\d{1,4})x3")


class ResizeDocument(TypedDict):
    """How an image is resized for the model."""

    size: int
    mode: str
    interpolation: str
    edge: int
    crop: str


class ModelDocument(TypedDict):
    """The model."""

    protocol: int
    model_id: str
    fingerprint: str
    dim: int
    text_context: int
    max_batch: int
    image: ResizeDocument
    licence: str
    source: str


class EmbeddingsDocument(TypedDict):
    """Embeddings in the order of the request, L2-normalised."""

    model_id: NotRequired[str]
    dim: NotRequired[int]
    embeddings: list[list[float]]


class EncodeRequest(BaseModel):
    """Either texts, or images as base64 of size·size·3 bytes."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] | None = Field(default=None, max_length=4096)
    pictures: list[str] | None = Field(default=None, max_length=4096)


@router.get("/v1/model", responses={200: {"model": ModelDocument}}, response_model=None)
def model(state: State) -> JSON:
    """Return the facts about the model."""
    info = state.model.info
    resize = dataclasses.asdict(info.resize)
    resize["edge"] = info.resize.edge or info.resize.size
    return JSON(
        {
            "protocol": PROTOCOL,
            "model_id": info.model_id,
            "fingerprint": info.fingerprint,
            "dim": info.dim,
            "text_context": info.text_context,
            "max_batch": BATCH,
            "image": resize,
            "licence": info.licence,
            "source": info.source,
        }
    )


@router.post(
    "/v1/encode",
    responses={
        200: {
            "model": EmbeddingsDocument,
            "content": {NPY: {}, VECTORS: {}},
            "description": "Embeddings, in the format that Accept names.",
        }
    },
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": EncodeRequest.model_json_schema()},
                request_parsing.MULTIPART: image_form_schema(_PART, many=True),
                PICTURES: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def encode(
    request: Request,
    state: State,
    accept: Annotated[str, Header()] = "",
    shape: Annotated[str, Header(alias=SHAPE)] = "",
) -> Response:
    """Encode texts, image files, or images already resized for the model."""
    match request_parsing.content_type(request):
        case request_parsing.JSON_TYPE:
            max_bytes = _json_bytes(state.model.info.resize.size)
            body, _ = await request_parsing.read_json(EncodeRequest, request, max_bytes)
            if (body.texts is None) == (body.pictures is None):
                message = "give either texts or pictures"
                raise Problem(422, f"Invalid body: {message}.", errors=[("texts", message)])
            if body.texts is not None:
                return await _answer(state, accept, _texts(body.texts))
            items = await run_in_threadpool(_from_base64, state, body.pictures or [])
        case request_parsing.MULTIPART:
            form = await request_parsing.read_form(
                request, state.options.limits.for_encoding(BATCH)
            )
            files = [part.data for part in form.images if part.name == _PART]
            _check_count(len(files), _PART)
            items = await run_in_threadpool(_decoded, state, files)
        case kind if kind == PICTURES:
            items = _from_bytes(state, await request.body(), shape)
        case _:
            media_types = f"{request_parsing.JSON_TYPE}, {request_parsing.MULTIPART} or {PICTURES}"
            raise Problem(415, f"Send texts or images as {media_types}.")
    return await _answer(state, accept, items)


def _json_bytes(size: int) -> int:
    """Maximum size of a batch as JSON, bytes: images in base64, or texts with escapes."""
    return _MARGIN + BATCH * max(size * size * 4, _TEXT_MAX * _ESCAPE_BYTES)


def _texts(texts: list[str]) -> list[str]:
    _check_count(len(texts), "texts")
    for number, text in enumerate(texts):
        if len(text) > _TEXT_MAX:
            message = f"it has more than {_TEXT_MAX} characters"
            raise Problem(
                413, f"A text is too long: {message}.", errors=[(f"texts.{number}", message)]
            )
    return texts


def _check_count(count: int, field: str) -> None:
    if count > BATCH:
        message = f"{count} items exceed the batch size of {BATCH}"
        raise Problem(413, f"{field}: {message}.", errors=[(field, message)])
    if not count:
        message = "there is nothing to encode"
        raise Problem(422, f"{field}: {message}.", errors=[(field, message)])


def _from_base64(state: ServerState, texts: list[str]) -> NDArray[np.uint8]:
    _check_count(len(texts), "pictures")
    size = state.model.info.resize.size
    try:
        data = [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise Problem(
            422, "An image is not valid base64.", errors=[("pictures", "not base64")]
        ) from None
    if any(len(image) != size * size * 3 for image in data):
        message = f"an image has {size} x {size} x 3 bytes"
        raise Problem(422, f"Invalid image: {message}.", errors=[("pictures", message)])
    return _array(b"".join(data), size)


def _from_bytes(state: ServerState, data: bytes, shape: str) -> NDArray[np.uint8]:
    size = state.model.info.resize.size
    match = _SHAPE.fullmatch(shape)
    rows, height, width = map(int, match.groups()) if match else (0, 0, 0)
    if (height, width) != (size, size) or math.prod((rows, height, width, 3)) != len(data):
        message = f"it must be N x {size} x {size} x 3, with as many bytes in the body"
        raise Problem(422, f"Invalid {SHAPE}: {message}.", errors=[(SHAPE, message)])
    _check_count(rows, "pictures")
    return _array(data, size)


def _array(data: bytes, size: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(data, dtype=np.uint8).reshape(-1, size, size, 3)


def _decoded(state: ServerState, files: list[bytes]) -> NDArray[np.uint8]:
    import numpy as np

    limits, resize = state.options.limits, state.model.info.resize
    pixels = []
    for number, data in enumerate(files):
        try:
            with state.decoding:
                decoded = state.decoder.decode(data, resize, limits.pixels, pixels_only=True)
            pixels.append(decoded.pixels)
        except ImageError as error:
            raise problem_from_error(error, f"{_PART}.{number}") from None
    return np.stack(pixels)


async def _answer(state: ServerState, accept: str, items: Any) -> Response:
    """Encode the items, and return the embeddings in the format that Accept names."""
    model = state.model
    future = model.submit_texts(items) if isinstance(items, list) else model.submit_images(items)
    pending = asyncio.wrap_future(future)
    await asyncio.wait([pending], timeout=QUEUE_TIMEOUT)
    embeddings = result_or_busy(pending, QUEUE_TIMEOUT)
    headers = {FINGERPRINT: model.info.fingerprint, "Cache-Control": "no-store"}
    if VECTORS in accept:
        return Response(embeddings.astype("<f4").tobytes(), 200, headers, VECTORS)
    if NPY in accept or "application/octet-stream" in accept:
        return Response(_npy(embeddings), 200, headers, NPY)
    document = {
        "model_id": model.info.model_id,
        "dim": model.info.dim,
        "embeddings": embeddings.tolist(),
    }
    return JSON(document, 200, headers)


def _npy(embeddings: NDArray[np.float32]) -> bytes:
    """Serialise float32 embeddings as a .npy file (numpy.lib.format)."""
    import numpy as np

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, embeddings.astype("<f4"), allow_pickle=False)
    return buffer.getvalue()
