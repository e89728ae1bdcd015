"""What is too much, too large or too slow; and an end in good order."""

import asyncio
import concurrent.futures
import contextlib
import json
import re
import selectors
import signal
import socket
import struct
import threading
import time
import zlib
from pathlib import Path

import pytest
from fastapi import Request
from PIL import Image
from pydantic import BaseModel, model_validator

from memery.gateway.rest.middleware.rate_limit import RateLimitMiddleware, TokenBuckets
from memery.gateway.rest.options import Limits, Options
from memery.gateway.rest.schemas import request_parsing
from support.damaged_images import damaged_avif
from support.images import png
from support.servers.memery import form, serving

SMALL = {
    "idle_seconds": 1.0,
    "body_seconds": 2.0,
    "body": 300_000,
    "bodies": 400_000,
    "image_bytes": 100_000,
    "pixels": 1_000_000,
    "images": 2,
    "uploads": 40_000,
    "streams": 2,
}


@pytest.fixture(scope="module")
def strict(photos, server):
    with serving(photos, limits=SMALL) as strict:
        strict.wait_until_indexed()
        yield strict


def raw(server, data, *, seconds=30):
    """What the server says to bytes on a socket, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # closed before all was read
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def head(path="/v1/search", *more):
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("length", [10 << 30, 10**19, 300_001])
def test_rejects_body_whose_stated_length_is_too_large(strict, length):
    assert raw(strict, head("/v1/search", f"Content-Length: {length}")).startswith(b"HTTP/1.1 413")
    assert strict.get("/healthz").status == 200


@pytest.mark.parametrize("length", ["-1", "ten", "1_000"])
def test_rejects_invalid_content_length(strict, length):
    assert raw(strict, head("/v1/search", f"Content-Length: {length}")).startswith(b"HTTP/1.1 400")


def test_rejects_chunked_body_without_end(strict):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(head("/v1/search", "Transfer-Encoding: chunked"))
        sent = 0
        try:
            while sent < 100 << 20:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
        assert sent < 50 << 20
        with contextlib.suppress(ConnectionResetError):  # it was closed before all was read
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert strict.get("/healthz").status == 200


def test_rejects_body_of_a_get(strict):
    data = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    assert raw(strict, data).startswith(b"HTTP/1.1 413")


class VirtualClock(asyncio.SelectorEventLoop):
    """An event loop whose clock moves to the next timer instead of waiting for it."""

    def __init__(self):
        self._now = 0.0
        selector = selectors.DefaultSelector()
        select = selector.select

        def skip(timeout=None):
            self._now += timeout or 0
            return select(0)

        selector.select = skip
        super().__init__(selector)

    def time(self):
        return self._now


def run_in_thread(coroutine, loop_factory=None):
    """Run a coroutine where no loop runs: the main thread has Playwright's after a page test."""

    def run():
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(coroutine)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


