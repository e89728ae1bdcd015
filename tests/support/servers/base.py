"""An HTTP server on the loopback address, in a separate thread."""

import contextlib
import sys
import threading
from http.client import RemoteDisconnected
from http.server import ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Print every error but that of a client that has closed its connection early."""
        error = sys.exc_info()[1]
        closed = isinstance(error, BrokenPipeError | ConnectionResetError)
        # A RemoteDisconnected comes from a server that a handler asks, not from the client.
        if not closed or isinstance(error, RemoteDisconnected):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def running(handler):
    """Answer requests with a handler until the end of the block.

    Args:
        handler: a subclass of BaseHTTPRequestHandler.

    Yields:
        The server's address, without a slash at its end.
    """
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
