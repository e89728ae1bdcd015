"""An encoder on the loopback address that speaks docs/encoder-protocol.md, with faults."""

import base64
import contextlib
import json
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import numpy as np

from memery.testing import ColourModel
from support.servers.base import running

PROBLEM = "application/problem+json"
VECTORS = "application/vnd.memery.vectors"


@dataclass
class Encoder:
    """What is served, what goes wrong, and what was asked."""

    model: ColourModel = field(default_factory=ColourModel)
    token: str = ""
    max_batch: int = 4
    answers: list = field(default_factory=list)
    """(status, headers) for the next requests."""
    facts: dict = field(default_factory=dict)
    """Replaces what the facts would say."""
    fingerprint: str = ""
    body: bytes | None = None
    """Given instead of every embedding."""
    cuts: int = 0
    """How many of the next embeddings are cut in the middle."""
    requests: list = field(default_factory=list)
    connections: int = 0
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    encoder: Encoder

    def setup(self):
        super().setup()
        self.encoder.connections += 1

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        encoder = self.encoder
        encoder.requests.append((self.command, self.path))
        if encoder.answers:
            status, headers = encoder.answers.pop(0)
            self.say(status, b'{"title": "trouble"}', PROBLEM, headers)
        elif encoder.token and self.headers["Authorization"] != f"Bearer {encoder.token}":
            self.say(401, b'{"title": "no"}', PROBLEM)
        elif self.path == "/v1/model":
            self.say(200, json.dumps(self.facts()).encode())
        elif self.path == "/v1/encode" and b'"texts"' in body[:16]:
            self.embed(encoder.model.encode_texts(json.loads(body)["texts"]))
        elif self.path == "/v1/encode":
            self.embed(encoder.model.encode_images(self.pictures(body)))
        else:
            self.say(404, b"<html>not here</html>", "text/html")

    def embed(self, embeddings):
        encoder = self.encoder
        if len(embeddings) > encoder.max_batch:
            return self.say(413, b'{"title": "too many"}', PROBLEM)
        kind, content = VECTORS, embeddings.astype("<f4").tobytes()
        if self.headers.get("Accept") != VECTORS:
            kind = "application/json"
            content = json.dumps({"embeddings": embeddings.tolist()}).encode()
        told = encoder.fingerprint or encoder.model.info.fingerprint
        content = content if encoder.body is None else encoder.body
        return self.say(200, content, kind, {"Memery-Fingerprint": told})

    def facts(self):
        info = self.encoder.model.info
        resize = {"size": info.resize.size, "mode": info.resize.mode, "interpolation": "bicubic"}
        return {
            "protocol": 1,
            "model_id": info.model_id,
            "fingerprint": info.fingerprint,
            "dim": info.dim,
            "text_context": info.text_context,
            "max_batch": self.encoder.max_batch,
            "image": resize,
            "licence": info.licence,
            "source": info.source,
        } | self.encoder.facts

    def pictures(self, body):
        if self.headers["Content-Type"] == "application/vnd.memery.pictures":
            shape = tuple(map(int, self.headers["Memery-Shape"].split("x")))
            return np.frombuffer(body, dtype=np.uint8).reshape(shape)
        size = self.encoder.model.info.resize.size
        rows = [base64.b64decode(text) for text in json.loads(body)["pictures"]]
        return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, size, size, 3)

    def say(self, status, body, kind="application/json", headers=None):
        self.send_response(status)
        for key, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.encoder.cuts and self.command == "POST":
            self.encoder.cuts -= 1
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.wfile.write(body)


@contextlib.contextmanager
def serving(encoder):
    """Serve an encoder until the end of the block."""
    handler = type("Served", (Handler,), {"encoder": encoder})
    with running(handler) as encoder.url:
        yield encoder
