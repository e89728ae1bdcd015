"""Rate, concurrency, size and timeout limits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memery.gateway.rest.options import Limits, Options, as_address
from memery.gateway.rest.schemas.problems import ClientTooSlowError, Problem
from memery.text.plurals import counted

logger = logging.getLogger(__name__)

CLIENTS_REMEMBERED = 4096
"""Maximum number of addresses with a state."""
_METHODS_WITH_BODY = frozenset(["POST", "PUT", "PATCH", "DELETE"])
_STREAM = "/v1/index/events"
_IPV6_PREFIX = 64


class RateLimitMiddleware:
    """Refuses requests beyond the limits before they reach the application.

    Args:
        app: the wrapped application.
        options: options of the server.
    """

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._options = options
        self._limits = options.limits
        self._active = 0
        self._buffered_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":  # lifespan events
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        is_limited = self._options.strip_root_path(scope["path"]) != _STREAM
        self._active += is_limited
        body = _Body(self, scope, receive, self._limits)
        sender = _Sender(send, self._limits.idle_seconds)
        try:
            await self._app(scope, body.receive, sender.send)
        except Problem as problem:  # found while the body was being read
            if not sender.started:
                await problem.response()(scope, receive, sender.send)
        except ClientTooSlowError:
            logger.debug("A client read its response too slowly.")
        finally:
            self._active -= is_limited
            self._buffered_bytes -= body.size

    def _admit(self, scope: Scope) -> None:
        if self._active >= self._limits.requests:
            message = "The server is overloaded: try again shortly."
            raise Problem(503, message, headers={"Retry-After": "1"})
        content_length = Headers(scope=scope).get("content-length", "0")
        if not content_length.isdecimal() or int(content_length[:20]) > self.max_bytes(scope):
            raise self.too_large(scope)

    def max_bytes(self, scope: Scope) -> int:
        """Return the maximum size of the body, bytes."""
        return self._limits.body if scope["method"] in _METHODS_WITH_BODY else 0

    def too_large(self, scope: Scope) -> Problem:
        """Make the response to a body that is too large."""
        message = f"The body is too large: the limit is {counted(self.max_bytes(scope), 'byte')}."
        return Problem(413, message, headers={"Connection": "close"})

    def reserve(self, count: int) -> None:
        """Reserve memory for a part of a body.

        Args:
            count: size of the part, bytes.

        Raises:
            Problem: all bodies together would be too large.
        """
        if self._buffered_bytes + count > self._limits.bodies:
            message = "The server has too many uploads in progress: try again shortly."
            raise Problem(503, message, headers={"Retry-After": "2", "Connection": "close"})
        self._buffered_bytes += count


class _Body:
    """Receives a request body within its size and time limits."""

    def __init__(
        self, owner: RateLimitMiddleware, scope: Scope, receive: Receive, limits: Limits
    ) -> None:
        self._owner = owner
        self._scope = scope
        self._receive = receive
        self._idle = limits.idle_seconds
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + limits.body_seconds
        self._complete = False
        self.size = 0

    async def receive(self) -> Message:
        """ASGI."""
        if self._complete:  # only the disconnect of the client can follow
            return await self._receive()
        timeout = min(self._idle, self._until - self._clock())
        try:
            message = await asyncio.wait_for(self._receive(), max(timeout, 0))
        except TimeoutError:
            message_ = "The body took too long to arrive."
            raise Problem(408, message_, headers={"Connection": "close"}) from None
        if message["type"] == "http.request":
            count = len(message.get("body", b""))
            if self.size + count > self._owner.max_bytes(self._scope):
                raise self._owner.too_large(self._scope)
            self._owner.reserve(count)
            self.size += count
            self._complete = not message.get("more_body", False)
        return message


class _Sender:
    """Sends a response; gives up if the client does not read it."""

    def __init__(self, send: Send, idle_seconds: float) -> None:
        self._send = send
        self._idle = idle_seconds
        self.started = False

    async def send(self, message: Message) -> None:
        """ASGI."""
        self.started = True
        try:
            await asyncio.wait_for(self._send(message), self._idle)
        except TimeoutError:
            raise ClientTooSlowError from None


class TokenBuckets:
    """A token bucket per address (the "leaky bucket" of ITU-T I.371).

    Args:
        rate: tokens added per second.
        burst: capacity of a bucket, tokens.
        clock: a monotonic clock, seconds.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token.

        Returns:
            The seconds to wait for a token; 0 if one was taken.
        """
        tokens, now = self._tokens(client)
        wait = self._seconds(tokens)
        self._buckets[client] = (tokens - (not wait), now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        return wait

    def wait(self, client: str) -> float:
        """Return the seconds to wait for a token, without taking one."""
        return self._seconds(self._tokens(client)[0])

    def _tokens(self, client: str) -> tuple[float, float]:
        """The number of tokens in the bucket of a client, and the current time."""
        now = self._clock()
        tokens, since = self._buckets.get(client, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._rate), now

    def _seconds(self, tokens: float) -> float:
        return 0.0 if tokens >= 1 else (1 - tokens) / self._rate


def client_of(scope: Scope) -> str:
    """Return the client's address; behind a trusted proxy, the one that the proxy reports.

    For IPv6 it is the /64 network, because a client owns all its addresses (RFC 6177).
    """
    host = scope["client"][0] if scope.get("client") else ""
    address = as_address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
    return host


def too_many_requests(seconds: float, reason: str) -> Problem:
    """Make the response to a client that has to wait."""
    wait = str(int(seconds) + 1)
    return Problem(429, f"{reason}: wait {wait} s.", headers={"Retry-After": wait})
