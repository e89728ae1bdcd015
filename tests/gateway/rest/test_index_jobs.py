"""The indexing flow as a job: followed, cancelled, begun again, while searches go on."""

import concurrent.futures
import json
import socket
import subprocess
import time

import pytest

from memery.archive import find_archive
from support.commands import run_command, start_command
from support.images import paint
from support.servers.memery import serving

COUNT = 600


@pytest.fixture
def folder(tmp_path):
    for number in range(COUNT):
        # Each of another content, so that each is encoded.
        colour = (number % 256, number // 256, 90)
        paint(tmp_path / f"{number:04}.png", colour, (64, 64))
    return tmp_path


def events(server):
    """The events of a stream, one by one."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(b"GET /v1/index/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        text = b""
        while chunk := connection.recv(65536):
            text += chunk
            *complete, text = text.split(b"\n\n")
            for event in complete:
                lines = event.decode().splitlines()
                if "event: progress" in lines:
                    data = next(line for line in lines if line.startswith("data: "))
                    yield json.loads(data.removeprefix("data: "))


@pytest.mark.slow
def test_indexes_new_folder_while_it_is_searched(folder):
    with serving(folder) as server:
        seen, totals = [], []
        for event in events(server):
            totals.append(server.search(text="blue", top_k=1)["total"])
            seen.append(event)
            if event["state"] == "done":
                break
        last = seen[-1]
        assert (last["done"], last["total"], last["searchable"]) == (COUNT, COUNT, COUNT)
        assert last["eta_seconds"] is None
        assert [event["done"] for event in seen] == sorted(event["done"] for event in seen)
        assert totals == sorted(totals)
        assert totals[-1] == COUNT
        # Results were there before the end.
        assert any(0 < total < COUNT for total in totals)
        # What is new is found after the next job, and only then.
        paint(folder / "new.png", "white", (64, 64))
        assert server.search(text="white")["total"] == COUNT
        begun = server.ask("POST", "/v1/index")
        assert begun.status == 202
        assert begun.json()[0]["state"] in ("waiting", "indexing")
        server.wait_until_indexed()
        assert server.search(text="white", top_k=1)["hits"][0]["path"] == "new.png"


@pytest.mark.slow
def test_continues_cancelled_job(folder):
    with serving(folder, words=["--no-index"]) as server:
        assert server.get("/v1/index").json()[0]["state"] == "idle"
        assert server.ask("POST", "/v1/index").status == 202
        for event in events(server):
            if event["done"]:
                break
        assert server.ask("DELETE", "/v1/index").status == 200
        (job,) = server.wait_until_indexed()
        assert job["state"] == "cancelled"
        kept = server.get("/v1/images?top_k=1").json()["total"]
        assert 0 < kept < COUNT
        assert server.ask("POST", "/v1/index?collection=nowhere").status == 404
        assert server.ask("POST", "/v1/index").status == 202
        (job,) = server.wait_until_indexed()
        assert (job["state"], job["searchable"]) == ("done", COUNT)
        assert job["total"] == COUNT - kept  # what was committed stayed


def test_job_stops_after_its_batch_when_the_server_ends(folder):
    with serving(folder) as server:
        for event in events(server):
            if event["done"]:
                break
        assert server.end() == 0
        assert "Traceback" not in "\n".join(server.lines)
    with serving(folder, words=["--no-index"]) as server:
        assert server.get("/v1/images?top_k=1").json()["total"] >= event["done"]


def test_failed_job_names_its_cause(folder):
    with serving(folder, words=["--no-index"]) as server:
        folder.rename(folder.with_name("away"))
        assert server.ask("POST", "/v1/index").status == 202
        (job,) = server.wait_until_indexed()
        assert job["state"] == "failed"
        assert "does not exist" in job["message"]
        assert server.get("/healthz").status == 200


@pytest.mark.slow
def test_answers_many_requests_while_indexing(folder):
    with serving(folder) as server, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def ask(number):
            path = ("/v1/search?text=red", "/v1/images", "/v1/facets", "/v1/status")[number % 4]
            return server.get(path).status

        statuses = set()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            statuses |= set(pool.map(ask, range(16)))
            if server.get("/v1/index").json()[0]["state"] == "done":
                break
        assert statuses == {200}
        assert server.search(text="red")["total"] == COUNT


@pytest.mark.slow
def test_job_waits_for_another_writer(folder):
    """It starts when the other has finished; what the other commits is found meanwhile."""
    archive = find_archive(folder)
    with serving(folder, words=["--no-index"]) as server:
        with archive.lock():
            assert server.ask("POST", "/v1/index").status == 202
            for event in events(server):
                if event["message"]:
                    break
            assert event["state"] == "waiting"
            assert "Another process" in event["message"]
            time.sleep(2.5)  # it has looked more than once
            assert server.get("/v1/index").json()[0] == event
            # It can be called off.
            (job,) = server.ask("DELETE", "/v1/index").json()
            assert (job["state"], job["message"]) == ("cancelled", "")
            assert server.ask("POST", "/v1/index").status == 202
        (job,) = server.wait_until_indexed()
        assert (job["state"], job["searchable"], job["message"]) == ("done", COUNT, "")


def test_running_job_waits_for_a_writer(folder):
    with serving(folder, words=["--no-index"]) as server:
        other = start_command("build", folder, "--quiet", stderr=subprocess.PIPE)
        assert server.ask("POST", "/v1/index").status == 202
        (job,) = server.wait_until_indexed()
        assert (job["state"], job["searchable"]) == ("done", COUNT)
        _, error = other.communicate(timeout=60)
        assert other.returncode in (0, 3), error  # 3: the job was first
        server.wait_until_indexed()
        assert server.search(text="red")["total"] == COUNT


@pytest.mark.slow
def test_serves_on_when_its_archive_is_purged(folder):
    with serving(folder) as server:
        server.wait_until_indexed()
        run_command("purge", folder, "--yes")
        assert server.search(text="red")["total"] == 0
        assert server.get("/v1/images").json() == {"total": 0, "warnings": [], "images": []}
        assert not (folder / ".memery").exists()
        begun = server.ask("POST", "/v1/index")
        assert (begun.status, begun.json()[0]["searchable"]) == (202, 0)
        (job,) = server.wait_until_indexed()
        assert (job["state"], job["total"]) == ("done", COUNT)
        assert server.search(text="red")["total"] == COUNT


@pytest.mark.slow
def test_serves_folder_that_is_gone_and_comes_back(folder):
    """When a disk is removed, the server reports it, and answers again when it is back."""
    with serving(folder) as server:
        server.wait_until_indexed()
        away = folder.with_name("taken out")
        folder.rename(away)
        assert server.get("/readyz").status == 503
        assert server.get("/readyz").body == b"no folder\n"
        assert server.get("/healthz").status == 200
        assert server.get("/v1/collections").json()[0]["available"] is False
        assert server.get("/v1/status").json()["unavailable"] == [folder.name]
        for path in ("/v1/search?text=red", "/v1/images", f"/v1/images?collection={folder.name}"):
            answer = server.get(path)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert "Is the disk connected?" in answer.json()["detail"]
        away.rename(folder)
        assert server.get("/readyz").status == 200
        assert server.get("/v1/status").json()["unavailable"] == []
        assert server.search(text="red")["total"] == COUNT
