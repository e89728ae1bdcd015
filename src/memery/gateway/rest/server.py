"""Runs the server: socket, signals, shutdown. The one module that imports uvicorn."""

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
from memery.gateway.rest.state import ServerState
from memery.gateway.rest.uploads import Uploads

_HEADER_BYTES = 32 << 10
_KEEP_ALIVE_TIMEOUT, _SHUTDOWN_TIMEOUT = 30, 10
"""Seconds that an idle connection stays open, and that shutdown waits for running requests."""
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
    """Serve until the process is told to stop.

    Args:
        paths: the folders; empty with `options.encoder_only`.
        options: options of the server.
        settings: fields of `Config`.
        index: index the folders at start, while requests are already served.
        say: called with a message that contains the URL.
        opened: called with the URL once the server listens.

    Raises:
        ConfigError: the server cannot listen on the address.
        MemeryError: a folder or the model cannot be opened.
    """
    if not options.is_loopback and not options.token:
        options = replace(options, token=secrets.token_urlsafe(_TOKEN_BYTES))
    with _listen(options) as listener, _opened(paths, options, settings) as state:
        port = listener.getsockname()[1]
        server = uvicorn.Server(_config(make_app(state, port), options))
        state.is_stopping = lambda: server.should_exit
        if index:
            state.jobs.begin([c.name for c in state.collections])
        address = _address(options, port)
        link = f"{address}/?token={options.token}" if options.token else address
        if options.encoder_only and options.token:  # there is no page to open
            say(f"Serving {_description(state)} on {address} with the token {options.token}")
        else:
            say(f"Serving {_description(state)} on {link}")
        opened(link)
        with _graceful_signals():
            server.run(sockets=[listener])


@contextlib.contextmanager
def _opened(
    paths: Sequence[str | os.PathLike[str]], options: Options, settings: dict[str, Any]
) -> Iterator[ServerState]:
    """Open the state of a server, and close it at the end."""
    config = load_config(**settings)
    if config.isolate is None:  # a client's image must not crash the server
        settings = settings | {"isolate": True}
        config = replace(config, isolate=True)
    decoder = assembly.make_decoder(config)
    with contextlib.closing(Collections(paths, **settings)) as collections:
        jobs = IndexJobs(collections)
        with contextlib.closing(jobs):
            yield ServerState(
                options=options,
                model=collections.model(),
                metrics=Metrics(),
                uploads=Uploads(options.limits.uploads, options.limits.pixels, decoder),
                collections=collections,
                jobs=jobs,
                decoder=decoder,
            )


def _listen(options: Options) -> socket.socket:
    is_v6 = isinstance(as_address(options.host), IPv6Address)
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    try:
        listener = socket.create_server(
            (options.host.strip("[]"), options.port), family=family, backlog=_BACKLOG
        )
    except (
        OSError,
        OverflowError,
        TypeError,
        UnicodeError,
    ) as error:  # the latter two: invalid host name
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"Cannot listen on {options.host} port {options.port}: {reason}."
            " Choose another port with --port, or 0 for a free one."
        ) from None
    # Header and body are two writes: with Nagle's algorithm the second waits 40 ms for an ACK.
    # asyncio disables it only for sockets created with an explicit protocol number.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(app: Any, options: Options) -> uvicorn.Config:
    class HeaderTimeoutProtocol(_HeaderTimeoutProtocol):
        header_timeout = options.limits.idle_seconds

    return uvicorn.Config(
        app,
        http=HeaderTimeoutProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.forwarded_allow),
        forwarded_allow_ips=list(options.forwarded_allow),
        timeout_keep_alive=_KEEP_ALIVE_TIMEOUT,
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


class _HeaderTimeoutProtocol(H11Protocol):
    """Closes connections whose request header does not arrive in time."""

    header_timeout: float
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._header_timer = self.loop.call_later(self.header_timeout, self._on_header_timeout)

    def data_received(self, data: bytes) -> None:
        if self._header_timer is None and self._is_idle():
            self._header_timer = self.loop.call_later(self.header_timeout, self._on_header_timeout)
        super().data_received(data)
        if self._header_timer is not None and not self._is_idle():
            self._header_timer.cancel()
            self._header_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _on_header_timeout(self) -> None:
        self._header_timer = None
        if self._is_idle():
            self.transport.close()


@contextlib.contextmanager
def _graceful_signals() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after its graceful shutdown."""
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
    """Log one line of JSON per response to standard error."""
    logger = logging.getLogger("memery.access")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    # It warns about every malformed form; the client's response already reports it.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def _address(options: Options, port: int) -> str:
    host = options.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}{options.root_path}"


def _description(state: ServerState) -> str:
    if state.options.encoder_only:
        return f"the encoder {state.model.info.model_id}"
    count = len(list(state.collections))
    return "1 collection" if count == 1 else f"{count} collections"
