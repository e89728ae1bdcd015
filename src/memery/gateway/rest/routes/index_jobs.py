"""`/v1/index`: start, watch and cancel indexing jobs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse
from typing_extensions import TypedDict

from memery.gateway.jobs import Job
from memery.gateway.rest.routes.search import collection_name
from memery.gateway.rest.schemas.parameters import CollectionName
from memery.gateway.rest.schemas.problems import Problem
from memery.gateway.rest.schemas.responses import JSON
from memery.gateway.rest.state import ServerState, State

router = APIRouter(tags=["index"])
_POLL_SECONDS = 0.2
_KEEPALIVE_SECONDS = 10.0
"""Interval of comments, which let both sides notice a lost connection."""


class JobDocument(TypedDict):
    """An indexing job: idle, waiting, indexing, reading (OCR), done, failed or cancelled."""

    collection: str
    state: str
    done: int
    total: int
    skipped: int
    searchable: int
    seconds: float
    eta_seconds: float | None
    message: str


_FAILED_MESSAGE = "Indexing failed; see the server log."


def job_document(job: Job, *, here: bool) -> JobDocument:
    """Convert a job.

    Args:
        job: the job.
        here: whether the client is on this machine, and so may see its paths.
    """
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
        "message": job.message if here or job.state != "failed" else _FAILED_MESSAGE,
    }


_JOBS_RESPONSE: dict[str, Any] = {"model": list[JobDocument]}


def _names(state: ServerState, collection: str | None) -> list[str]:
    name = collection_name(state, collection)
    return [c.name for c in state.collections] if name is None else [name]


def _require_allowed(state: ServerState) -> None:
    if not state.options.may_index:
        raise Problem(
            403,
            "Indexing over the network is disabled. Start the server with --allow-index.",
        )


@router.post("/v1/index", status_code=202, responses={202: _JOBS_RESPONSE}, response_model=None)
def begin(state: State, collection: CollectionName = None) -> JSON:
    """Start indexing collections; running jobs continue."""
    _require_allowed(state)
    jobs = state.jobs.begin(_names(state, collection))
    return JSON([job_document(job, here=state.options.is_loopback) for job in jobs], 202)


@router.get("/v1/index", responses={200: _JOBS_RESPONSE}, response_model=None)
def show(state: State) -> JSON:
    """Return the progress of each indexing job."""
    return JSON([job_document(job, here=state.options.is_loopback) for job in state.jobs.all()])


@router.delete("/v1/index", responses={200: _JOBS_RESPONSE}, response_model=None)
def cancel(state: State, collection: CollectionName = None) -> JSON:
    """Cancel indexing after the current batch; committed work is kept."""
    _require_allowed(state)
    jobs = state.jobs.cancel(_names(state, collection))
    return JSON([job_document(job, here=state.options.is_loopback) for job in jobs])


@router.get(
    "/v1/index/events",
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events `progress`."}},
    response_model=None,
)
async def events(request: Request, state: State) -> StreamingResponse:
    """Stream server-sent events (HTML standard, 9.2): one `progress` per change of a job."""
    if state.streams >= state.options.limits.streams:
        message = "Too many event streams are open. Poll GET /v1/index instead."
        raise Problem(503, message, headers={"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_follow(request, state), 200, headers, "text/event-stream")


async def _follow(request: Request, state: ServerState) -> AsyncIterator[str]:
    state.streams += 1
    try:
        sent: dict[str, Job] = {}
        quiet = 0.0
        while not state.is_stopping() and not await request.is_disconnected():
            changed = [job for job in state.jobs.all() if sent.get(job.collection) != job]
            for job in changed:
                sent[job.collection] = job
                document = job_document(job, here=state.options.is_loopback)
                yield f"event: progress\ndata: {json.dumps(document)}\n\n"
            quiet = 0.0 if changed else quiet + _POLL_SECONDS
            if quiet >= _KEEPALIVE_SECONDS:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        state.streams -= 1
