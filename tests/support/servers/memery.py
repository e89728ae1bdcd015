"""A memery server in a separate process, on the loopback address and a free port."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

_PROGRAM = """
import json, logging, sys
from memery.gateway.rest import server
from memery.gateway.rest.options import Limits, Options
paths, options, limits = json.loads(sys.argv[1])
options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
server.serve(paths, Options(port=0, limits=Limits(**limits), **options), settings={},
             say=lambda line: print("memery:", line, file=sys.stderr, flush=True))
"""
SECONDS = 60


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


@dataclass
class Server:
    process: subprocess.Popen
    lines: list = field(default_factory=list)
    port: int = 0
    link: str = ""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None, headers=None):
        """One request; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def get(self, path, **headers):
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def search(self, **values):
        pairs = [
            (name, one)
            for name, value in values.items()
            for one in (value if isinstance(value, list) else [value])
        ]
        path = "&".join(f"{name.rstrip('_')}={quote(str(value))}" for name, value in pairs)
        answer = self.get(f"/v1/search?{path}")
        assert answer.status == 200, answer.body
        return answer.json()

    def post(self, path, value, **headers):
        sent = {"Content-Type": "application/json"} | headers
        return self.ask("POST", path, json.dumps(value).encode(), sent)

    def send_form(self, path, parts, **headers):
        """Parts are (name, file name or None, bytes)."""
        body, kind = form(parts)
        return self.ask("POST", path, body, {"Content-Type": kind} | headers)

    def wait_until_indexed(self):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            jobs = self.get("/v1/index").json()
            if all(job["state"] in ("done", "failed", "cancelled") for job in jobs):
                return jobs
            time.sleep(0.05)
        raise AssertionError("the index was not brought up to date")

    def wait_for_line(self, text):
        """The first line on standard error that holds a text."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            for line in list(self.lines):
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line holds {text}")

    def end(self, kind=signal.SIGTERM):
        self.process.send_signal(kind)
        return self.process.wait(SECONDS)


def form(parts):
    """A multipart body and its content type."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, file_name, data in parts:
        shown = f'; filename="{file_name}"' if file_name is not None else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextlib.contextmanager
def serving(*paths, words=(), limits=None, environment=None, before=None, **options):
    """Serve folders; with limits or options through the library, else by the command."""
    paths = [os.fspath(path) for path in paths]
    if limits is not None or options:
        program = [sys.executable, "-c", _PROGRAM, json.dumps([paths, options, limits or {}])]
    else:
        program = [sys.executable, "-m", "memery", "serve", *paths, "--port", "0", *words]
    process = subprocess.Popen(
        program,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
        preexec_fn=before,
    )
    server = Server(process)
    ready = threading.Event()

    def read():
        for line in process.stderr:
            server.lines.append(line.rstrip("\n"))
            if match := re.search(r"Serving .* on (http://.*?:(\d+)\S*)", line):
                server.link, server.port = match[1], int(match[2])
                ready.set()
        ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert ready.wait(SECONDS)
        assert server.port, server.lines
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(SECONDS)
        reader.join()
        process.stderr.close()
