"""`/healthz`, `/readyz`, `/metrics`: health checks and metrics."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from memery.gateway.rest.metrics import MEDIA_TYPE, Gauge
from memery.gateway.rest.state import ServerState, State

router = APIRouter(tags=["health"])


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Liveness: the process responds."""
    return "ok\n"


@router.get(
    "/readyz", response_class=PlainTextResponse, responses={503: {"description": "Not ready."}}
)
def readyz(state: State) -> Response:
    """Readiness: not stopping, room in the model's queues, and a reachable folder."""
    if state.is_stopping():
        return PlainTextResponse("stopping\n", 503)
    if state.model.is_full:
        return PlainTextResponse("busy\n", 503, {"Retry-After": "1"})
    opened = list(state.collections)
    if opened and not any(collection.is_available for collection in opened):
        return PlainTextResponse("no folder\n", 503, {"Retry-After": "10"})
    return PlainTextResponse("ready\n")


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_model=None)
def metrics(state: State) -> Response:
    """Metrics for Prometheus."""
    return Response(state.metrics.text(), media_type=MEDIA_TYPE)


def gauges(state: ServerState) -> Iterator[Gauge]:
    """Yield the gauges that are read on every scrape."""
    yield (
        "memery_encoder_waiting",
        "Requests waiting for the model, by encoder.",
        {name: float(count) for name, count in state.model.waiting.items()},
    )
    batches = state.model.batches
    yield (
        "memery_encoder_batches",
        "Batches that went through the model, by encoder.",
        {name: float(count) for name, (count, _) in batches.items()},
    )
    yield (
        "memery_encoder_items",
        "Images or texts that went through the model, by encoder.",
        {name: float(count) for name, (_, count) in batches.items()},
    )
    yield (
        "memery_upload_bytes",
        "Bytes of uploaded images kept.",
        {"": float(state.uploads.bytes)},
    )
    yield "memery_event_streams", "Clients that follow events.", {"": float(state.streams)}
    opened = list(state.collections)
    for name, explanation, attribute in (
        ("memery_thumbnail_hits", "Thumbnails found in the archive.", "hits"),
        ("memery_thumbnail_misses", "Thumbnails that had to be made.", "misses"),
    ):
        yield (
            name,
            explanation,
            {c.name: float(getattr(c.memery.thumbnails, attribute)) for c in opened},
        )
    yield (
        "memery_images",
        "Images that a search finds.",
        {c.name: float(c.memery.count()) for c in opened},
    )
