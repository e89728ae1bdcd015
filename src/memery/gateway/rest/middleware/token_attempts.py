"""Slows down and records clients that guess the token."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from memery.gateway.rest.middleware.rate_limit import CLIENTS_REMEMBERED, Rates, too_many

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Client:
    """What is remembered of an address."""

    wrong: deque[bytes]
    failures: int = 0
    is_known: bool = False


class TokenAttempts:
    """Counts the wrong tokens of each client.

    A client may show a few different wrong tokens at once, then one in so many seconds; beyond that
    its tokens are not looked at. One that has shown the right token before is still let in with it:
    it may share its address with whoever guesses. The same wrong token again counts once, since old
    pages of a browser go on showing theirs.

    Args:
        limit: different wrong tokens of one client at once.
        seconds: until it may show another one.
        clock: seconds.
    """

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._rates = Rates(1 / seconds, limit, clock)
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def check(self, client: str, shown: str, right: str) -> bool:
        """Whether a client shows the right token.

        Raises:
            Problem: 429, the client has shown too many wrong ones.
        """
        shown_bytes, right_bytes = shown.encode("utf-8", "replace"), right.encode()
        # Keyed, because what is wrong as one secret may be right as another.
        digest = hmac.digest(right_bytes, shown_bytes, hashlib.sha256)
        seen = self._seen(client)
        if digest in seen.wrong:
            return False
        wait = self._rates.wait(client)
        if (seen.is_known or not wait) and hmac.compare_digest(shown_bytes, right_bytes):
            seen.is_known = True
            return True
        seen.failures += 1
        if wait:
            raise too_many(wait, "Too many wrong tokens")
        self._rates.take(client)
        logger.warning("Wrong token from %s: %d so far.", client or "a socket", seen.failures)
        seen.wrong.append(digest)
        return False

    def _seen(self, client: str) -> _Client:
        """What is remembered of a client."""
        seen = self._clients.pop(client, None) or _Client(deque(maxlen=self._limit))
        self._clients[client] = seen
        if len(self._clients) > CLIENTS_REMEMBERED:
            self._clients.popitem(last=False)
        return seen
