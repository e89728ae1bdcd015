"""An archive that other processes delete, or put another in the place of, while it is open."""

import contextlib
import hashlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from memery.archive import Archive
from memery.errors import ArchiveError
from memery.query.filters import Filter
from memery.stores.derived import count
from memery.stores.records import Browse, Content, IndexRecord, Space
from memery.stores.sqlite import connections
from memery.stores.sqlite.database import READERS
from memery.stores.sqlite.store import SQLiteStore
from memery.types import FileEntry
from stores import contract

SPACE = Space("model", "f1", 8)
EVERYWHERE = Filter()
PROGRAM = """
import sys
sys.path[:0] = [sys.argv[1], f"{sys.argv[1]}/../.."]
from test_database import add, opened
from pathlib import Path
store = opened(Path(sys.argv[2]))
add(store, *sys.argv[3:])
print("written", flush=True)
sys.stdin.read()  # stays open: its log is not checkpointed
"""


def opened(folder):
    return SQLiteStore(Archive(folder, folder / ".memery"))


def add(store, *names):
    vector = np.eye(8, dtype=np.float32)[0]
    added = [
        IndexRecord(
            FileEntry(name, 100, 5),
            hashlib.sha256(name.encode()).hexdigest(),
            Content(4, 3, "PNG", None, vector),
        )
        for name in names
    ]
    with store.writing() as writer:
        writer.commit(SPACE, added, [])


def names(store):
    with store.snapshot() as snapshot:
        found = snapshot.search(SPACE, contract.nearest_to(np.eye(8, dtype=np.float32)[0]))
        listed = snapshot.browse(SPACE, Browse(filter=EVERYWHERE))
    assert [image.path for image, _ in found.ranked] == [image.path for image in listed.images]
    return [image.path for image in listed.images]


def counted(store):
    with store.snapshot() as snapshot:
        return count(snapshot, SPACE, EVERYWHERE)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def store(folder):
    store = opened(folder)
    add(store, "a.png", "b.png")
    assert names(store) == ["a.png", "b.png"]
    yield store
    store.close()


def test_finds_nothing_in_a_purged_archive_and_does_not_create_it(folder, store):
    Archive(folder, folder / ".memery").purge()
    assert names(store) == []
    assert counted(store) == 0
    store.remember_query(SPACE, "a text", np.eye(8, dtype=np.float32)[1])
    assert not (folder / ".memery").exists()
    add(store, "c.png")
    assert names(store) == ["c.png"]
    assert (folder / ".memery" / "store.sqlite3").exists()


def test_continues_with_the_archive_of_another_process(folder, store):
    """Closing what was open before leaves the other's log alone: nothing of it is lost."""
    Archive(folder, folder / ".memery").purge()
    program = [sys.executable, "-c", PROGRAM, __file__.rpartition("/")[0], folder, "new.png"]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "written\n"
        log = folder / ".memery" / "store.sqlite3-wal"
        assert log.stat().st_size > 0
        assert names(store) == ["new.png"]  # the connections to the old one are closed now
        assert log.stat().st_size > 0
        third = opened(folder)
        assert names(third) == ["new.png"]
        third.close()
        other.kill()
    assert names(store) == ["new.png"]


def test_finds_a_folder_that_comes_back(folder, store):
    """A disk that is taken out and put in."""
    away = folder.with_name("away")
    folder.rename(away)
    assert names(store) == []
    away.rename(folder)
    assert names(store) == ["a.png", "b.png"]


def test_tells_the_writer_that_the_archive_was_deleted(folder, store):
    with store.writing() as writer:
        shutil.rmtree(folder / ".memery")
        with pytest.raises(ArchiveError, match="deleted while it was being written"):
            writer.remember("name", "value")
    add(store, "again.png")
    assert names(store) == ["again.png"]


def test_reads_what_was_purged_until_the_snapshot_ends(folder, store):
    with store.snapshot():
        Archive(folder, folder / ".memery").purge()
        assert names(store) == ["a.png", "b.png"]
        other = opened(folder)
        add(other, "c.png")
        other.close()
        assert names(store) == ["a.png", "b.png"]
    assert names(store) == ["c.png"]


