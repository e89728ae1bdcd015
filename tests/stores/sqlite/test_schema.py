"""Archives of earlier versions are migrated."""

import contextlib
import sqlite3

import pytest

from memery.archive import APPLICATION_ID, Archive
from memery.errors import ArchiveDamaged
from memery.query.filters import Filter
from memery.stores.derived import count
from memery.stores.records import Browse, TextSearch
from memery.stores.sqlite.schema import MIGRATIONS
from memery.stores.sqlite.store import SQLiteStore
from stores.contract import (
    BROWSED,
    EVERYWHERE,
    SPACE,
    commit,
    digest_of,
    names,
    record,
    text_of,
    unit,
)

THIRD = """
    ALTER TABLE contents DROP COLUMN date_source; ALTER TABLE files DROP COLUMN named_at;
    ALTER TABLE contents DROP COLUMN damage; DROP TABLE names; DROP TABLE outdated;
    PRAGMA user_version = 2;
"""
"""Takes the third migration back."""
SECOND = """
    DROP INDEX files_by_handle; ALTER TABLE files DROP COLUMN handle;
    ALTER TABLE contents DROP COLUMN notes; ALTER TABLE contents DROP COLUMN hashes;
    ALTER TABLE contents DROP COLUMN colour;
    DROP TABLE texts; DROP TABLE text_words; DROP TABLE file_words;
    PRAGMA user_version = 1;
"""
"""Takes the second migration back."""


def opened(folder):
    return contextlib.closing(SQLiteStore(Archive(folder, folder / ".memery")))


def edit(folder, statements):
    with contextlib.closing(sqlite3.connect(folder / ".memery" / "store.sqlite3")) as db:
        db.executescript(statements)
        db.commit()


def make_first(folder, statements):
    """A database as the first version made it."""
    (folder / ".memery").mkdir()
    edit(folder, MIGRATIONS[0])
    edit(folder, f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; {statements}")


def test_gives_images_of_an_old_archive_ids_and_names(tmp_path):
    with opened(tmp_path) as store:
        commit(store, *BROWSED)
        with store.snapshot() as snapshot:
            images = snapshot.browse(SPACE, Browse(filter=EVERYWHERE)).images
    edit(tmp_path, THIRD + SECOND)
    with opened(tmp_path) as store, store.snapshot() as snapshot:
        assert snapshot.lookup(SPACE, EVERYWHERE, ids=[image.id for image in images]) == images
        for name in ("far", "C.PNG", "odd\udcff"):
            assert snapshot.search_paths(SPACE, name, EVERYWHERE), name
        assert count(snapshot, SPACE, Filter(quoted="c.png")) == 1


def test_recognizes_text_in_long_images_of_an_old_archive_again(tmp_path):
    sizes = {"long.png": (4, 12), "wide.png": (30, 4), "other.png": (4, 11)}
    images = [record(n, unit(1), width=w, height=h) for n, (w, h) in sizes.items()]
    with opened(tmp_path) as store:
        commit(store, *images, texts=[text_of(image, "words") for image in images])
    edit(tmp_path, THIRD)
    with opened(tmp_path) as store:
        with store.snapshot() as snapshot:
            pending = [entry.path for entry, _ in snapshot.pending_ocr(EVERYWHERE)]
            request = TextSearch(terms=[[("words",)]], filter=EVERYWHERE)
            found = snapshot.search_text(SPACE, request)
        assert sorted(pending) == ["long.png", "wide.png"]
        assert names(match.image for match in found) == ["other.png"]
        assert list(store.verify(SPACE)) == []


def test_reads_contents_without_perceptual_hashes_again(tmp_path):
    with opened(tmp_path) as store:
        commit(store, record("a.png", unit(1)), record("b.png", unit(0, 1)))
        edit(tmp_path, "UPDATE contents SET hashes = NULL WHERE id = 1")
        with store.snapshot() as snapshot:
            stamps = snapshot.scan_state(SPACE, EVERYWHERE, "now")
            known = snapshot.digests(SPACE).known
        assert stamps == {"a.png": None, "b.png": (100, 5)}
        assert known == {digest_of("b.png")}
        commit(store, record("a.png", unit(1)))
        with store.snapshot() as snapshot:
            assert snapshot.scan_state(SPACE, EVERYWHERE, "now")["a.png"] == (100, 5)


@pytest.mark.parametrize("path", ["CAST(path AS TEXT)", "5"])
def test_migrates_an_archive_with_paths_of_another_type(tmp_path, path):
    make_first(
        tmp_path,
        "INSERT INTO settings VALUES ('uuid', 'ab'), ('version', '0');"
        "INSERT INTO contents VALUES (1, zeroblob(32), 1, 1, 'PNG', NULL);"
        "INSERT INTO files VALUES (1, CAST('a.png' AS BLOB), 1, 1, 1, NULL, NULL, NULL);"
        f"UPDATE files SET path = {path}",
    )
    with opened(tmp_path) as store, store.snapshot() as snapshot:
        assert snapshot.state().version == 0


def test_runs_no_foreign_trigger_while_an_old_archive_is_migrated(tmp_path):
    make_first(
        tmp_path,
        "INSERT INTO contents VALUES (1, zeroblob(32), 4, 3, 'PNG', NULL);"
        "INSERT INTO files (path, size, mtime_ns, content) VALUES (x'61', 1, 1, 1);"
        "CREATE TRIGGER t AFTER UPDATE ON files BEGIN DELETE FROM contents; END",
    )
    with pytest.raises(ArchiveDamaged, match="'t'"):
        SQLiteStore(Archive(tmp_path, tmp_path / ".memery"))
    with contextlib.closing(sqlite3.connect(tmp_path / ".memery" / "store.sqlite3")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
        assert db.execute("SELECT count(*) FROM contents").fetchone()[0] == 1
