"""The application: resources below, and around them what guards, limits and records."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio.to_thread
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from memery.config import processors
from memery.gateway.rest.middleware.access_log import Logged
from memery.gateway.rest.middleware.auth import Access
from memery.gateway.rest.middleware.head import Heads
from memery.gateway.rest.middleware.rate_limit import Limited
from memery.gateway.rest.routes import (
    collections,
    encode,
    health,
    images,
    index_jobs,
    page,
    search,
    uploads,
)
from memery.gateway.rest.schemas import parameters, problems
from memery.gateway.rest.schemas.answers import ProblemDocument
from memery.gateway.rest.state import Service

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

_NO_TELEMETRY: TelemetryConfig = {
    "auto_configure": False,
    "tracing": False,
    "metrics": False,
    "logs": False,
}
"""Spans hold addresses, and so queries: no exporter that another program set up gets any."""
_RESOURCES = (search, images, uploads, collections, index_jobs)


def make_app(service: Service, port: int) -> ASGIApp:
    """Everything that answers a request.

    Args:
        service: the parts.
        port: that the server listens on.
    """
    app = _application(service)
    guarded: ASGIApp = app
    if service.options.cors_origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=service.options.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    guarded = Limited(guarded, service.options)
    guarded = Access(guarded, service.options, port)
    return Logged(Heads(guarded), service.metrics)


@contextlib.asynccontextmanager
async def _with_threads(_: FastAPI) -> AsyncIterator[None]:
    """As many threads as the processors keep busy: more would only hold memory."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = max(8, 4 * processors())
    yield


def _application(service: Service) -> FastAPI:
    from memery import __version__

    described = {
        "model": ProblemDocument,
        "content": {problems.MEDIA_TYPE: {}},
        "description": "A problem document (RFC 9457).",
    }
    app = FastAPI(
        title="memery",
        version=__version__,
        summary="Search folders of images by text or by picture.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # what draws it would come from another address
        redoc_url=None,
        responses={"4XX": described, "5XX": described},
        redirect_slashes=False,
        lifespan=_with_threads,
        root_path=service.options.root_path,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    problems.handle(app)
    strict = [Depends(parameters.refuse_others)]
    if not service.options.encoder_only:
        for resource in _RESOURCES:
            app.include_router(resource.router, dependencies=strict)
        app.include_router(page.router)  # its parameters are a search's, for its own script
    for resource in (encode, health):
        app.include_router(resource.router, dependencies=strict)
    service.metrics.watch(lambda: health.readings(service))
    return app
