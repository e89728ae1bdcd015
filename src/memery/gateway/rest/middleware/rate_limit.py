"""How much one client, and all together, may ask for; and how slowly."""

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
from memery.gateway.rest.schemas.problems import Problem, SlowClientError
from memery.text.plurals import counted

logger = logging.getLogger(__name__)

CLIENTS_REMEMBERED = 4096
"""Addresses of which anything is remembered."""
_WRITING = frozenset(["POST", "PUT", "PATCH", "DELETE"])
_STREAM = "/v1/index/events"
_IPV6_PREFIX = 64


class Limited:
    """Refuses what goes beyond the limits, before the application sees it.

    Args:
        app: the application.
        options: how the server is run.
    """

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._options = options
        self._limits = options.limits
        self._running = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":  # the application's beginning and end
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        counted = self._options.inside(scope["path"]) != _STREAM
        self._running += counted
        body = _Body(self, scope, receive, self._limits)
        sender = _Sender(send, self._limits.idle_seconds)
        try:
            await self._app(scope, body.receive, sender.send)
        except Problem as problem:  # found while the body was being read
            if not sender.started:
                await problem.response()(scope, receive, sender.send)
        except SlowClientError:
            logger.debug("A client took too long to take its answer.")
        finally:
            self._running -= counted
            self._held -= body.size

    def _admit(self, scope: Scope) -> None:
        if self._running >= self._limits.requests:
            message = "The server has more to do than it can: try again shortly."
            raise Problem(503, message, headers={"Retry-After": "1"})
        stated = Headers(scope=scope).get("content-length", "0")
        if not stated.isdecimal() or int(stated[:20]) > self.most(scope):
            raise self.too_large(scope)

    def most(self, scope: Scope) -> int:
        """Bytes that the body may have."""
        return self._limits.body if scope["method"] in _WRITING else 0

    def too_large(self, scope: Scope) -> Problem:
        """The answer to a body that is larger."""
        message = f"The body is too large: the limit is {counted(self.most(scope), 'byte')}."
        return Problem(413, message, headers={"Connection": "close"})

    def hold(self, count: int) -> None:
        """Count bytes that are kept in memory; refuse them where all bodies together are large."""
        if self._held + count > self._limits.bodies:
            message = "The server holds as many uploads as it can: try again shortly."
            raise Problem(503, message, headers={"Retry-After": "2", "Connection": "close"})
        self._held += count


class _Body:
    """A request's body as it arrives: counted, and not waited for without end."""

    def __init__(self, owner: Limited, scope: Scope, receive: Receive, limits: Limits) -> None:
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
        if self._complete:  # what comes next is the client's going away, whenever that is
            return await self._receive()
        left = min(self._idle, self._until - self._clock())
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0))
        except TimeoutError:
            message_ = "The body took too long to arrive."
            raise Problem(408, message_, headers={"Connection": "close"}) from None
        if message["type"] == "http.request":
            count = len(message.get("body", b""))
            if self.size + count > self._owner.most(self._scope):
                raise self._owner.too_large(self._scope)
            self._owner.hold(count)
            self.size += count
            self._complete = not message.get("more_body", False)
        return message


class _Sender:
    """The answer on its way: a client that takes nothing is given up."""

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
            raise SlowClientError from None


class Rates:
    """A bucket of tokens per address (the "leaky bucket" of ITU-T I.371).

    Args:
        rate: tokens that come per second.
        burst: tokens that a bucket holds.
        clock: seconds that never go back.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token; returns the seconds to wait for one, 0 where there was one."""
        tokens, now = self._tokens(client)
        wait = self._seconds(tokens)
        self._buckets[client] = (tokens - (not wait), now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > CLIENTS_REMEMBERED:
            self._buckets.popitem(last=False)
        return wait

    def wait(self, client: str) -> float:
        """The seconds to wait for a token, 0 where there is one; none is taken."""
        return self._seconds(self._tokens(client)[0])

    def _tokens(self, client: str) -> tuple[float, float]:
        """What is in a client's bucket, and the time."""
        now = self._clock()
        tokens, since = self._buckets.get(client, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._rate), now

    def _seconds(self, tokens: float) -> float:
        return 0.0 if tokens >= 1 else (1 - tokens) / self._rate


def client_of(scope: Scope) -> str:
    """The address that a request comes from; behind a trusted proxy the one that the proxy names.

    Of IPv6 it is the network of 64 bits: a client has all of its addresses (RFC 6177).
    """
    host = scope["client"][0] if scope.get("client") else ""
    address = as_address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
    return host


def too_many(seconds: float, what: str) -> Problem:
    """The answer to a client that has to wait."""
    shown = str(int(seconds) + 1)
    return Problem(429, f"{what}: wait {shown} s.", headers={"Retry-After": shown})