@pytest.fixture
def timed():
    """Answer a POST behind the limits: gives the messages sent, and the seconds that passed."""

    async def read_all(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def timed(receive, send_seconds=0.0):
        sent = []

        async def send(message):
            await asyncio.sleep(send_seconds)
            sent.append(message)

        async def answer():
            began = asyncio.get_running_loop().time()
            scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": []}
            await RateLimitMiddleware(read_all, Options())(scope, receive, send)
            return sent, asyncio.get_running_loop().time() - began

        return run_in_thread(answer(), VirtualClock)

    return timed


def body_after(seconds, *, more_body):
    async def receive():
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": b"x", "more_body": more_body}

    return receive


def test_body_that_stops_is_given_up_after_the_idle_time(timed):
    sent, seconds = timed(body_after(3600, more_body=False))
    assert sent[0]["status"] == 408
    assert seconds == pytest.approx(Limits().idle_seconds)


def test_body_that_trickles_is_given_up_after_the_body_time(timed):
    sent, seconds = timed(body_after(5, more_body=True))
    assert sent[0]["status"] == 408
    assert seconds == pytest.approx(Limits().body_seconds)


def test_slow_body_within_the_limits_is_answered(timed):
    sent, seconds = timed(body_after(Limits().idle_seconds - 1, more_body=False))
    assert sent[0]["status"] == 200
    assert seconds == pytest.approx(Limits().idle_seconds - 1)


def test_client_that_takes_no_answer_is_given_up_after_the_idle_time(timed):
    sent, seconds = timed(body_after(0, more_body=False), send_seconds=3600)
    assert sent == []
    assert seconds == pytest.approx(Limits().idle_seconds)


@pytest.mark.slow
def test_server_gives_up_slow_bodies_and_slow_heads(strict):
    answer = raw(strict, head("/v1/search", "Content-Length: 100") + b"{")
    assert answer.startswith(b"HTTP/1.1 408")
    # A byte now and then does not help: the whole has a limit too.
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(head("/v1/search", "Content-Length: 100"))
        started = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - started < 30:
            connection.sendall(b" ")
            connection.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(100)
        assert answer.startswith(b"HTTP/1.1 408")
    # HeadMiddleware have a limit of their own, which the connection alone tells of.
    assert raw(strict, b"GET / HTTP/1.1\r\nHost: loc") == b""


def test_rejects_large_and_broken_heads(strict):
    large = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 4_000_000
    assert raw(strict, large)[9:12] in (b"400", b"")
    assert raw(strict, b"\0\1\2\3\r\n\r\n").startswith(b"HTTP/1.1 400")
    both = head(
        "/v1/search", "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"
    )
    both += b"0\r\n\r\n"
    assert raw(strict, both.replace(b"application", b"x"), seconds=60)[9:10] in (b"4",)
    twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert raw(strict, twice)[9:12] in (b"400", b"421")


def bomb(width=30_000, height=30_000):
    """A PNG of a few hundred bytes that says it has 900 million pixels."""

    def chunk(kind, data):
        packed = kind + data
        return struct.pack(">I", len(data)) + packed + struct.pack(">I", zlib.crc32(packed))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", b"\x78\x9c")
        + chunk(b"IEND", b"")
    )


def test_rejects_decompression_bomb(strict):
    for data in (bomb(), bomb(1001, 1000)):
        for answer in (
            strict.send_form("/v1/uploads", [("image", "bomb.png", data)]),
            strict.send_form("/v1/encode", [("image", "bomb.png", data)]),
            strict.send_form(
                "/v1/search",
                [
                    ("search", None, json.dumps({"query": [{"image": "a"}]}).encode()),
                    ("a", "bomb.png", data),
                ],
            ),
        ):
            assert answer.status == 422
            assert "the limit is 1.0 megapixels: raise max_pixels" in answer.json()["detail"]


def test_rejects_too_many_too_large_and_invalid_images(strict):
    picture = png("red")
    many = [("image", f"{number}.png", picture) for number in range(3)]
    assert strict.send_form("/v1/uploads", many).status == 400
    assert strict.send_form("/v1/uploads", many[:2]).status == 422
    large = strict.send_form("/v1/uploads", [("image", "a.png", b"x" * 100_001)])
    assert large.status == 413
    for data in (b"", b"text", picture[:60], b"<svg/>", b"GIF89a", damaged_avif()):
        answer = strict.send_form("/v1/uploads", [("image", "a.png", data)])
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "image")
    assert strict.send_form("/v1/uploads", [("other", "a.png", picture)]).status == 422


def test_bounds_uploads(strict):
    pictures = [("image", "a.png", png("red", (500, 500 + number))) for number in range(40)]
    uploads = [strict.send_form("/v1/uploads", [picture]).json() for picture in pictures]
    known = [strict.get(upload["thumbnail_url"]).status for upload in uploads]
    assert known[-1] == 200
    assert known[0] == 404
    metrics = strict.get("/metrics").body.decode().splitlines()
    held = next(line for line in metrics if line.startswith("memery_upload_bytes"))
    assert 0 < float(held.split()[1]) <= SMALL["uploads"]


def test_bounds_event_streams(strict):
    with following(strict, 2):
        answer = strict.get("/v1/index/events")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if "memery_event_streams 0.0" in strict.get("/metrics").body.decode():
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the streams of clients that have gone are still counted")


