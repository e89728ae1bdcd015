"""Runs the server: sockets, signals, an end in good order. The one module that imports uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from memery import assembly
from memery.config import load_config
from memery.errors import ConfigError
from memery.gateway.collections import Collections
from memery.gateway.jobs import IndexJobs
from memery.gateway.rest.app import make_app
from memery.gateway.rest.metrics import Metrics
from memery.gateway.rest.options import Options, as_address
from memery.gateway.rest.state import Service
from memery.gateway.rest.uploads import Uploads

_HEADER_BYTES = 32 << 10
_KEEP_ALIVE, _FAREWELL = 30, 10
"""Seconds that an idle connection, and running requests at the end, are waited for."""
_BACKLOG = 256
_TOKEN_BYTES = 24


def serve(
    paths: Sequence[str | os.PathLike[str]],
    options: Options,
    *,
    settings: dict[str, Any],
    index: bool = True,
    say: Callable[[str], None] = lambda _: None,
    opened: Callable[[str], None] = lambda _: None,
) -> None:
    """Answer requests until the process is told to end.

    Args:
        paths: the folders; none with `options.encoder_only`.
        options: how to be run.
        settings: fields of `Config`.
        index: bring the folders up to date first, while answering already.
        say: told the address, in words.
        opened: called with the address once the server listens.

    Raises:
        ConfigError: the address cannot be listened on.
        MemeryError: a folder or the model cannot be opened.
    """
    if not options.is_loopback and not options.token:
        options = replace(options, token=secrets.token_urlsafe(_TOKEN_BYTES))
    with _listening(options) as listener, _opened(paths, options, settings) as service:
        port = listener.getsockname()[1]
        server = uvicorn.Server(_config(make_app(service, port), options))
        service.is_stopping = lambda: server.should_exit
        if index:
            service.jobs.begin([c.name for c in service.collections])
        address = _address(options, port)
        link = f"{address}/?token={options.token}" if options.token else address
        if options.encoder_only and options.token:  # it has no page that a link could open
            say(f"Serving {_what(service)} on {address} with the token {options.token}")
        else:
            say(f"Serving {_what(service)} on {link}")
        opened(link)
        with _told_to_end():
            server.run(sockets=[listener])


@contextlib.contextmanager
def _opened(
    paths: Sequence[str | os.PathLike[str]], options: Options, settings: dict[str, Any]
) -> Iterator[Service]:
    """The parts of a server, closed at the end."""
    config = load_config(**settings)
    if config.isolate is None:  # an image that a client sends must not end the server
        settings = settings | {"isolate": True}
        config = replace(config, isolate=True)
    decoder = assembly.make_decoder(config)
    with contextlib.closing(Collections(paths, **settings)) as collections:
        jobs = IndexJobs(collections)
        with contextlib.closing(jobs):
            yield Service(
                options=options,
                model=collections.model(),
                metrics=Metrics(),
                uploads=Uploads(options.limits.uploads, options.limits.pixels, decoder),
                collections=collections,
                jobs=jobs,
                decoder=decoder,
            )


def _listening(options: Options) -> socket.socket:
    is_v6 = isinstance(as_address(options.host), IPv6Address)
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    try:
        listener = socket.create_server(
            (options.host.strip("[]"), options.port), family=family, backlog=_BACKLOG
        )
    except (OSError, OverflowError, TypeError, UnicodeError) as error:  # the latter: no host's name
        what = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{options.host} port {options.port} cannot be listened on: {what}."
            " Name another with --port, or 0 for a free one."
        ) from None
    # Head and body are two writes: without this the second waits 40 ms for the first's receipt.
    # asyncio does it only for sockets that were made with a protocol's number.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(app: Any, options: Options) -> uvicorn.Config:
    class Patient(_Patient):
        head_seconds = options.limits.idle_seconds

    return uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.forwarded_allow),
        forwarded_allow_ips=list(options.forwarded_allow),
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_FAREWELL,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


class _Patient(H11Protocol):
    """Waits for the head of a request, but not without end."""

    head_seconds: float
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def data_received(self, data: bytes) -> None:
        if self._head is None and self._is_idle():
            self._head = self.loop.call_later(self.head_seconds, self._give_up)
        super().data_received(data)
        if self._head is not None and not self._is_idle():
            self._head.cancel()
            self._head = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head is not None:
            self._head.cancel()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        self._head = None
        if self._is_idle():
            self.transport.close()


@contextlib.contextmanager
def _told_to_end() -> Iterator[None]:
    """Uvicorn ends in good order at a signal, then sends it once more: that one is the last."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    for kind in before:
        signal.signal(kind, lambda *_: None)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def log_requests() -> None:
    """Write a line of JSON per answer to standard error."""
    logger = logging.getLogger("memery.access")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    # It warns of every odd form that a client sends: the answer says so, the log need not.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _address(options: Options, port: int) -> str:
    host = options.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}{options.root_path}"


def _what(service: Service) -> str:
    if service.options.encoder_only:
        return f"the encoder {service.model.info.model_id}"
    count = len(list(service.collections))
    return "1 collection" if count == 1 else f"{count} collections"
