"""A model hub on the loopback address: the part of the hub's API that a download uses, with faults.

Large files (as the hub has it, those in Git LFS) are redirected to another path and have a SHA-256;
small ones are served as they are and have git's SHA-1.
"""

import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from support.servers.base import running

LARGE = 10_000


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class Repository:
    files: dict
    commit: str = "c" * 40

    @classmethod
    def of_folder(cls, folder):
        """A repository that holds every file below a folder."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


@dataclass
class Hub:
    """What the server serves, what goes wrong with it, and what it was asked."""

    repositories: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)
    cut: dict = field(default_factory=dict)
    """File → share of it after which the connection is cut, once for each entry of a list."""
    stated: dict = field(default_factory=dict)
    """File → facts that replace what the API says of it; "commit" → what it says in its place."""
    etag: str = ""
    """Sent with every file in the place of its hash."""
    swapped: dict = field(default_factory=dict)
    """File → content served instead, under the hash of the right one."""
    answers: list = field(default_factory=list)
    """(status, headers) given to the next requests, whatever they ask."""
    pause: float = 0.0
    """Seconds between blocks of a file."""
    url: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        hub = self.hub
        headers = {key.lower(): value for key, value in self.headers.items()}
        hub.requests.append((self.command, self.path, headers))
        if hub.answers:
            status, headers = hub.answers.pop(0)
            return self.say(status, b"{}", headers)
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            return self.describe(path.removeprefix("/api/models/"))
        if path.startswith("/cdn/"):
            _, _, owner, name, file = path.split("/", 4)
            return self.serve(hub.repositories[f"{owner}/{name}"], file)
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = hub.repositories.get(match[1]) if match else None
        if repository is None or match[3] not in repository.files:
            code = "RepoNotFound" if repository is None else "EntryNotFound"
            return self.say(404, b"", {"X-Error-Code": code})
        return self.resolve(match[1], repository, match[3])

    def describe(self, name):
        name, _, revision = name.partition("/revision/")
        repository = self.hub.repositories.get(name)
        if repository is None or revision not in ("", "main", repository.commit):
            code = "RepoNotFound" if repository is None else "RevisionNotFound"
            return self.say(404, b"{}", {"X-Error-Code": code})
        siblings = []
        for path, content in repository.files.items():
            facts = {"rfilename": path, "size": len(content), "blobId": blob_id(content)}
            if len(content) >= LARGE:
                sha256 = hashlib.sha256(content).hexdigest()
                facts["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(facts | self.hub.stated.get(path, {}))
        commit = self.hub.stated.get("commit", repository.commit)
        answer = {"id": name, "modelId": name, "sha": commit, "siblings": siblings}
        return self.say(200, json.dumps(answer).encode())

    def resolve(self, name, repository, file):
        content = repository.files[file]
        headers = {"X-Repo-Commit": repository.commit, "Accept-Ranges": "bytes"}
        if len(content) < LARGE:
            return self.serve(
                repository, file, headers | {"ETag": f'"{self.hub.etag or blob_id(content)}"'}
            )
        sha256 = hashlib.sha256(content).hexdigest()
        headers |= {
            "X-Linked-Etag": f'"{self.hub.etag or sha256}"',
            "X-Linked-Size": str(len(content)),
            "ETag": '"of the pointer"',
            # As with the real hub, the content lies with another host: no token may go there.
            "Location": f"{self.hub.url}/cdn/{name}/{file}".replace("127.0.0.1", "localhost"),
        }
        return self.say(302, b"", headers)

    def serve(self, repository, file, headers=None):
        content = self.hub.swapped.get(file, repository.files[file])
        start, status = 0, 200
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start, status = int(match[1]), 206
            if start >= len(content):
                return self.say(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self.send_response(status)
        for key, value in ((headers or {}) | (more if status == 206 else {})).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return None
        cuts = self.hub.cut.get(file)
        end = int(len(content) * cuts.pop(0)) if cuts else len(content)
        for place in range(start, end, 65536):
            with contextlib.suppress(OSError):
                self.wfile.write(content[place : min(place + 65536, end)])
            if self.hub.pause and self.hub.stop.wait(self.hub.pause):
                return None
        if end < len(content):
            self.close_connection = True
            self.connection.close()
        return None

    def say(self, status, body, headers=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def serving(hub):
    """Serve a hub until the end of the block."""
    handler = type("Served", (Handler,), {"hub": hub})
    with running(handler) as hub.url:
        try:
            yield hub
        finally:
            hub.stop.set()
