"""A reverse proxy that forwards requests below a path to a server on the loopback address."""

import contextlib
import http.client
import http.server
from urllib.parse import urlsplit

from support.servers.base import running

_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding"}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = (
        "HTTP/1.0"  # an answer ends with its connection: events come as they are sent
    )
    target = ""
    prefix = ""
    strips = False

    def _hand_on(self):
        if not self.path.startswith(f"{self.prefix}/"):
            self.send_error(404)
            return
        path = self.path.removeprefix(self.prefix) if self.strips else self.path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _OF_ONE_CONNECTION}
        headers |= {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
        connection = http.client.HTTPConnection(self.target, timeout=60)
        with contextlib.closing(connection):
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_CONNECTION:
                    self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the browser has gone on
                while chunk := answer.read1():
                    self.wfile.write(chunk)

    do_GET = do_HEAD = do_POST = do_DELETE = _hand_on  # noqa: N815 - the library's names

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def proxying(url, prefix, *, strips):
    """Yields the address of the proxy.

    Args:
        url: of the server behind it.
        prefix: the path below which it forwards requests.
        strips: take the prefix off before.
    """
    kind = type("Handler", (_Handler,), {
        "target": urlsplit(url).netloc, "prefix": prefix, "strips": strips,
    })  # fmt: skip
    with running(kind) as address:
        yield f"{address}{prefix}"
