"""Request rate, Host, Origin and token checks, and security headers."""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Address
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memery.gateway.rest.middleware.rate_limit import TokenBuckets, client_of, too_many_requests
from memery.gateway.rest.middleware.token_attempts import TokenAttempts
from memery.gateway.rest.options import Options, as_address
from memery.gateway.rest.schemas.problems import Problem

CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_PUBLIC_PATHS = frozenset(["/", "/healthz", "/readyz"])
"""Paths without private content, in addition to the files of the page."""
_SAFE_METHODS = frozenset(["GET", "HEAD", "OPTIONS"])
_UNSPECIFIED = frozenset(["0.0.0.0", "::"])  # noqa: S104 - only compared with
_LOGIN_SECONDS = 30 * 24 * 3600
"""Lifetime of the login cookie."""


class AuthMiddleware:
    """Checks rate, Host, Origin and token before a request reaches the application.

    Args:
        app: the wrapped application.
        options: options of the server.
        port: the port that the server listens on.
    """

    def __init__(self, app: ASGIApp, options: Options, port: int) -> None:
        self._app = app
        self._options = options
        self._hosts = _hosts(options)
        self._allowed_hosts = {name.lower() for name in options.allowed_hosts}
        self._cookie = f"memery_{port}"
        self._buckets = TokenBuckets(options.limits.rate, options.limits.burst)
        self._attempts = TokenAttempts(
            options.limits.wrong_tokens, options.limits.wrong_token_seconds
        )
        self._secret = hmac.digest(options.token.encode(), b"cookie", hashlib.sha256).hex()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":  # lifespan events
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if wait := self._buckets.take(client_of(scope)):
                raise too_many_requests(wait, "Too many requests")
            self._check_host(scope)
            self._check_origin(scope)
            if (token := self._token_in(scope)) is not None and self._options.token:
                await self._log_in(scope, token)(scope, receive, send_with_headers)
                return
            self._check_token(scope)
        except Problem as problem:
            await problem.response()(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check_host(self, scope: Scope) -> None:
        """Refuse unknown host names: another site's name may point here (DNS rebinding)."""
        host_headers = Headers(scope=scope).getlist("host")
        host = _host_of(host_headers[0]) if len(host_headers) == 1 else ""
        is_any_address = self._options.host in _UNSPECIFIED and as_address(host) is not None
        if host not in self._hosts and not is_any_address:
            raise Problem(
                421,
                "Unknown host name. Allow it with memery serve --allowed-host.",
            )

    def _check_origin(self, scope: Scope) -> None:
        """Refuse changes from pages of other sites (CSRF)."""
        if scope["method"] in _SAFE_METHODS:
            return
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        host = headers.get("host", "").lower()
        for origin in origins:
            origin_host = _host_and_port(origin)
            # A proxy may have replaced the Host of the request by its own name for the server.
            if not (
                origin_host in self._allowed_hosts
                or origin_host == host
                or origin in self._options.cors_origins
            ):
                raise Problem(403, "Pages of other sites may not do that here.")
        site = headers.get("sec-fetch-site", "none")
        if not origins and site not in ("none", "same-origin"):
            raise Problem(403, "Pages of other sites may not do that here.")

    def _check_token(self, scope: Scope) -> None:
        path = self._options.strip_root_path(scope["path"])
        is_public = path in _PUBLIC_PATHS or path.startswith("/page/")
        is_preflight = (
            scope["method"] == "OPTIONS" and self._options.cors_origins
        )  # a preflight carries no token
        if not self._options.token or is_preflight or (is_public and scope["method"] == "GET"):
            return
        headers = Headers(scope=scope)
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        bearer = credentials.strip() if scheme.lower() == "bearer" else ""
        cookie = self._cookie_in(headers)
        if not (
            self._matches(scope, bearer, self._options.token)
            or self._matches(scope, cookie, self._secret)
        ):
            raise Problem(
                401,
                "This server requires its token. Open the link that memery serve printed, or send"
                " Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _matches(self, scope: Scope, sent: str, expected: str) -> bool:
        """Whether a client sent the right token; sending none is not an attempt."""
        if not sent:
            return False
        return self._attempts.check(client_of(scope), sent, expected)

    def _token_in(self, scope: Scope) -> str | None:
        if self._options.strip_root_path(scope["path"]) != "/" or scope["method"] != "GET":
            return None
        return next((value for name, value in _query(scope) if name == "token"), None)

    def _cookie_in(self, headers: Headers) -> str:
        for line in headers.getlist("cookie"):
            try:
                cookies = SimpleCookie(line)
            except CookieError:
                continue
            if self._cookie in cookies:
                return cookies[self._cookie].value
        return ""

    def _log_in(self, scope: Scope, token: str) -> RedirectResponse:
        """Set the login cookie, and redirect to the URL without the token."""
        if not self._matches(scope, token, self._options.token):
            raise Problem(401, "The token is wrong. Use the link that memery serve printed.")
        rest = [(n, v) for n, v in _query(scope) if n != "token"]
        root_path = self._options.root_path
        target = f"{root_path}/" + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            self._cookie,
            self._secret,
            max_age=_LOGIN_SECONDS,
            path=f"{root_path}/",
            secure=scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )
        return response


def _hosts(options: Options) -> frozenset[str]:
    """The host names that the server accepts, lower case."""
    own = {"localhost", "127.0.0.1", "[::1]", _bracketed(options.host)}
    if options.host in _UNSPECIFIED:
        own.add(socket.gethostname())
    named = {_bracketed(name) for name in options.allowed_hosts}
    return frozenset(name.lower() for name in (own | named) - _UNSPECIFIED)


def _bracketed(host: str) -> str:
    address = as_address(host)
    return f"[{address}]" if isinstance(address, IPv6Address) else host


def _host_of(header: str) -> str:
    """Strip the port of `name:port`, and lower the case; "" if it is not a host."""
    name, colon, port = header.strip().lower().rpartition(":")
    if not colon or name.endswith(":") or "]" in port:
        name, port = header.strip().lower(), ""
    if port and not port.isdecimal():
        return ""
    return name.removesuffix(".")


def _host_and_port(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""


def _query(scope: Scope) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), True, max_num_fields=100)
    except ValueError:
        return ()
