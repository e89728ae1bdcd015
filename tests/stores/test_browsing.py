"""Images by id, page by page and by kind, held against every store; and several stores as one."""

import hashlib
import os
import sqlite3
import threading

import numpy as np
import pytest

from memery.archive import Archive
from memery.errors import ArchiveError
from memery.filters import Filter
from memery.stores.interface import Addition, Content, Space, Text
from memery.stores.joint import JointStore, Member
from memery.stores.sqlite.database import READERS
from memery.stores.sqlite.store import SQLiteStore
from memery.testing import MemoryStore
from memery.types import FileEntry, Line

SPACE, OTHER = Space("model", "f1", 4), Space("other", "f2", 4)
FILES = {
    # path: (mtime in seconds, taken at, digest)
    "a.png": (1_600_000_000, None, "01"),
    "trip/b.JPG": (1_500_000_000, "2023-05-01T10:00:00", "02"),
    "trip/far/c.png": (1_700_000_000, "2023-05-02T10:00:00", "03"),
    "trip/far/copy.png": (1_700_000_001, "2023-05-02T10:00:00", "03"),
    "odd\udcff/noextension": (1_400_000_000, None, "04"),
}


def unit(number):
    vector = np.zeros(4, dtype=np.float32)
    vector[number] = 1
    return vector


def additions(files=FILES):
    return [
        Addition(
            FileEntry(path, 9, seconds * 10**9),
            digest * 32,
            Content(4, 3, "PNG", taken_at, unit(int(digest) % 4)),
        )
        for path, (seconds, taken_at, digest) in files.items()
    ]


def sqlite_store(folder):
    folder.mkdir(exist_ok=True)
    return SQLiteStore(Archive(folder, folder / ".memery"))


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else sqlite_store(tmp_path / "photos")
    with made.writing():
        made.commit(SPACE, additions(), [])
        yield made
    made.close()


def paths(listing):
    return [image.path for image in listing.images]


def test_an_image_is_found_by_its_id(store):
    listing = store.browse(SPACE, Filter(), "name", 10, 0)
    assert paths(listing) == sorted(FILES, key=os.fsencode)
    assert len({image.id for image in listing.images}) == 5  # a copy has an id of its own
    for image in listing.images:
        assert store.image(SPACE, image.id) == image
        assert store.image(OTHER, image.id) is None
    for id_ in ("", "0" * 32, "0" * 31, "G" * 32, image.id.upper(), f"{image.id}\n", "\udcff"):
        assert store.image(SPACE, id_) is None


def test_an_id_goes_with_its_content_and_its_path(store):
    before = store.browse(SPACE, Filter(), "name", 1, 0).images[0]
    store.commit(SPACE, additions({"a.png": (1_600_000_000, None, "05")}), [])
    assert store.image(SPACE, before.id) is None
    now = store.browse(SPACE, Filter(), "name", 1, 0).images[0]
    assert store.image(SPACE, now.id).digest == "05" * 32
    store.remove(["a.png"])
    assert store.image(SPACE, now.id) is None


def test_pages_in_both_orders(store):
    for order, first in (("date", "trip/far/c.png"), ("name", "a.png")):
        whole = store.browse(SPACE, Filter(), order, 10, 0)
        assert whole.total == 5
        assert paths(whole)[0] == first
        pages = [paths(store.browse(SPACE, Filter(), order, 2, start)) for start in (0, 2, 4, 6)]
        assert [path for page in pages for path in page] == paths(whole)
    trip = store.browse(SPACE, Filter("trip", ext="png"), "date", 1, 0)
    assert (trip.total, paths(trip)) == (2, ["trip/far/c.png"])
    assert store.browse(OTHER, Filter(), "date", 10, 0).total == 0


