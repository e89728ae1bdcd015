"""What the resources work on: one object per server, reached through FastAPI's dependencies."""

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
class Service:
    """A server's parts.

    Attributes:
        options: how it is run.
        model: what encodes.
        metrics: what is counted.
        uploads: pictures to search for.
        collections: what is searched; None where the encoder is served alone.
        jobs: the indexing of those, likewise.
        decoder: what decodes pictures that clients send.
        is_stopping: says whether the server is about to end.
        streams: how many clients follow events now.
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
    """Held while a picture is decoded: each takes up to some hundred megabytes."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(_service)]


def base_path(request: Request) -> str:
    """What a proxy has before the server's own paths."""
    return str(request.scope.get("root_path", "")).rstrip("/")
