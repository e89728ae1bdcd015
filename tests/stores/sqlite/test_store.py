"""The SQLite store: what it does with what strangers, damage and mistakes put into it."""

import contextlib
import sqlite3

import numpy as np
import pytest

from memery.archive import Archive
from memery.errors import ArchiveDamaged, ArchiveError
from memery.stores.derived import count
from memery.stores.records import Content, IndexRecord, SkipRecord
from memery.stores.sqlite.store import REMEMBERED_QUERIES, SQLiteStore
from memery.types import FileEntry, Skip
from stores.contract import EVERYWHERE, SPACE, commit, names, nearest_to, record, skipped, unit

HOSTILE = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON files BEGIN DELETE FROM files; END",
    "view": "CREATE VIEW v AS SELECT * FROM files",
    "table": "CREATE TABLE mine (x)",
    "outside": "UPDATE files SET path = CAST('../../etc/passwd' AS BLOB)",
    "absolute": "UPDATE files SET path = CAST('/etc/passwd' AS BLOB)",
    "vector": "UPDATE embeddings SET vector = x'00'",
    "vector type": "UPDATE embeddings SET vector = 'text'",
    "width": "UPDATE contents SET width = x'ff'",
    "query": "UPDATE queries SET vector = 5",
    "dim": "UPDATE spaces SET dim = 100000000",
    "uuid": "UPDATE settings SET value = '../../x' WHERE name = 'uuid'",
    "newer": "PRAGMA user_version = 99",
    "foreign": "PRAGMA application_id = 1",
    "missing": "DROP TABLE queries",
}


@pytest.fixture
def reopened(tmp_path):
    """Open the store of one folder again; what was opened is closed before, and at the end."""
    opened = []

    def reopen():
        close()
        opened.append(SQLiteStore(Archive(tmp_path, tmp_path / ".memery")))
        return opened[0]

    def close():
        while opened:
            opened.pop().close()

    yield reopen
    close()


@pytest.fixture
def store(reopened):
    return reopened()


def forge(tmp_path, statements):
    """Write to the database behind the store's back."""
    with contextlib.closing(sqlite3.connect(tmp_path / ".memery" / "store.sqlite3")) as db:
        db.executescript(statements)
        db.commit()


def found(store):
    with store.snapshot() as snapshot:
        nearest = snapshot.search(SPACE, nearest_to(unit(1)))
    return names(image for image, _ in nearest.ranked)


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE.keys())
def test_refuses_a_hostile_database(tmp_path, store, reopened, statement):
    commit(store, record("a.png", unit(1)))
    store.remember_query(SPACE, "dog", unit(1))
    store.close()
    forge(tmp_path, statement)

    def use():
        opened = reopened()
        found(opened)
        opened.query_embedding(SPACE, "dog")

    with pytest.raises(ArchiveError):
        use()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE files SET mtime_ns = 'noon'",
        "UPDATE files SET path = CAST(path AS TEXT)",
        "UPDATE contents SET width = x'ff'",
        "UPDATE queries SET vector = 5",
    ],
)
def test_verify_finds_values_of_wrong_types(tmp_path, store, reopened, statement):
    commit(store, record("a.png", unit(1)))
    store.remember_query(SPACE, "dog", unit(1))
    store.close()
    forge(tmp_path, statement)
    assert "a value has the wrong type" in reopened().verify(SPACE)


@pytest.mark.parametrize(
    "damage",
    [
        "ALTER TABLE files DROP COLUMN circumstances",
        "DROP TABLE contents",
        "UPDATE files SET skip_reason = CAST(x'ff' AS TEXT)",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999"
        " WHERE name = 'files'",
    ],
)
def test_reports_verified_damage_with_a_remedy(tmp_path, store, reopened, damage):
    commit(store, record("b.png", unit(1)), skips=[skipped("c.png")])
    store.close()
    forge(tmp_path, damage)

    def use():
        with reopened().snapshot() as snapshot:
            snapshot.scan_state(SPACE, EVERYWHERE, "now")
            snapshot.skips(EVERYWHERE)

    with pytest.raises(ArchiveDamaged, match="memery purge"):
        use()