def test_exact_copies_are_folded(store):
    every = store.browse(SPACE, Filter(), "name", 10, 0)
    for order in ("date", "name"):
        whole = store.browse(SPACE, Filter(), order, 10, 0, fold=True)
        assert whole.total == len(whole.images) == 4
        kept = paths(store.browse(SPACE, Filter(), order, 10, 0))
        assert paths(whole) == [path for path in kept if path != "trip/far/copy.png"]
        pages = [store.browse(SPACE, Filter(), order, 2, n, fold=True) for n in (0, 2, 4)]
        assert [path for page in pages for path in paths(page)] == paths(whole)
    by_path = {image.path: image for image in every.images}
    first, copy = by_path["trip/far/c.png"], by_path["trip/far/copy.png"]
    assert store.copies([copy, by_path["a.png"], first], Filter()) == [
        ["trip/far/c.png"],
        [],
        ["trip/far/copy.png"],
    ]
    assert store.copies([first], Filter("odd\udcff")) == [[]]
    assert store.content_key(first) == store.content_key(copy) != store.content_key(every.images[0])
    for scope, total in ((Filter(), 4), (Filter("trip/far"), 1), (Filter(ext="png"), 2)):
        found = store.search(SPACE, unit(3), 10, scope, fold=True)
        assert found.total == len(found.ranked) == total
        assert found.ranked[0][0] == first
        assert store.count_above(SPACE, unit(3), 0.9, scope, fold=True) == 1
        assert store.count_above(SPACE, unit(3), 0.9, scope) == 2
        assert store.count_above(SPACE, unit(3), -1, scope, fold=True) == total
    store.remove(["trip/far/c.png"])
    assert store.browse(SPACE, Filter(), "name", 10, 0, fold=True).total == 4
    assert store.copies([copy], Filter()) == [[]]


def test_folded_facets(store):
    found = store.facets(SPACE, Filter(), fold=True)
    assert dict(found.folders) == {"": 4, "odd\udcff": 1, "trip": 2, "trip/far": 1}
    assert found.months["2023-05"] == 2
    assert list(found.types.items()) == [("png", 2), ("", 1), ("jpg", 1)]


def test_images_are_found_by_the_names_of_files_and_folders(store):
    def found(name, scope=Filter(), limit=None):  # noqa: B008 - frozen
        return [image.path for image in store.find_called(SPACE, name, scope, limit)]

    assert found("A") == found("a.PNG") == ["a.png"]
    assert found("a.jpg") == found("png") == found("") == found("/") == []
    assert found("B.jpg") == found("trip/b") == found("TRIP/B.JPG/") == ["trip/b.JPG"]
    assert found("trap/b") == []
    assert found("far") == ["trip/far/c.png", "trip/far/copy.png"]
    assert found("trip", limit=2) == found("trip")[:2]
    assert set(found("trip")) == {"trip/b.JPG", "trip/far/c.png", "trip/far/copy.png"}
    assert found("trip", Filter("trip/far")) == found("far")
    assert found("odd\udcff") == ["odd\udcff/noextension"]
    assert store.find_called(OTHER, "a", Filter(), None) == []
    store.remove(["a.png", "trip/far/c.png", "trip/far/copy.png"])
    assert found("a") == found("far") == []
    store.prune()
    assert found("trip") == ["trip/b.JPG"]


def test_facets(store):
    found = store.facets(SPACE, Filter())
    assert dict(found.folders) == {"": 5, "odd\udcff": 1, "trip": 3, "trip/far": 2}
    assert list(found.months) == sorted(found.months, reverse=True)
    assert found.months["2023-05"] == 3
    assert list(found.types.items()) == [("png", 3), ("", 1), ("jpg", 1)]
    narrowed = store.facets(SPACE, Filter("trip/far"))
    assert dict(narrowed.folders) == {"": 2, "trip": 2, "trip/far": 2}
    assert dict(store.facets(OTHER, Filter()).types) == {}


def test_facets_are_what_filters_find(store):
    found = store.facets(SPACE, Filter())
    for folder, count in found.folders.items():
        assert store.count(SPACE, Filter(folder)) == count
    for month, count in found.months.items():
        assert store.count(SPACE, Filter(since=month, until=month)) == count


