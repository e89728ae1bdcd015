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
from memery.filters import Filter
from memery.stores.interface import Addition, Content, Space
from memery.stores.sqlite import schema
from memery.stores.sqlite.store import SQLiteStore
from memery.types import FileEntry

SPACE = Space("model", "f1", 8)
EVERYWHERE = Filter()
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from test_replaced import add, opened
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
        Addition(
            FileEntry(name, 100, 5),
            hashlib.sha256(name.encode()).hexdigest(),
            Content(4, 3, "PNG", None, vector),
        )
        for name in names
    ]
    with store.writing():
        store.commit(SPACE, added, [])


def names(store):
    found = store.search(SPACE, np.eye(8, dtype=np.float32)[0], 10, EVERYWHERE)
    listed = store.browse(SPACE, EVERYWHERE, "name", 10, 0)
    assert [image.path for image, _ in found.ranked] == [image.path for image in listed.images]
    return [image.path for image in listed.images]


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


def test_a_purged_archive_is_empty_and_is_not_made_anew(folder, store):
    Archive(folder, folder / ".memery").purge()
    assert names(store) == []
    assert store.count(SPACE, EVERYWHERE) == 0
    store.remember_query(SPACE, "a text", np.eye(8, dtype=np.float32)[1])
    assert not (folder / ".memery").exists()
    add(store, "c.png")
    assert names(store) == ["c.png"]
    assert (folder / ".memery" / "store.sqlite3").exists()


def test_the_archive_of_another_process_is_gone_over_to(folder, store):
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


def test_a_folder_that_comes_back_is_found_again(folder, store):
    """A disk that is taken out and put in."""
    away = folder.with_name("away")
    folder.rename(away)
    assert names(store) == []
    away.rename(folder)
    assert names(store) == ["a.png", "b.png"]


def test_who_writes_is_told(folder, store):
    with store.writing():
        shutil.rmtree(folder / ".memery")
        with pytest.raises(ArchiveError, match="deleted while it was being written"):
            store.remember("name", "value")
    add(store, "again.png")
    assert names(store) == ["again.png"]


def test_a_snapshot_goes_on_with_what_was_purged(folder, store):
    with store.snapshot():
        Archive(folder, folder / ".memery").purge()
        assert names(store) == ["a.png", "b.png"]
        other = opened(folder)
        add(other, "c.png")
        other.close()
        assert names(store) == ["a.png", "b.png"]
    assert names(store) == ["c.png"]


def test_a_snapshot_uses_no_index_that_is_newer(folder, store):
    """A newer one lacks what was deleted since, which the snapshot still has."""
    other = opened(folder)
    with store.snapshot():
        assert store.count(SPACE, EVERYWHERE) == 2
        add(other, "a.png")  # its embedding is written anew: under another number
        with other.writing():
            other.remove(["b.png"])
            other.prune()
        other.refresh(SPACE)
        assert names(store) == ["a.png", "b.png"]
    assert names(store) == ["a.png"]
    other.close()


def test_a_snapshot_begins_although_the_archive_is_purged_at_that_moment(
    folder, store, monkeypatch
):
    take = store._db._take

    def purge_first(idle):
        monkeypatch.undo()
        Archive(folder, folder / ".memery").purge()
        return take([])

    monkeypatch.setattr(store._db, "_take", purge_first)
    with store.snapshot():
        assert names(store) == []


def test_an_archive_purged_while_it_is_opened_is_noticed(folder, store, monkeypatch):
    Archive(folder, folder / ".memery").purge()
    other = opened(folder)
    add(other, "c.png")
    other.close()
    connect = schema.connect

    def purge_after(*arguments, **words):
        monkeypatch.undo()
        connection = connect(*arguments, **words)
        Archive(folder, folder / ".memery").purge()
        return connection

    monkeypatch.setattr(schema, "connect", purge_after)
    with contextlib.suppress(ArchiveError):
        names(store)
    assert names(store) == []


def test_a_text_can_be_remembered_inside_a_snapshot(folder, store):
    vector = np.eye(8, dtype=np.float32)[1]
    with store.snapshot():
        store.remember_query(SPACE, "a text", vector)
    np.testing.assert_allclose(store.query_embedding(SPACE, "a text"), vector)
    Archive(folder, folder / ".memery").purge()
    with store.snapshot():
        store.remember_query(SPACE, "a text", vector)
    assert store.query_embedding(SPACE, "a text") is None


def test_many_read_while_it_is_replaced(folder, store):
    seen, failures = set(), []
    stop = threading.Event()

    def read():
        while not stop.is_set():
            try:
                seen.add(store.count(SPACE, EVERYWHERE))
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
    assert store.count(SPACE, EVERYWHERE) == 17
    assert seen <= {0, 2, *range(11, 18)}