def test_reads_a_forged_reason_as_text(tmp_path, store, reopened):
    commit(store, skips=[skipped("s.png")])
    store.close()
    forge(tmp_path, "UPDATE files SET skip_detail = x'41', skip_reason = 7")
    with reopened().snapshot() as snapshot:
        assert snapshot.skips(EVERYWHERE) == [Skip("s.png", "7", "A")]


def test_ignores_a_forged_id(tmp_path, store, reopened):
    commit(store, record("a.png", unit(1)))
    store.close()
    forge(tmp_path, "UPDATE files SET handle = zeroblob(16)")
    with reopened().snapshot() as snapshot:
        assert snapshot.lookup(SPACE, EVERYWHERE, ids=["0" * 32]) == []


def test_refuses_the_archive_of_another_folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with contextlib.closing(SQLiteStore(Archive(tmp_path / "one", tmp_path / "archive"))) as store:
        commit(store)
    with pytest.raises(ArchiveError, match="another folder"):
        SQLiteStore(Archive(tmp_path / "two", tmp_path / "archive"))


def test_forgets_the_oldest_queries(store):
    commit(store)
    store._db._connection.execute("PRAGMA synchronous = OFF")
    for number in range(REMEMBERED_QUERIES + 5):
        store.remember_query(SPACE, str(number), unit(1))
    assert store.query_embedding(SPACE, "4") is None
    assert store.query_embedding(SPACE, "5") is not None


def test_ignores_a_remembered_query_that_is_not_a_unit_vector(store):
    commit(store)
    store.remember_query(SPACE, "dog", unit(1) * 0)
    assert store.query_embedding(SPACE, "dog") is None


def test_remembers_a_query_inside_a_snapshot(store):
    commit(store)
    with store.snapshot():
        store.remember_query(SPACE, "dog", unit(1))
    np.testing.assert_array_equal(store.query_embedding(SPACE, "dog"), unit(1))


def test_says_that_it_is_closed(store):
    commit(store)
    store.close()
    with pytest.raises(ArchiveError, match="closed"), store.snapshot() as snapshot:
        count(snapshot, SPACE, EVERYWHERE)


@pytest.mark.parametrize("mtime_ns", [1 << 63, -(1 << 63) - 1])
def test_does_not_call_a_value_that_cannot_be_stored_damage(store, mtime_ns):
    commit(store, record("b.png", unit(1)))
    strange = IndexRecord(
        FileEntry("a.png", 1, mtime_ns), "00" * 32, Content(4, 3, "PNG", None, unit(1))
    )
    with pytest.raises(ArchiveError, match="report it") as raised:
        commit(store, strange)
    assert not isinstance(raised.value, ArchiveDamaged)
    assert "purge" not in str(raised.value)
    assert found(store) == ["b.png"]


@pytest.mark.parametrize(
    "mistake", ["SELECT nonsense FROM files", "INSERT INTO files (id) VALUES (9)"]
)
def test_does_not_call_a_mistake_in_memery_damage(store, mistake):
    commit(store, record("b.png", unit(1)))
    with (
        pytest.raises(ArchiveError, match="report it") as raised,
        store._db.write_transaction() as db,
    ):
        db.execute(mistake)
    assert not isinstance(raised.value, ArchiveDamaged)


def test_stores_text_that_is_not_unicode(store):
    noted = record("a.png", unit(1), notes="a \ud800 note")
    skip = SkipRecord(FileEntry("b.png", 1, 1), Skip("b.png", "truncated", "\udfff?"), "now")
    commit(store, noted, skips=[skip])
    assert found(store) == ["a.png"]
    with store.snapshot() as snapshot:
        assert snapshot.skips(EVERYWHERE) == [Skip("b.png", "truncated", "??")]
