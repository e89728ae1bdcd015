"""The state of a server, which the routes get as a FastAPI dependency."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from memery.config import processors
from memery.gateway.collections import Collections
from memery.gateway.jobs import IndexJobs
from memery.gateway.rest.metrics import Metrics
from memery.gateway.rest.options import Options
from memery.gateway.rest.uploads import Uploads
from memery.imaging import decoding as in_process
from memery.imaging.isolation import ImageDecoder
from memery.models.batching import SharedModel


@dataclass(slots=True)
class ServerState:
    """The state of a server.

    Attributes:
        options: options of the server.
        model: the model.
        metrics: the metrics.
        uploads: the uploaded query images.
        collections: the folders; empty if only the model is served.
        jobs: the indexing jobs of the folders.
        decoder: decodes the images that clients send.
        is_stopping: whether the server is shutting down.
        streams: number of open event streams.
    """

    options: Options
    model: SharedModel
    metrics: Metrics
    uploads: Uploads
    collections: Collections
    jobs: IndexJobs
    decoder: ImageDecoder = in_process
    is_stopping: Callable[[], bool] = field(default=lambda: False)
    streams: int = 0
    decoding: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(processors()))
    """Held while an image is decoded, which takes up to a few hundred megabytes of memory."""


def _state(request: Request) -> ServerState:
    state: ServerState = request.app.state.server
    return state


State = Annotated[ServerState, Depends(_state)]


def base_path(request: Request) -> str:
    """Return the path prefix that a reverse proxy adds."""
    return str(request.scope.get("root_path", "")).rstrip("/")
