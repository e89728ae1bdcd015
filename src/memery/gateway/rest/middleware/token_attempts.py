"""Slows down and logs clients that guess the token."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from memery.gateway.rest.middleware.rate_limit import (
    CLIENTS_REMEMBERED,
    TokenBuckets,
    too_many_requests,
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Client:
    """The state of an address."""

    wrong: deque[bytes]
    failures: int = 0
    is_known: bool = False


class TokenAttempts:
    """Counts the wrong tokens of each client.

    A client may send a few different wrong tokens at once, then one per interval; beyond that its
    tokens are not checked. A client that has sent the right token before is still admitted with it,
    because it may share its address with the attacker. A repeated wrong token counts once, because
    old pages in a browser keep sending theirs.

    Args:
        limit: different wrong tokens of one client at once.
        seconds: seconds until it may send another wrong token.
        clock: a monotonic clock, seconds.
    """

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._buckets = TokenBuckets(1 / seconds, limit, clock)
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def check(self, client: str, sent: str, expected: str) -> bool:
        """Whether a client sent the right token.

        Args:
            client: its address.
            sent: the token that it sent.
            expected: the right token.

        Raises:
            Problem: 429, the client sent too many wrong tokens.
        """
        sent_bytes, expected_bytes = sent.encode("utf-8", "replace"), expected.encode()
        # Keyed with the secret: a value may be wrong as the token and right as the cookie.
        digest = hmac.digest(expected_bytes, sent_bytes, hashlib.sha256)
        state = self._client(client)
        if digest in state.wrong:
            return False
        wait = self._buckets.wait(client)
        if (state.is_known or not wait) and hmac.compare_digest(sent_bytes, expected_bytes):
            state.is_known = True
            return True
        state.failures += 1
        if wait:
            raise too_many_requests(wait, "Too many wrong tokens")
        self._buckets.take(client)
        logger.warning("Wrong token from %s: %d so far.", client or "a socket", state.failures)
        state.wrong.append(digest)
        return False

    def _client(self, client: str) -> _Client:
        """The state of a client."""
        state = self._clients.pop(client, None) or _Client(deque(maxlen=self._limit))
        self._clients[client] = state
        if len(self._clients) > CLIENTS_REMEMBERED:
            self._clients.popitem(last=False)
        return state