@pytest.mark.slow
def test_refuses_too_many_requests_and_recovers(photos, server):
    """One address has its rate, all together have their number; then everything works again."""
    with serving(photos, limits={"rate": 20, "burst": 5, "requests": 1}) as small:
        statuses = [small.get("/healthz") for _ in range(30)]
        refused = [answer for answer in statuses if answer.status == 429]
        assert refused
        assert refused[0].headers["Retry-After"] == "1"
        assert refused[0].headers["Content-Type"] == "application/problem+json"
        until = time.monotonic() + 30
        while (answer := small.get("/healthz")).status != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert answer.status == 200
    with serving(photos, limits={"requests": 1}) as small:
        small.wait_until_indexed()
        with socket.create_connection(("127.0.0.1", small.port), timeout=30) as connection:
            connection.sendall(head("/v1/search", "Content-Length: 100") + b"{")
            until = time.monotonic() + 30
            while (answer := small.get("/healthz")).status != 503 and time.monotonic() < until:
                time.sleep(0.05)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        until = time.monotonic() + 30
        while (answer := small.get("/healthz")).status != 200 and time.monotonic() < until:
            time.sleep(0.05)
        assert answer.status == 200


@pytest.mark.slow
def test_server_gives_up_client_that_takes_no_answer(tmp_path):
    """It is given up after a while, and nothing of it stays."""
    Image.new("RGB", (3000, 3000), "red").save(tmp_path / "large.bmp")
    with serving(tmp_path, limits={"idle_seconds": 0.5}) as patient:
        patient.wait_until_indexed()
        (image,) = patient.get("/v1/images").json()["images"]
        given_up = (
            'memery_requests_total{method="GET",route="/v1/images/{id}/file",status="200"} 1.0'
        )
        with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as connection:
            request = f"GET {image['image_url']} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            connection.sendall(request.encode())
            assert given_up not in patient.get("/metrics").body.decode()
            until = time.monotonic() + 30
            while given_up not in patient.get("/metrics").body.decode():
                assert time.monotonic() < until
                time.sleep(0.1)
        whole = patient.get(image["image_url"])
        assert len(whole.body) == image["size"]
        assert "Traceback" not in "\n".join(patient.lines)


