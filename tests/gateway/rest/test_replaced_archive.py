"""Searches over HTTP while another process purges, rebuilds and replaces the archive."""

import threading

import pytest

from memery import index_flow
from memery.archive import find_archive
from support.images import paint
from support.servers.memery import serving

SEARCHES = ("text=red&top_k=9", "text=red&mode=text", "text=sea&sort=date", "text=red&under=trip")


@pytest.fixture
def photos(tmp_path):
    for place in ("photos/red", "photos/trip/blue", "photos/trip/green"):
        paint(tmp_path / place, place.rpartition("/")[2])
    for place in ("instead/red", "instead/trip/orange"):
        paint(tmp_path / place, place.rpartition("/")[2])
    index_flow(tmp_path / "photos")
    index_flow(tmp_path / "instead")
    return tmp_path / "photos"


def test_answers_searches_while_the_archive_is_replaced(photos):
    answers = []
    ended = threading.Event()

    def search(server, query):
        while not ended.is_set():
            answers.append(server.get(f"/v1/search?{query}"))

    with serving(photos) as server:
        server.wait_until_indexed()
        threads = [threading.Thread(target=search, args=(server, query)) for query in SEARCHES]
        for thread in threads:
            thread.start()
        try:
            find_archive(photos).purge()
            index_flow(photos, rebuild=True)
            index_flow(photos, rebuild=True)
            find_archive(photos).purge()
            (photos.parent / "instead" / ".memery").rename(photos / ".memery")
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        last = server.search(text="red")
    assert {hit["path"] for hit in last["hits"]} == {"red", "trip/orange"}
    assert {answer.status for answer in answers} >= {200}
    for answer in answers:
        if answer.status == 200:
            paths = {hit["path"] for hit in answer.json()["hits"]}
            assert paths <= {"red", "trip/blue", "trip/green"} or paths <= {"red", "trip/orange"}
        else:
            assert answer.status < 500 or answer.status == 503, answer.body
            assert answer.headers["Content-Type"] == "application/problem+json"
