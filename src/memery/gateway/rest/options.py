"""How a server is run, and what it allows."""

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
    """What one client may ask for, and all of them together.

    Attributes:
        requests: that are answered at the same time.
        streams: of events, likewise.
        rate: requests per second of one address, in the long run.
        burst: requests of one address at once.
        wrong_tokens: different ones of one address at once.
        wrong_token_seconds: until an address may show another one.
        body: bytes of one request.
        json: bytes of a search as JSON.
        bodies: bytes of all requests that are being answered.
        body_seconds: for a request's body to arrive.
        idle_seconds: that a client may let pass within a request or an answer.
        picture: bytes of one picture to search for.
        pixels: of such a picture.
        pictures: in one request.
        terms: in one query.
        uploads: bytes of uploaded pictures that are kept.
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
    picture: int = 32 << 20
    pixels: int = 100_000_000
    pictures: int = 8
    terms: int = 32
    uploads: int = 64 << 20

    def for_encoding(self, batch: int) -> Limits:
        """The same with as many pictures in a request as the model takes."""
        return replace(self, pictures=batch + 1)


@dataclass(frozen=True, slots=True)
class Options:
    """What `memery serve` was asked for.

    Attributes:
        host: address to listen on.
        port: likewise; 0 takes a free one.
        token: what clients must show; "" means none.
        allowed_hosts: names under which the server may be addressed, beside its own.
        root_path: what a proxy has before the server's own paths.
        forwarded_allow: addresses of proxies that are believed.
        cors_origins: pages of other servers that may ask.
        allow_index: let clients of other machines start the indexing flow.
        encoder_only: serve the model alone.
        limits: see there.

    Raises:
        ConfigError: a value is none of its kind.
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
            raise ConfigError("--token must be of ASCII letters, digits and signs, without spaces.")
        if not _ROOT_PATH.fullmatch(self.root_path):
            raise ConfigError(
                f"--root-path {self.root_path} must begin with a slash and hold names alone, as"
                " /photos."
            )
        for name in self.allowed_hosts:
            if not _HOST.fullmatch(name) and as_address(name) is None:
                raise ConfigError(
                    f"--allowed-host {name} is no host's name: give it without http://, port and"
                    " path, as photos.example."
                )
        for address in self.forwarded_allow:
            if as_network(address) is None:
                raise ConfigError(
                    f"--forwarded-allow {address} is no address: give the proxy's own, as 10.0.0.7,"
                    " or its network, as 10.0.0.0/24."
                )
        for origin in self.cors_origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"--cors-origin {origin} is no origin: give one site, in lower case and without"
                    " a path, as https://site.example."
                )

    def inside(self, path: str) -> str:
        """The path of a request without what a proxy has before it."""
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
    """A host as an IP address; None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def as_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or a range of addresses; None if it is neither."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
