"""`/v1/model` and `/v1/encode`: the server's side of docs/encoder-protocol.md."""

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
from memery.gateway.rest.routes.uploads import form_of
from memery.gateway.rest.schemas import request_parsing
from memery.gateway.rest.schemas.answers import JSON
from memery.gateway.rest.schemas.problems import Problem, of_error
from memery.gateway.rest.state import Served, Service
from memery.models.batching import BATCH, PATIENCE, answered
from memery.models.protocol import FINGERPRINT, PICTURES, PROTOCOL, SHAPE, VECTORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

router = APIRouter(tags=["encoder"])

NPY = "application/x-npy"
_PART = "image"
_TEXT_MAX = 20_000
"""Characters of a text; every text tower reads far less."""
_ESCAPE_BYTES = len("\\u0000")
_MARGIN = 64 << 10
"""Bytes of JSON for what is around the items."""
_SHAPE = re.compile(r"(\d{1,4})x(\d{1,4})x(\d{1,4})x3")


class ResizeDocument(TypedDict):
    """How a picture becomes what the model takes."""

    size: int
    mode: str
    interpolation: str
    edge: int
    crop: str


class ModelDocument(TypedDict):
    """The facts about the model."""

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
    """Texts, or pictures as base64 of size·size·3 bytes; one of the two."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] | None = Field(default=None, max_length=4096)
    pictures: list[str] | None = Field(default=None, max_length=4096)


@router.get("/v1/model", responses={200: {"model": ModelDocument}}, response_model=None)
def model(served: Served) -> JSON:
    """What encodes here."""
    info = served.model.info
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
            "description": "Embeddings, in the form that Accept asks for.",
        }
    },
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": EncodeRequest.model_json_schema()},
                request_parsing.MULTIPART: form_of(_PART, many=True),
                PICTURES: {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def encode(
    request: Request,
    served: Served,
    accept: Annotated[str, Header()] = "",
    shape: Annotated[str, Header(alias=SHAPE)] = "",
) -> Response:
    """Embeddings of texts, of image files, or of pictures of the model's own size."""
    match request_parsing.content_type(request):
        case request_parsing.JSON_TYPE:
            most = _json_bytes(served.model.info.resize.size)
            asked, _ = await request_parsing.read_json(EncodeRequest, request, most)
            if (asked.texts is None) == (asked.pictures is None):
                message = "give texts or pictures"
                raise Problem(422, f"The body is off: {message}.", errors=[("texts", message)])
            if asked.texts is not None:
                return await _answer(served, accept, _texts(asked.texts))
            items = await run_in_threadpool(_from_base64, served, asked.pictures or [])
        case request_parsing.MULTIPART:
            form = await request_parsing.read_form(
                request, served.options.limits.for_encoding(BATCH)
            )
            files = [part.data for part in form.pictures if part.name == _PART]
            _refuse_many(len(files), _PART)
            items = await run_in_threadpool(_decoded, served, files)
        case kind if kind == PICTURES:
            items = _from_bytes(served, await request.body(), shape)
        case _:
            known = f"{request_parsing.JSON_TYPE}, {request_parsing.MULTIPART} or {PICTURES}"
            raise Problem(415, f"What is to be encoded comes as {known}.")
    return await _answer(served, accept, items)


def _json_bytes(size: int) -> int:
    """Bytes of a batch as JSON: of pictures in base64, or of texts with escapes."""
    return _MARGIN + BATCH * max(size * size * 4, _TEXT_MAX * _ESCAPE_BYTES)


def _texts(texts: list[str]) -> list[str]:
    _refuse_many(len(texts), "texts")
    for number, text in enumerate(texts):
        if len(text) > _TEXT_MAX:
            message = f"it has more than {_TEXT_MAX} characters"
            raise Problem(
                413, f"A text is too long: {message}.", errors=[(f"texts.{number}", message)]
            )
    return texts


def _refuse_many(count: int, field: str) -> None:
    if count > BATCH:
        message = f"{count} are more than the {BATCH} that go at a time"
        raise Problem(413, f"{field}: {message}.", errors=[(field, message)])
    if not count:
        message = "there is nothing to encode"
        raise Problem(422, f"{field}: {message}.", errors=[(field, message)])


def _from_base64(served: Service, texts: list[str]) -> NDArray[np.uint8]:
    _refuse_many(len(texts), "pictures")
    size = served.model.info.resize.size
    try:
        data = [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise Problem(422, "A picture is no base64.", errors=[("pictures", "no base64")]) from None
    if any(len(one) != size * size * 3 for one in data):
        message = f"a picture has {size} x {size} x 3 bytes"
        raise Problem(422, f"A picture is off: {message}.", errors=[("pictures", message)])
    return _array(b"".join(data), size)


def _from_bytes(served: Service, data: bytes, shape: str) -> NDArray[np.uint8]:
    size = served.model.info.resize.size
    match = _SHAPE.fullmatch(shape)
    rows, height, width = map(int, match.groups()) if match else (0, 0, 0)
    if (height, width) != (size, size) or math.prod((rows, height, width, 3)) != len(data):
        message = f"it says N x {size} x {size} x 3, and the body has as many bytes"
        raise Problem(422, f"{SHAPE} is off: {message}.", errors=[(SHAPE, message)])
    _refuse_many(rows, "pictures")
    return _array(data, size)


def _array(data: bytes, size: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(data, dtype=np.uint8).reshape(-1, size, size, 3)


def _decoded(served: Service, files: list[bytes]) -> NDArray[np.uint8]:
    import numpy as np

    limits, resize = served.options.limits, served.model.info.resize
    pixels = []
    for number, data in enumerate(files):
        try:
            with served.decoding:
                decoded = served.decoder.decode(data, resize, limits.pixels, pixels_only=True)
            pixels.append(decoded.pixels)
        except ImageError as error:
            raise of_error(error, f"{_PART}.{number}") from None
    return np.stack(pixels)


async def _answer(served: Service, accept: str, items: Any) -> Response:
    """The embeddings, in the form that was asked for."""
    model = served.model
    future = model.submit_texts(items) if isinstance(items, list) else model.submit_images(items)
    asked = asyncio.wrap_future(future)
    await asyncio.wait([asked], timeout=PATIENCE)
    embeddings = answered(asked, PATIENCE)
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
    """The array as a .npy file (numpy.lib.format), float32."""
    import numpy as np

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, embeddings.astype("<f4"), allow_pickle=False)
    return buffer.getvalue()