def test_refuses_bodies_that_are_too_large_together(strict):
    """Two halves of large bodies are more than is held; a third is told to come again."""
    first = head("/v1/search", "Content-Length: 290000") + b"x" * 250_000
    with socket.create_connection(("127.0.0.1", strict.port), timeout=30) as connection:
        connection.sendall(first)
        time.sleep(0.3)
        assert raw(strict, first).startswith(b"HTTP/1.1 503")
        connection.sendall(b"x" * 40_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_limits_rate_of_each_client():
    now = 0.0
    rates = TokenBuckets(rate=10, burst=3, clock=lambda: now)
    assert [rates.take("a") for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.1])
    assert rates.take("b") == 0
    now = 0.05
    assert rates.take("a") == pytest.approx(0.05)
    now = 0.1
    assert rates.take("a") == 0
    now = 60.0
    assert [rates.take("a") for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


def test_forgets_clients_beyond_the_limit():
    rates = TokenBuckets(rate=10, burst=1, clock=lambda: 0.0)
    assert rates.take("a") == 0
    assert rates.take("a") > 0
    for number in range(5000):
        rates.take(str(number))
    assert rates.take("a") == 0


def following(server, count):
    stack = contextlib.ExitStack()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        stack.enter_context(connection)
        connection.sendall(b"GET /v1/index/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"event: progress" not in answer:
            answer += connection.recv(65536)
    return stack


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_server_after_running_requests(photos, server, kind):
    """What runs is answered, streams end, and the exit code says that all is well."""
    with serving(photos, words=["--no-index"]) as ending:
        body, media_type = form([("image", "a.png", png("red"))])
        with (
            following(ending, 1),
            socket.create_connection(("127.0.0.1", ending.port), timeout=30) as connection,
            concurrent.futures.ThreadPoolExecutor(1) as pool,
        ):
            length = f"Content-Length: {len(body)}"
            sent = head("/v1/uploads", length).replace(b"application/json", media_type.encode())
            connection.sendall(sent + body[:10])
            time.sleep(0.2)
            ended = pool.submit(ending.end, kind)
            time.sleep(0.2)
            connection.sendall(body[10:])
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            assert answer.startswith(b"HTTP/1.1 201")
            assert ended.result() == 0
        assert "Traceback" not in "\n".join(ending.lines)


ZEROS = b'{"query": [' + b",".join([b"0"] * 3_000_000) + b"]}"
SURPLUS = b"{" + b",".join(b'"%x": 0' % number for number in range(10_000)) + b"}"


@pytest.mark.parametrize("path", ["/v1/search", "/v1/encode"])
def test_answers_other_clients_during_hostile_json(server, path):
    """6 MB of numbers took half a second to parse, and two more to list each as invalid."""
    with contextlib.ExitStack() as stack:
        hostile = []
        for _ in range(4):
            address = ("127.0.0.1", server.port)
            connection = stack.enter_context(socket.create_connection(address, timeout=30))
            connection.sendall(head(path, f"Content-Length: {len(ZEROS)}", "Connection: close"))
            with contextlib.suppress(ConnectionError):
                connection.sendall(ZEROS)
            hostile.append(connection)
        assert server.get("/healthz").status == 200
        for connection in hostile:
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    answer += chunk
            assert len(answer) < 4096
            assert not answer or answer.split()[1] in (b"413", b"400")


def test_limits_json_without_content_length(server):
    chunked = b"%x\r\n%s\r\n" % (len(ZEROS), ZEROS)
    answer = raw(server, head("/v1/search", "Transfer-Encoding: chunked") + chunked)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413")
    assert server.get("/healthz").status == 200


def test_answer_lists_only_the_first_invalid_fields(server):
    headers = {"Content-Type": "application/json"}
    answer = server.ask("POST", "/v1/search", SURPLUS, headers)
    problem = answer.json()
    assert (answer.status, len(problem["errors"])) == (422, 20)
    assert problem["more_errors"] == 10_001 - 20
    assert problem["detail"].endswith("and 9996 more.")
    assert len(answer.body) < 4096
    for body in ({"k" * 100_000: 0}, {"query": [{"text": "a"}], "since": "k" * 4000}):
        answer = server.post("/v1/search", body)
        assert answer.status == 422
        assert len(answer.body) < 4096
    answer = server.get("/v1/search?" + "&".join(f"{number:x}" + "=" for number in range(5000)))
    assert answer.status == 422
    assert len(answer.body) < 4096


@pytest.mark.parametrize("body", [b"[" * 9000, b'"' + b"\\n" * 40_000 + b'"', ZEROS[:200_000]])
def test_rejects_json_of_another_shape(server, body):
    answer = server.ask("POST", "/v1/search", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (400, "body")
    part = server.send_form("/v1/search", [("search", None, body)])
    assert (part.status, part.json()["errors"][0]["field"]) == (422, "search")


def test_parses_json_off_the_event_loop():
    class Model(BaseModel):
        text: str

        @model_validator(mode="after")
        def note(self):
            threads.append(threading.current_thread())
            return self

    async def receive():
        return {"type": "http.request", "body": b'{"text": "red"}', "more_body": False}

    async def read():
        request = Request({"type": "http", "headers": [(b"content-length", b"15")]}, receive)
        return threading.current_thread(), *await request_parsing.read_json(Model, request, 15)

    threads = []
    loop_thread, parsed, sent = run_in_thread(read())
    assert (parsed.text, sent) == ("red", {"text": "red"})
    assert threads != [loop_thread]


def resident(pid):
    """Kilobytes of memory that a process holds."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_uploads(photos):
    """Those that are kept, and no more: what decoding needs goes back to the system."""
    held = []
    with serving(photos) as server:
        server.wait_until_indexed()
        for number in range(300):
            picture = png("red", (400, 300)) + number.to_bytes(2, "big") * 500_000
            upload = server.send_form("/v1/uploads", [("image", "a.png", picture)])
            assert server.search(upload=upload.json()["id"])["total"]
            held.append(resident(server.process.pid))
    assert held[-1] - held[99] < 40_000, held[::20]
