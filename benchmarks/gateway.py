"""The server under load, over the loopback address, limited in requests and in time."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from benchmarks.measure import memery, say
from memery import assembly
from memery.archive import find_archive
from memery.config import Config
from memery.models import selection
from memery.stores.interface import Store
from memery.stores.records import Content, IndexRecord, Space
from memery.types import FileEntry

SEARCHES = 300
SIZES = (10_000, 100_000)
CLIENTS, SECONDS = 64, 60
HELD, NEW = 10_000, 2_000
EVERY = 5
"""Interval between memory samples, seconds."""
WORDS = ("dog", "cat", "beach", "red", "car", "snow", "tree", "people", "night", "food", "sea")
JSON = {"Content-Type": "application/json"}


class Client:
    """A persistent connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send a request, and return status and body; a request with a body is a POST."""
        method = "GET" if body is None else "POST"
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        return answer.status, answer.read()


@contextlib.contextmanager
def served(*words: str) -> Iterator[tuple[int, int]]:
    """Port and process id of a server."""
    command = memery("serve", *words, "--port", "0")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            port = None
            while port is None:
                time.sleep(0.1)
                log.seek(0)
                port = re.search(rb"Serving .*:(\d+)", log.read())
                if process.poll() is not None:
                    sys.exit("the server did not start")
            yield int(port[1]), process.pid
        finally:
            process.terminate()
            process.wait()


def texts() -> Iterator[str]:
    """Distinct texts."""
    generator = np.random.default_rng(os.getpid() + threading.get_ident())
    while True:
        yield " ".join(generator.choice(WORDS, 3)) + f" {generator.integers(1 << 40)}"


def filled(store: Store, space: Space, entries: list[tuple[FileEntry, str]]) -> None:
    """A store with random embeddings, without images."""
    generator = np.random.default_rng(0)
    with store.writing() as writer:
        for start in range(0, len(entries), 5000):
            part = entries[start : start + 5000]
            vectors = generator.standard_normal((len(part), space.dim), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            additions = [
                IndexRecord(entry, digest, Content(64, 64, "PNG", None, vector))
                for (entry, digest), vector in zip(part, vectors, strict=True)
            ]
            writer.commit(space, additions, [])
    store.refresh(space)


def fill(folder: Path, entries: list[tuple[FileEntry, str]]) -> None:
    """Make the archive of a folder as the built-in model would."""
    config = Config()
    info = selection.open_model("starter").info
    with contextlib.closing(assembly.open_store(find_archive(folder), config)) as store:
        filled(store, Space(info.model_id, info.fingerprint, info.dim), entries)


def percentiles(times: list[float]) -> dict[str, float]:
    """Percentiles of seconds, in milliseconds."""
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(1000 * cuts[49], 1), "p99_ms": round(1000 * cuts[98], 1)}


def search_speed() -> None:
    """Warm text search: latency, throughput and the time of each step."""
    for count in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            names = (f"{number:06}.png" for number in range(count))
            entries = [
                (FileEntry(name, 1, 1), hashlib.sha256(name.encode()).hexdigest()) for name in names
            ]
            fill(Path(folder), entries)
            with served(folder, "--no-index") as (port, _):
                client, source = Client(port), texts()
                for _ in range(20):
                    client.ask(f"/v1/search?top_k=20&text={quote(next(source))}")
                times, stages = [], []
                for _ in range(SEARCHES):
                    path = f"/v1/search?top_k=20&text={quote(next(source))}"
                    started = time.perf_counter()
                    status, body = client.ask(path)
                    times.append(time.perf_counter() - started)
                    assert status == 200
                    stages.append(json.loads(body)["took_ms"])
                model, search = (
                    statistics.median(one[stage] for one in stages)
                    for stage in ("encode", "search")
                )
                whole = 1000 * statistics.median(times)
                done = run_clients(
                    port, 4, 10, lambda c, t: c.ask(f"/v1/search?text={quote(t)}")[0]
                )
                say(
                    f"search over HTTP, {count} images",
                    **percentiles(times),
                    model_ms=round(model, 1),
                    search_ms=round(search, 1),
                    http_ms=round(whole - model - search, 1),
                    requests_per_second=round(len(done.times) / 10, 1),
                )


class Done:
    """Figures seen by clients."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []


def run_clients(port: int, count: int, seconds: float, ask: Callable[[Client, str], int]) -> Done:
    """Let clients send requests without pause for a while."""
    done, until = Done(), time.monotonic() + seconds

    def work() -> None:
        client, source = Client(port), texts()
        while time.monotonic() < until:
            started = time.perf_counter()
            try:
                status = str(ask(client, next(source)))
            except (OSError, http.client.HTTPException) as error:
                status, client = type(error).__name__, Client(port)
            done.times.append(time.perf_counter() - started)
            done.statuses[status] += 1

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def encode_speed() -> None:
    """Images per second: the bare model, and one and sixteen clients over HTTP."""
    model = selection.open_model("starter")
    size = model.info.resize.size
    images = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    model.encode_images(images)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < 10:
        count += len(model.encode_images(images))
    bare = count / (time.perf_counter() - started)
    body = images.tobytes()
    headers = {
        "Content-Type": "application/vnd.memery.pictures",
        "Memery-Shape": "x".join(map(str, images.shape)),
        "Accept": "application/vnd.memery.vectors",
    }
    figures = {}
    with served("--encoder-only") as (port, _):
        Client(port).ask("/v1/encode", body, headers)
        for clients in (1, 16):
            began = time.perf_counter()
            done = run_clients(
                port, clients, 10, lambda c, _: c.ask("/v1/encode", body, headers)[0]
            )
            rate = 8 * done.statuses["200"] / (time.perf_counter() - began)
            figures[f"clients_{clients}"] = round(rate, 1)
            figures[f"share_{clients}"] = round(rate / bare, 2)
    say("encoder, images per second", bare=round(bare, 1), **figures)