def test_an_archive_from_before_has_ids_too(tmp_path):
    store = sqlite_store(tmp_path)
    with store.writing():
        store.commit(SPACE, additions(), [])
    images = store.browse(SPACE, Filter(), "name", 10, 0).images
    store.close()
    with sqlite3.connect(tmp_path / ".memery" / "store.sqlite3") as db:
        db.executescript(
            "DROP INDEX files_by_handle; ALTER TABLE files DROP COLUMN handle;"
            "ALTER TABLE contents DROP COLUMN notes; ALTER TABLE contents DROP COLUMN hashes;"
            "ALTER TABLE contents DROP COLUMN colour;"
            "ALTER TABLE contents DROP COLUMN date_source; ALTER TABLE files DROP COLUMN named_at;"
            "ALTER TABLE contents DROP COLUMN damage;"
            "DROP TABLE texts; DROP TABLE text_words; DROP TABLE file_words; DROP TABLE names;"
            "DROP TABLE outdated;"
            "PRAGMA user_version = 1;"
        )
    db.close()
    store = sqlite_store(tmp_path)
    assert [store.image(SPACE, image.id) for image in images] == list(images)
    for name in ("far", "C.PNG", "odd\udcff"):
        assert store.find_called(SPACE, name, Filter(), None), name
    assert store.count(SPACE, Filter(quoted="c.png")) == 1
    store.close()


def test_an_archive_from_before_reads_long_images_again(tmp_path):
    store = sqlite_store(tmp_path)
    digests = {}
    with store.writing():
        for name, size in (("long.png", (4, 12)), ("wide.png", (30, 4)), ("other.png", (4, 11))):
            digests[name] = hashlib.sha256(name.encode()).hexdigest()
            content = Content(*size, "PNG", None, unit(1))
            store.commit(SPACE, [Addition(FileEntry(name, 1, 1), digests[name], content)], [])
        lines = (Line("words", 1.0, (0.0, 0.0, 1.0, 1.0)),)
        store.commit_texts([Text(digest, "reader 1", lines) for digest in digests.values()])
    store.close()
    with sqlite3.connect(tmp_path / ".memery" / "store.sqlite3") as db:
        db.executescript(
            "ALTER TABLE contents DROP COLUMN date_source; ALTER TABLE files DROP COLUMN named_at;"
            "ALTER TABLE contents DROP COLUMN damage; DROP TABLE names; DROP TABLE outdated;"
            "PRAGMA user_version = 2;"
        )
    db.close()
    store = sqlite_store(tmp_path)
    assert sorted(entry.path for entry, _ in store.unread(Filter())) == ["long.png", "wide.png"]
    found = store.find_text(SPACE, [[("words",)]], Filter(), None)
    assert [match.image.path for match in found] == ["other.png"]
    assert list(store.verify(SPACE)) == []
    store.close()


def test_an_id_that_a_stranger_wrote_is_none(tmp_path):
    store = sqlite_store(tmp_path)
    with store.writing():
        store.commit(SPACE, additions(), [])
    store.close()
    with sqlite3.connect(tmp_path / ".memery" / "store.sqlite3") as db:
        db.execute("UPDATE files SET handle = zeroblob(16)")
    db.close()
    store = sqlite_store(tmp_path)
    assert store.image(SPACE, "0" * 32) is None
    store.close()


def test_many_threads_read_while_one_writes(tmp_path):
    """None waits for the writer, and each sees one committed state."""
    store, writer = sqlite_store(tmp_path), sqlite_store(tmp_path)
    with writer.writing():
        writer.commit(SPACE, additions(), [])
    failures, rounds = [], []
    stop = threading.Event()

    def read():
        while not stop.is_set():
            listing = store.browse(SPACE, Filter(), "date", 100, 0)
            found = store.search(SPACE, unit(1), 100, Filter())
            if len(listing.images) != listing.total or len(found.ranked) != found.total:
                failures.append((listing, found))
            rounds.append(1)

    threads = [threading.Thread(target=read) for _ in range(READERS + 4)]
    for thread in threads:
        thread.start()
    with writer.writing():
        for number in range(20):
            more = {f"new/{number}.png": (1_700_000_000, None, f"{number + 10}")}
            writer.commit(SPACE, additions(more), [])
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert rounds
    assert store.count(SPACE, Filter()) == 25
    writer.close()
    store.close()
    with pytest.raises(ArchiveError, match="closed"):
        store.count(SPACE, Filter())


