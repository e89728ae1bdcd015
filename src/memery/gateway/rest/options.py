"""Options and limits of a server."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from memery.errors import ConfigError

_HOST = re.compile(r"[A-Za-z0-9._-]+")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
"""As browsers send it (RFC 6454, 6.2)."""
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Limits:
    """Rate, concurrency, size and timeout limits.

    Attributes:
        requests: number of concurrent requests.
        streams: number of concurrent event streams.
        rate: requests per second of one address, on average.
        burst: requests of one address at once.
        wrong_tokens: different wrong tokens of one address at once.
        wrong_token_seconds: seconds until an address may send another wrong token.
        body: size of one request body, bytes.
        json: size of a search as JSON, bytes.
        bodies: size of all request bodies in memory, bytes.
        body_seconds: seconds for a request body to arrive.
        idle_seconds: seconds that a client may stay idle within a request or response.
        image_bytes: size of one query image, bytes.
        pixels: number of pixels of a query image.
        images: number of images in one request.
        terms: number of terms in one query.
        uploads: total size of the uploaded images that are kept, bytes.
    """

    requests: int = 128
    streams: int = 32
    rate: float = 500.0
    burst: int = 2000
    wrong_tokens: int = 10
    wrong_token_seconds: float = 10.0
    body: int = 64 << 20
    json: int = 512 << 10
    bodies: int = 512 << 20
    body_seconds: float = 60.0
    idle_seconds: float = 15.0
    image_bytes: int = 32 << 20
    pixels: int = 100_000_000
    images: int = 8
    terms: int = 32
    uploads: int = 64 << 20

    def for_encoding(self, batch: int) -> Limits:
        """Return these limits with as many images per request as a batch of the model has."""
        return replace(self, images=batch + 1)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `memery serve`.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 picks a free one.
        token: token that clients must send; "" requires none.
        allowed_hosts: additional host names of the server.
        root_path: path prefix that a reverse proxy adds.
        forwarded_allow: addresses or networks of trusted proxies.
        cors_origins: origins whose pages may call the API.
        allow_index: let clients on other machines start the indexing flow.
        encoder_only: serve only the model.
        limits: limits for clients.

    Raises:
        ConfigError: a value is invalid.
    """

    host: str = "127.0.0.1"
    port: int = 7890
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()
    root_path: str = ""
    forwarded_allow: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    allow_index: bool = False
    encoder_only: bool = False
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise ConfigError(
                "--token must consist of ASCII letters, digits and punctuation, without spaces."
            )
        if not _ROOT_PATH.fullmatch(self.root_path):
            raise ConfigError(
                f"Invalid --root-path {self.root_path}: it must begin with a slash, for example"
                " /photos."
            )
        for name in self.allowed_hosts:
            if not _HOST.fullmatch(name) and as_address(name) is None:
                raise ConfigError(
                    f"Invalid --allowed-host {name}: use a host name without scheme, port and path,"
                    " for example photos.example."
                )
        for address in self.forwarded_allow:
            if as_network(address) is None:
                raise ConfigError(
                    f"Invalid --forwarded-allow {address}: use the proxy's address, for example"
                    " 10.0.0.7, or its network, for example 10.0.0.0/24."
                )
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"Invalid --cors-origin {origin}: use one site, lower case, without a path, for"
                    " example https://site.example."
                )

    def strip_root_path(self, path: str) -> str:
        """Strip the path prefix of the reverse proxy from a request path."""
        return path[len(self.root_path) :] if path.startswith(f"{self.root_path}/") else path

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        address = as_address(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    @property
    def may_index(self) -> bool:
        """Whether clients may start the indexing flow."""
        return self.is_loopback or self.allow_index


def as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse a host as an IP address; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def as_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Parse an address or network; None if it is neither."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