def test_uses_no_index_that_is_newer_than_the_snapshot(folder, store):
    """A newer one lacks what was deleted since, which the snapshot still has."""
    other = opened(folder)
    with store.snapshot():
        assert counted(store) == 2
        add(other, "a.png")  # its embedding is written again, with another id
        with other.writing() as writer:
            writer.remove(["b.png"])
            writer.prune()
        other.refresh(SPACE)
        assert names(store) == ["a.png", "b.png"]
    assert names(store) == ["a.png"]
    other.close()


def test_begins_a_snapshot_while_the_archive_is_purged(folder, store, monkeypatch):
    take = store._db._take_idle

    def purge_first(idle):
        monkeypatch.undo()
        Archive(folder, folder / ".memery").purge()
        return take([])

    monkeypatch.setattr(store._db, "_take_idle", purge_first)
    with store.snapshot():
        assert names(store) == []


def test_notices_an_archive_purged_while_it_is_opened(folder, store, monkeypatch):
    Archive(folder, folder / ".memery").purge()
    other = opened(folder)
    add(other, "c.png")
    other.close()
    connect = connections.connect

    def purge_after(*arguments, **words):
        monkeypatch.undo()
        connection = connect(*arguments, **words)
        Archive(folder, folder / ".memery").purge()
        return connection

    monkeypatch.setattr(connections, "connect", purge_after)
    with contextlib.suppress(ArchiveError):
        names(store)
    assert names(store) == []


def test_remembers_a_query_inside_a_snapshot(folder, store):
    vector = np.eye(8, dtype=np.float32)[1]
    with store.snapshot():
        store.remember_query(SPACE, "a text", vector)
    np.testing.assert_allclose(store.query_embedding(SPACE, "a text"), vector)
    Archive(folder, folder / ".memery").purge()
    with store.snapshot():
        store.remember_query(SPACE, "a text", vector)
    assert store.query_embedding(SPACE, "a text") is None


def test_serves_many_readers_while_it_is_replaced(folder, store):
    seen, failures = set(), []
    stop = threading.Event()

    def read():
        while not stop.is_set():
            try:
                seen.add(counted(store))
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, 8):
            Archive(folder, folder / ".memery").purge()
            other = opened(folder)
            add(other, *(f"{one}.png" for one in range(number + 10)))
            other.close()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert counted(store) == 17
    assert seen <= {0, 2, *range(11, 18)}


def test_serves_many_readers_while_one_writes(folder):
    """None waits for the writer, and each sees one committed state."""
    store, other = opened(folder), opened(folder)
    contract.commit(other, *contract.BROWSED)
    failures, rounds = [], []
    stop = threading.Event()

    def read():
        while not stop.is_set():
            with store.snapshot() as snapshot:
                listing = snapshot.browse(SPACE, Browse(filter=EVERYWHERE, order="date"))
                found = snapshot.search(SPACE, contract.nearest_to(contract.unit(1), 100))
            if not len(listing.images) == listing.total == len(found.ranked) == found.total:
                failures.append((listing, found))
            rounds.append(1)

    threads = [threading.Thread(target=read) for _ in range(READERS + 4)]
    for thread in threads:
        thread.start()
    with other.writing() as writer:
        for number in range(20):
            writer.commit(SPACE, [contract.record(f"new/{number}.png", contract.unit(1))], [])
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert rounds
    assert counted(store) == 25
    other.close()
    store.close()


@pytest.mark.slow
def test_keeps_the_log_short_while_readers_never_pause(folder):
    store, other = opened(folder), opened(folder)
    log = folder / ".memery" / "store.sqlite3-wal"
    contract.commit(other, *contract.BROWSED)
    stop, sizes = threading.Event(), []

    def read():
        while not stop.is_set():
            with store.snapshot() as snapshot:
                snapshot.browse(SPACE, Browse(filter=EVERYWHERE, order="date", limit=100))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with other.writing() as writer:
            for number in range(90):
                paths = [f"{number}/{one:04}.png" for one in range(200)]
                more = [contract.record(path, contract.unit(number % 4 + 1)) for path in paths]
                writer.commit(SPACE, more, [])
                sizes.append(log.stat().st_size)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert counted(store) == 5 + 90 * 200
    assert max(sizes) < 24 << 20, [size >> 20 for size in sizes]
    other.close()
    store.close()
