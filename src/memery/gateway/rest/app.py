"""Assembles the ASGI application: the routes, wrapped in the middleware."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio.to_thread
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from memery.config import processors
from memery.gateway.rest.middleware.access_log import AccessLogMiddleware
from memery.gateway.rest.middleware.auth import AuthMiddleware
from memery.gateway.rest.middleware.head import HeadMiddleware
from memery.gateway.rest.middleware.rate_limit import RateLimitMiddleware
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
from memery.gateway.rest.schemas.responses import ProblemDocument
from memery.gateway.rest.state import ServerState

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

_NO_TELEMETRY: TelemetryConfig = {
    "auto_configure": False,
    "tracing": False,
    "metrics": False,
    "logs": False,
}
"""Off: spans contain URLs, and so queries, which an exporter would send elsewhere."""
_ROUTES = (search, images, uploads, collections, index_jobs)


def make_app(state: ServerState, port: int) -> ASGIApp:
    """Make the application.

    Args:
        state: what the routes work on.
        port: the port that the server listens on.

    Returns:
        The application with its middleware.
    """
    app = _application(state)
    wrapped: ASGIApp = app
    if state.options.cors_origins:
        wrapped = CORSMiddleware(
            wrapped,
            allow_origins=state.options.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    wrapped = RateLimitMiddleware(wrapped, state.options)
    wrapped = AuthMiddleware(wrapped, state.options, port)
    return AccessLogMiddleware(HeadMiddleware(wrapped), state.metrics)


@contextlib.asynccontextmanager
async def _with_threads(_: FastAPI) -> AsyncIterator[None]:
    """Limit the worker threads to what keeps the processors busy; more would only use memory."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = max(8, 4 * processors())
    yield


def _application(state: ServerState) -> FastAPI:
    from memery import __version__

    problem_response = {
        "model": ProblemDocument,
        "content": {problems.MEDIA_TYPE: {}},
        "description": "A problem document (RFC 9457).",
    }
    app = FastAPI(
        title="memery",
        version=__version__,
        summary="Search folders of images by text or by image.",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # Swagger UI would be loaded from another origin
        redoc_url=None,
        responses={"4XX": problem_response, "5XX": problem_response},
        redirect_slashes=False,
        lifespan=_with_threads,
        root_path=state.options.root_path,
        telemetry=_NO_TELEMETRY,
    )
    app.state.server = state
    problems.add_exception_handlers(app)
    strict = [Depends(parameters.reject_unknown_params)]
    if not state.options.encoder_only:
        for route in _ROUTES:
            app.include_router(route.router, dependencies=strict)
        app.include_router(
            page.router
        )  # not strict: the page's script reads the parameters of a search
    for route in (encode, health):
        app.include_router(route.router, dependencies=strict)
    state.metrics.add_gauges(lambda: health.gauges(state))
    return app
