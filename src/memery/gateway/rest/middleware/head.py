"""HEAD: the response to GET without its body (RFC 9110, 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answers HEAD for each route that answers GET.

    Args:
        app: the wrapped application, which receives a GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_header(message: Message) -> None:
            """End the response after its header; a stream sees a disconnect."""
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})

        get_scope = {**scope, "method": "GET"}
        try:
            await self._app(get_scope, receive, send_header)
        finally:
            scope["route"] = get_scope.get("route")  # the access log needs it