class Watch:
    """Samples the memory of a process every few seconds in a thread, until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._samples: list[tuple[float, int, int]] = []
        self._thread = threading.Thread(target=self._inspect)
        self._thread.start()

    def _inspect(self) -> None:
        while not self._stop.wait(EVERY):
            text = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
            own, mapped = (
                int(value) // 1024 for value in re.findall(r"Rss(?:Anon|File):\s+(\d+)", text)
            )
            self._samples.append((time.monotonic() - self._began, own, mapped))

    def stop(self) -> dict[str, Any]:
        """Private and mapped memory in MB, and the growth of private memory in the second half."""
        self._stop.set()
        self._thread.join()
        later = np.array(self._samples[len(self._samples) // 2 :])
        slope = np.polyfit(later[:, 0] / 60, later[:, 1], 1)[0]
        return {
            "own_mb": [own for _, own, _ in self._samples],
            "mapped_mb": [mapped for *_, mapped in self._samples],
            "growth_mb_per_minute": round(float(slope), 1),
        }


def load(seconds: int) -> None:
    """Many clients while new images are indexed."""
    generator = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        entries = []
        for number in range(HELD + NEW):
            place = Path(folder) / f"{number:06}.png"
            pixels = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((64, 64)).save(place)
            if number < HELD:
                facts = place.stat()
                digest = hashlib.sha256(place.read_bytes()).hexdigest()
                entries.append((FileEntry(place.name, facts.st_size, facts.st_mtime_ns), digest))
        fill(Path(folder), entries)
        with served(folder, "--no-index") as (port, pid):
            listed = json.loads(Client(port).ask("/v1/images?top_k=500")[1])["images"]
            thumbnails = [image["thumbnail_url"] for image in listed]

            def ask(client: Client, text: str) -> int:
                kind = hash(text) % 10
                if kind == 0:
                    return client.ask(thumbnails[hash(text) % len(thumbnails)])[0]
                if kind == 1:
                    return client.ask(f"/v1/images?top_k=50&offset={hash(text) % HELD}")[0]
                return client.ask(f"/v1/search?top_k=50&text={quote(text)}")[0]

            run_clients(port, 8, 5, ask)
            Client(port).ask("/v1/index", b"")
            watch, began = Watch(pid), time.monotonic()
            done = run_clients(port, CLIENTS, seconds, ask)
            job = _job(port)
            while job["state"] in ("waiting", "indexing"):  # until the job ends
                more = run_clients(port, CLIENTS, EVERY, ask)
                done.statuses += more.statuses
                done.times += more.times
                job = _job(port)
            took = time.monotonic() - began
            say(
                f"{CLIENTS} clients while {NEW} images are indexed, for {took:.0f} s",
                statuses=dict(done.statuses),
                **percentiles(done.times),
                requests_per_second=round(len(done.times) / took, 1),
                indexed=f"{job['done']} of {job['total']}, {job['state']}",
                **watch.stop(),
            )
            watch = Watch(pid)
            done = run_clients(port, CLIENTS, seconds, ask)
            say(
                f"{CLIENTS} clients for {seconds} s after that",
                statuses=dict(done.statuses),
                **percentiles(done.times),
                **watch.stop(),
            )


def _job(port: int) -> dict[str, Any]:
    job: dict[str, Any] = json.loads(Client(port).ask("/v1/index")[1])[0]
    return job


def overfull(seconds: int) -> None:
    """Overload the encoder, then measure its recovery."""
    body = json.dumps({"texts": ["a dog on a beach at night with many people " * 6] * 64}).encode()
    with served("--encoder-only") as (port, pid):
        Client(port).ask("/v1/encode", body, JSON)
        watch = Watch(pid)
        done = run_clients(port, 120, seconds, lambda c, _: c.ask("/v1/encode", body, JSON)[0])
        memory = watch.stop()
        after = run_clients(port, 4, 5, lambda c, _: c.ask("/v1/encode", body, JSON)[0])
        say(
            f"encoder, 120 clients for {seconds} s",
            statuses=dict(done.statuses),
            **percentiles(done.times),
            **memory,
        )
        say("encoder, 4 clients after that", statuses=dict(after.statuses))


def main() -> None:
    """Run the named measurements; all by default."""
    parser = argparse.ArgumentParser(description="measure memery's server")
    parser.add_argument("what", nargs="*", help="search, encode, load, overfull; default: all")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="duration of the load")
    arguments = parser.parse_args()
    os.environ["MEMERY_MODEL"] = "starter"
    os.environ["MEMERY_READ_TEXT"] = "0"
    measures: dict[str, Callable[[], None]] = {
        "search": search_speed,
        "encode": encode_speed,
        "load": lambda: load(arguments.seconds),
        "overfull": lambda: overfull(min(arguments.seconds, 20)),
    }
    for name in arguments.what or measures:
        measures[name]()


if __name__ == "__main__":
    main()
