"""`/v1/index`: the indexing flow as a job that is begun, watched and cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse
from typing_extensions import TypedDict

from memery.gateway.jobs import Job
from memery.gateway.rest.routes.search import known
from memery.gateway.rest.schemas.answers import JSON
from memery.gateway.rest.schemas.parameters import CollectionName
from memery.gateway.rest.schemas.problems import Problem
from memery.gateway.rest.state import Served, Service

router = APIRouter(tags=["index"])
_LOOK_SECONDS = 0.2
_COMMENT_SECONDS = 10.0
"""A comment this often lets both sides notice that the other has gone."""


class JobDocument(TypedDict):
    """The indexing of a collection: idle, waiting, indexing, reading, done, failed or cancelled."""

    collection: str
    state: str
    done: int
    total: int
    skipped: int
    searchable: int
    seconds: float
    eta_seconds: float | None
    message: str


_ELSEWHERE = "The index could not be brought up to date: the server's log says why."


def job_document(job: Job, *, here: bool) -> JobDocument:
    """How far a job has come; paths of this machine are told on it only."""
    eta = job.eta_seconds
    return {
        "collection": job.collection,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "skipped": job.skipped,
        "searchable": job.searchable,
        "seconds": round(job.seconds, 3),
        "eta_seconds": None if eta is None else round(eta, 1),
        "message": job.message if here or job.state != "failed" else _ELSEWHERE,
    }


_LISTED: dict[str, Any] = {"model": list[JobDocument]}


def _names(served: Service, collection: str | None) -> list[str]:
    name = known(served, collection)
    return [c.name for c in served.collections] if name is None else [name]


def _allowed(served: Service) -> None:
    if not served.options.may_index:
        raise Problem(403, "This server does not index when asked over the network.")


@router.post("/v1/index", status_code=202, responses={202: _LISTED}, response_model=None)
def begin(served: Served, collection: CollectionName = None) -> JSON:
    """Bring collections up to date; what is under way goes on."""
    _allowed(served)
    jobs = served.jobs.begin(_names(served, collection))
    return JSON([job_document(job, here=served.options.is_loopback) for job in jobs], 202)


@router.get("/v1/index", responses={200: _LISTED}, response_model=None)
def show(served: Served) -> JSON:
    """How far the indexing of each collection has come."""
    return JSON([job_document(job, here=served.options.is_loopback) for job in served.jobs.all()])


@router.delete("/v1/index", responses={200: _LISTED}, response_model=None)
def cancel(served: Served, collection: CollectionName = None) -> JSON:
    """Stop after the batch under way; what was committed stays."""
    _allowed(served)
    jobs = served.jobs.cancel(_names(served, collection))
    return JSON([job_document(job, here=served.options.is_loopback) for job in jobs])


@router.get(
    "/v1/index/events",
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `progress`."}},
    response_model=None,
)
async def events(request: Request, served: Served) -> StreamingResponse:
    """Server-sent events (HTML standard, 9.2): one `progress` for each change of a job."""
    if served.streams >= served.options.limits.streams:
        message = "Too many follow these events: ask GET /v1/index instead."
        raise Problem(503, message, headers={"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_follow(request, served), 200, headers, "text/event-stream")


async def _follow(request: Request, served: Service) -> AsyncIterator[str]:
    served.streams += 1
    try:
        told: dict[str, Job] = {}
        quiet = 0.0
        while not served.is_stopping() and not await request.is_disconnected():
            changed = [job for job in served.jobs.all() if told.get(job.collection) != job]
            for job in changed:
                told[job.collection] = job
                document = job_document(job, here=served.options.is_loopback)
                yield f"event: progress\ndata: {json.dumps(document)}\n\n"
            quiet = 0.0 if changed else quiet + _LOOK_SECONDS
            if quiet >= _COMMENT_SECONDS:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        served.streams -= 1