@pytest.mark.slow
def test_log_stays_short_while_readers_never_pause(tmp_path):
    store, writer = sqlite_store(tmp_path), sqlite_store(tmp_path)
    log = tmp_path / ".memery" / "store.sqlite3-wal"
    with writer.writing():
        writer.commit(SPACE, additions(), [])
    stop, sizes = threading.Event(), []

    def read():
        while not stop.is_set():
            store.browse(SPACE, Filter(), "date", 100, 0)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        with writer.writing():
            for number in range(90):
                paths = [f"{number}/{one:04}.png" for one in range(200)]
                more = [
                    Addition(
                        FileEntry(path, 9, 10**18),
                        hashlib.sha256(path.encode()).hexdigest(),
                        Content(4, 3, "PNG", None, unit(number % 4)),
                    )
                    for path in paths
                ]
                writer.commit(SPACE, more, [])
                sizes.append(log.stat().st_size)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert store.count(SPACE, Filter()) == 5 + 90 * 200
    assert max(sizes) < 24 << 20, [size >> 20 for size in sizes]
    writer.close()
    store.close()


@pytest.fixture
def joint(tmp_path):
    one, two = sqlite_store(tmp_path / "one"), MemoryStore()
    for made in (one, two):
        with made.writing():
            made.commit(SPACE, additions(), [])
    yield JointStore([Member("one", one, "trip"), Member("two", two)])
    one.close()


def test_several_stores_as_one(joint):
    listing = joint.browse(SPACE, Filter(), "name", 100, 0)
    assert (listing.total, joint.count(SPACE, Filter())) == (8, 8)
    assert paths(listing)[:3] == ["one/trip/b.JPG", "one/trip/far/c.png", "one/trip/far/copy.png"]
    member, image = joint.member_of(listing.images[0])
    assert (member.name, image.path) == ("one", "trip/b.JPG")
    assert joint.image(SPACE, image.id).path == "one/trip/b.JPG"
    pages = [paths(joint.browse(SPACE, Filter(), "date", 3, start)) for start in (0, 3, 6)]
    newest = paths(joint.browse(SPACE, Filter(), "date", 100, 0))
    assert [path for page in pages for path in page] == newest
    # A filter's folders are those of each member: `far` is in `one`, where `trip` is searched.
    assert joint.count(SPACE, Filter("far")) == 2
    assert joint.count(SPACE, Filter("trip")) == 3
    facets = joint.facets(SPACE, Filter())
    assert facets.folders[""] == 8
    assert facets.folders["far"] == 2
    assert facets.types == {"png": 5, "jpg": 2, "": 1}
    found = joint.search(SPACE, unit(3), 3, Filter())
    assert found.total == 8
    assert [score for _, score in found.ranked] == [1.0, 1.0, 1.0]
    assert len(joint.background(SPACE, unit(1))) == 8
    folded = joint.search(SPACE, unit(3), 10, Filter(), fold=True)
    assert folded.total == 6  # a copy in the other store is an image of its own
    assert [image.path for image, score in folded.ranked if score == 1] == [
        "one/trip/far/c.png",
        "two/trip/far/c.png",
    ]
    assert joint.count_above(SPACE, unit(3), 0.9, Filter(), fold=True) == 2
    assert joint.browse(SPACE, Filter(), "date", 10, 0, fold=True).total == 6
    assert joint.facets(SPACE, Filter(), fold=True).types == {"png": 3, "jpg": 2, "": 1}
    assert joint.copies([folded.ranked[0][0]], Filter()) == [["one/trip/far/copy.png"]]
    assert len({joint.content_key(image) for image, _ in folded.ranked}) == 6
    assert joint.embedding(SPACE, "03" * 32) is not None
    assert joint.embedding(SPACE, "99" * 32) is None
    joint.remember_query(SPACE, "words", unit(2))
    np.testing.assert_array_equal(joint.query_embedding(SPACE, "words"), unit(2))


def test_names_are_found_in_all(joint):
    found = joint.find_names(SPACE, [[("copy",)]], Filter(), None)
    assert [image.path for image in found] == ["one/trip/far/copy.png", "two/trip/far/copy.png"]
    assert joint.find_text(SPACE, [[("copy",)]], Filter(), 5) == []
    assert joint.vocabulary({"copy"}) == set()
    assert joint.text("03" * 32) is None
