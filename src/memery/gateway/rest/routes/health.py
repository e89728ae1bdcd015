"""`/healthz`, `/readyz`, `/metrics`: for those who run the server."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from memery.gateway.rest.metrics import MEDIA_TYPE, Reading
from memery.gateway.rest.state import Served, Service

router = APIRouter(tags=["health"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """The process answers."""
    return "ok\n"


@router.get(
    "/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not now."}}
)
def readyz(served: Served) -> Response:
    """The server takes requests: not stopping, room in the model's queues, a folder to serve."""
    if served.is_stopping():
        return PlainTextResponse("stopping\n", 503)
    if served.model.is_full:
        return PlainTextResponse("busy\n", 503, {"Retry-After": "1"})
    every = list(served.collections)
    if every and not any(collection.is_available for collection in every):
        return PlainTextResponse("no folder\n", 503, {"Retry-After": "10"})
    return PlainTextResponse("ready\n")


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_model=None)
def metrics(served: Served) -> Response:
    """Counters for Prometheus."""
    return Response(served.metrics.text(), media_type=MEDIA_TYPE)


def readings(served: Service) -> Iterator[Reading]:
    """What is read whenever metrics are asked for."""
    yield (
        "memery_encoder_waiting",
        "Requests that wait for the model, by tower.",
        {name: float(count) for name, count in served.model.waiting.items()},
    )
    batches = served.model.batches
    yield (
        "memery_encoder_batches",
        "Batches that went through the model, by tower.",
        {name: float(count) for name, (count, _) in batches.items()},
    )
    yield (
        "memery_encoder_items",
        "Pictures or texts that went through the model, by tower.",
        {name: float(count) for name, (_, count) in batches.items()},
    )
    yield (
        "memery_upload_bytes",
        "Bytes of uploaded pictures kept.",
        {"": float(served.uploads.bytes)},
    )
    yield "memery_event_streams", "Clients that follow events.", {"": float(served.streams)}
    every = list(served.collections)
    for name, explanation, attribute in (
        ("memery_thumbnail_hits", "Thumbnails found in the archive.", "hits"),
        ("memery_thumbnail_misses", "Thumbnails that had to be made.", "misses"),
    ):
        yield (
            name,
            explanation,
            {c.name: float(getattr(c.memery.thumbnails, attribute)) for c in every},
        )
    yield (
        "memery_images",
        "Images that a search finds.",
        {c.name: float(c.memery.count()) for c in every},
    )
