"""HTTP client of the encoder protocol (docs/encoder-protocol.md).

Only this module imports urllib3.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memery.errors import ModelError
from memery.models.checks import CONTEXT_MAX, DIM_MAX, number, read_resize
from memery.models.interface import ModelInfo
from memery.models.protocol import (
    ENCODE_PATH,
    FACTS_PATH,
    FINGERPRINT,
    PICTURES,
    PROTOCOL,
    SHAPE,
    VECTORS,
)
from memery.process.forks import ForkAware
from memery.text.plurals import counted

if TYPE_CHECKING:
    import numpy as np
    import urllib3
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_CONNECT, _READ = 5.0, 120.0
"""Connect and read timeouts in seconds."""
_TRIES = 4
_BACKOFF, _BACKOFF_MAX = 0.3, 20.0
"""Seconds: waits double from _BACKOFF up to _BACKOFF_MAX, with a random jitter of _BACKOFF."""
_FACTS_BYTES = 64 << 10
_BATCH_MAX, _TEXT_MAX = 4096, 500
_OK = 200
_MESSAGES = {
    401: "rejects the token: set MEMERY_TOKEN to a valid one",
    403: "denies access: set MEMERY_TOKEN to a token that is allowed to encode",
    404: "is not a memery encoder: check the address",
    413: "rejects batches of the size that it advertises: update it",
}


class RemoteModel(ForkAware):
    """A model that runs on a remote encoder; its facts are requested once.

    Args:
        url: address of the server, such as http://host:8080.
        token: access token of the server, or "".

    Raises:
        ModelError: the URL is invalid.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._token = token
        try:
            self._host = urlsplit(url).hostname or ""
        except ValueError as error:
            raise ModelError(f"{url!r} is not a valid encoder address: {error}.") from error
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """Open new connections in a child: processes that share one get each other's responses."""
        if in_child:
            self.__dict__.pop("_pool", None)

    @cached_property
    def info(self) -> ModelInfo:
        """Facts that the server reports about its model.

        Raises:
            ModelError: the server cannot be reached, refuses, or reports invalid facts.
        """
        return _info(self._facts, self._url)

    @cached_property
    def _facts(self) -> dict[str, Any]:
        answer = self._request("GET", FACTS_PATH, limit=_FACTS_BYTES)
        try:
            facts = json.loads(answer)
        except ValueError:
            raise ModelError(f"{self._url} {_MESSAGES[404]}.") from None
        if not isinstance(facts, dict) or facts.get("protocol") != PROTOCOL:
            version = facts.get("protocol") if isinstance(facts, dict) else None
            raise ModelError(
                f"{self._url} uses version {version!r} of the encoder protocol, this memery version"
                f" {PROTOCOL}: update the older one."
            )
        return facts

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode N × size × size × 3 RGB images (uint8) as N × dim embeddings (float32)."""
        import numpy as np

        step = self._batch
        parts = [
            self._vectors(
                np.ascontiguousarray(part).tobytes(),
                {"Content-Type": PICTURES, SHAPE: "x".join(map(str, part.shape))},
                len(part),
            )
            for part in (images[start : start + step] for start in range(0, len(images), step))
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.info.dim), np.float32)

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts as N × dim embeddings (float32)."""
        import numpy as np

        parts = []
        for start in range(0, len(texts), self._batch):
            part = list(texts[start : start + self._batch])
            body = json.dumps({"texts": part}).encode("ascii")
            headers = {"Content-Type": "application/json"}
            parts.append(self._vectors(body, headers, len(part)))
        return np.concatenate(parts) if parts else np.empty((0, self.info.dim), np.float32)

    @property
    def _batch(self) -> int:
        batch = self._facts.get("max_batch")
        return batch if isinstance(batch, int) and 0 < batch <= _BATCH_MAX else 1

    def _vectors(self, body: bytes, headers: dict[str, str], count: int) -> NDArray[np.float32]:
        import numpy as np

        dim = self.info.dim
        answer = self._request(
            "POST", ENCODE_PATH, body, headers | {"Accept": VECTORS}, limit=4 * count * dim
        )
        if len(answer) != 4 * count * dim:
            raise ModelError(
                f"{self._url} sent {counted(len(answer), 'byte')} for {counted(count, 'vector')} of"
                f" {counted(dim, 'number')}:"
                " report this to its operator."
            )
        vectors: NDArray[np.float32] = np.frombuffer(answer, dtype="<f4").reshape(count, dim)
        return vectors

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        limit: int,
    ) -> bytes:
        """Send a request and return the response body of at most `limit` bytes.

        Raises:
            ModelError: the server does not respond, its response is longer or an error, or it
                comes from another model.
        """
        import urllib3

        sent = dict(headers or {})
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        for attempt in range(_TRIES):
            try:
                response = self._pool.request(
                    method,
                    f"{self._url}{path}",
                    body=body,
                    headers=sent,
                    preload_content=False,
                )
                answer = _read(response, limit)
                break
            except urllib3.exceptions.ProtocolError as error:  # connection lost during the response
                if attempt == _TRIES - 1:
                    raise ModelError(self._unreachable(error)) from error
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                raise ModelError(self._unreachable(error)) from error
        self._check(response, answer, limit, method)
        return answer

    def _unreachable(self, error: Exception) -> str:
        reason = getattr(error, "reason", None) or error
        return (
            f"The encoder {self._url} does not answer ({type(reason).__name__}): check that it runs"
            " and is reachable from this machine."
        )

    def _check(
        self, response: urllib3.BaseHTTPResponse, answer: bytes, limit: int, method: str
    ) -> None:
        if response.status != _OK:
            what = _MESSAGES.get(response.status)
            detail = "" if what else f" ({_title(answer)})"
            what = what or f"answered with the error {response.status}{detail}"
            raise ModelError(f"The encoder {self._url} {what}.")
        if len(answer) > limit:
            raise ModelError(f"The response of the encoder {self._url} exceeds the expected size.")
        fingerprint = response.headers.get(FINGERPRINT, "")
        if method == "POST" and fingerprint != self.info.fingerprint:
            raise ModelError(
                f"The encoder {self._url} now runs a different model: run the command again."
            )

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        import urllib3

        if urlsplit(self._url).scheme == "http" and not _is_local(self._host):
            logger.warning("Images and texts are sent to %s unencrypted: use https.", self._host)
        return urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT, read=_READ),
            retries=urllib3.Retry(
                total=_TRIES,
                # Encoding is idempotent, so POST requests may be retried too.
                allowed_methods=None,
                status_forcelist=(429, 502, 503, 504),
                backoff_factor=_BACKOFF,
                backoff_max=_BACKOFF_MAX,
                backoff_jitter=_BACKOFF,
                retry_after_max=int(_BACKOFF_MAX),
                raise_on_status=False,
                redirect=False,
            ),
        )


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """Read at most one byte more than the limit; close the connection if there is more."""
    answer = response.read(limit + 1)
    if len(answer) > limit:
        response.close()
    response.release_conn()
    return answer


def _is_local(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _title(answer: bytes) -> str:
    """Return the title of a problem document (RFC 9457), shortened."""
    try:
        title = str(json.loads(answer)["title"])
    except (ValueError, KeyError, TypeError):
        title = "no details"
    return "".join(char for char in title if char.isprintable())[:_TEXT_MAX]


def _info(facts: dict[str, Any], url: str) -> ModelInfo:
    """Validate the facts of a model."""
    try:
        return ModelInfo(
            model_id=_text(facts["model_id"]),
            fingerprint=_text(facts["fingerprint"]),
            dim=number(facts["dim"], DIM_MAX),
            resize=read_resize(facts["image"]),
            text_context=number(facts["text_context"], CONTEXT_MAX),
            licence=_text(facts.get("licence", "")),
            source=f"{_text(facts.get('source', ''))} at {url}",
            size=0,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{url} reports invalid model facts: {error}.") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _TEXT_MAX or not value.isprintable():
        raise ValueError(f"{str(value)[:40]!r} is not a short printable string")
    return value
