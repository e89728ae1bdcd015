"""What `stores/interface.py` promises, held against every store."""

import contextlib
import hashlib
import os
import sqlite3
import threading
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memery.archive import APPLICATION_ID, Archive
from memery.errors import ArchiveDamaged, ArchiveError, ArchiveLocked
from memery.filters import Filter
from memery.likeness import LIKENESS_BYTES
from memery.stores.interface import Addition, Content, SkipAddition, Space, Text
from memery.stores.sqlite import schema
from memery.stores.sqlite.index import ExactIndex
from memery.stores.sqlite.schema import MIGRATIONS
from memery.stores.sqlite.store import REMEMBERED_QUERIES, SQLiteStore
from memery.testing import MemoryStore
from memery.types import FileEntry, Line, Skip
from memery.words.tokens import content_words

DIM = 8
SPACE = Space("model", "f1", DIM)
OTHER = Space("other", "f2", 4)
EVERYWHERE = Filter()


def unit(*numbers):
    vector = np.zeros(DIM, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def addition(path, embedding, key=None):
    digest = hashlib.sha256((key or path).encode("utf-8", "surrogateescape")).hexdigest()
    content = None if embedding is None else Content(4, 3, "PNG", "2023-05-01T10:00:00", embedding)
    return Addition(FileEntry(path, 100, 5), digest, content)


def skipped(path, reason="truncated", circumstances="now"):
    return SkipAddition(FileEntry(path, 7, 8), Skip(path, reason, "why"), circumstances)


def sqlite_store(folder):
    folder.mkdir(exist_ok=True)
    return SQLiteStore(Archive(folder, folder / ".memery"))


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else sqlite_store(tmp_path / "photos")
    with made.writing():
        yield made
    made.close()


def found(store, vector, limit=10, scope=EVERYWHERE):
    return [image.path for image, _ in store.search(SPACE, vector, limit, scope).ranked]


def test_a_new_store_knows_nothing(store):
    assert store.current_space() is None
    assert list(store.spaces()) == []
    assert store.settled(SPACE, EVERYWHERE, "now") == {}
    assert store.count(SPACE, EVERYWHERE) == 0
    assert found(store, unit(1)) == []
    assert store.embedding(SPACE, "00" * 32) is None
    assert list(store.verify(SPACE)) == []


def test_what_is_committed_is_found(store):
    before = store.version()
    store.commit(SPACE, [addition("a/b.png", unit(1)), addition("c.png", unit(0, 1))], [])
    assert store.version() > before
    assert store.current_space() == SPACE
    assert list(store.spaces()) == [(SPACE, 2)]
    result = store.search(SPACE, unit(1), 1, EVERYWHERE)
    assert result.total == 2
    ((image, score),) = result.ranked
    assert (image.path, image.size, image.mtime_ns) == ("a/b.png", 100, 5)
    assert (image.width, image.height, image.format) == (4, 3, "PNG")
    assert image.taken_at == "2023-05-01T10:00:00"
    assert score == pytest.approx(1)
    np.testing.assert_allclose(store.embedding(SPACE, image.digest), unit(1), atol=1e-3)


def test_reads_one_state_inside_a_snapshot(store):
    store.commit(SPACE, [addition("a.png", unit(1))], [])
    more = [addition("b.png", unit(1))]
    with store.snapshot():
        assert found(store, unit(1)) == ["a.png"]
        writer = threading.Thread(target=store.commit, args=(SPACE, more, []))
        writer.start()
        writer.join(0.1)  # it may have to wait until the snapshot ends
        with store.snapshot():
            assert found(store, unit(1)) == ["a.png"]
        assert store.count(SPACE, EVERYWHERE) == 1
    writer.join()
    assert found(store, unit(1)) == ["a.png", "b.png"]


def test_equal_scores_are_ordered_by_path_bytes(store):
    names = ["b.png", "a.png", "a/z.png", "\udcff.png", "é.png", "B.png"]
    store.commit(SPACE, [addition(name, unit(1), "same") for name in names[:3]], [])
    store.commit(SPACE, [addition(name, unit(1)) for name in names[3:]], [])
    expected = sorted(names, key=os.fsencode)
    assert found(store, unit(1)) == expected
    assert found(store, unit(1), limit=4) == expected[:4]


def test_a_scope_is_a_folder_and_not_a_prefix(store):
    store.commit(SPACE, [addition(p, unit(1)) for p in ("a/x", "ab/x", "a", "a/b/y")], [])
    assert found(store, unit(1), scope=Filter("a")) == ["a/b/y", "a/x"]
    assert store.count(SPACE, Filter("a")) == 2
    assert set(store.settled(SPACE, Filter("a"), "now")) == {"a/x", "a/b/y"}


def test_stamps_say_what_need_not_be_read(store):
    skips = [skipped("s.png"), skipped("f.png", "forbidden")]
    store.commit(SPACE, [addition("a.png", unit(1))], skips)
    stamps = {"a.png": (100, 5), "s.png": (7, 8), "f.png": None}
    assert store.settled(SPACE, EVERYWHERE, "now") == stamps
    assert store.settled(SPACE, EVERYWHERE, "later")["s.png"] is None
    assert store.settled(OTHER, EVERYWHERE, "now")["a.png"] is None
    assert [skip.path for skip in store.skips(EVERYWHERE)] == ["f.png", "s.png"]
    store.commit(SPACE, [addition("s.png", unit(1))], [])
    assert [skip.path for skip in store.skips(EVERYWHERE)] == ["f.png"]


def test_a_content_is_stored_once_and_outlives_its_file(store):
    store.commit(SPACE, [addition("a.png", unit(1), "k"), addition("b.png", None, "k")], [])
    assert found(store, unit(1)) == ["a.png", "b.png"]
    digest = addition("a.png", None, "k").digest
    assert store.remove(["a.png", "b.png", "never.png"]) == [digest, digest]
    assert store.known_digests(SPACE) == {digest}
    assert found(store, unit(1)) == []
    store.commit(SPACE, [addition("c.png", None, "k")], [])
    assert found(store, unit(1)) == ["c.png"]
    store.remove(["c.png"])
    store.prune()
    assert store.known_digests(SPACE) == set()


def test_spaces_are_never_mixed(store):
    store.commit(SPACE, [addition("a.png", unit(1))], [])
    small = np.array([0, 1, 0, 0], dtype=np.float32)
    content = Content(4, 3, "PNG", None, small)
    store.commit(OTHER, [Addition(FileEntry("a.png", 100, 5), "11" * 32, content)], [])
    assert store.count(SPACE, EVERYWHERE) == 0
    assert store.count(OTHER, EVERYWHERE) == 1
    assert store.current_space() == SPACE
    store.switch_space(OTHER)
    assert store.current_space() == OTHER


def test_a_space_that_is_dropped_leaves_the_others(store):
    both = addition("both.png", unit(1))
    store.commit(SPACE, [both], [skipped("s.png")])
    small = Content(4, 3, "PNG", None, np.array([0, 1, 0, 0], dtype=np.float32))
    store.commit(OTHER, [Addition(both.entry, both.digest, small)], [])
    other = Addition(FileEntry("other.png", 1, 1), "22" * 32, small)
    store.commit(OTHER, [other], [])
    store.remember_query(OTHER, "dog", np.array([0, 1, 0, 0], dtype=np.float32))
    store.drop_space(OTHER)
    assert list(store.spaces()) == [(SPACE, 1)]
    assert store.count(SPACE, EVERYWHERE) == 1
    assert found(store, unit(1)) == ["both.png"]
    assert set(store.settled(SPACE, EVERYWHERE, "now")) == {"both.png", "s.png"}
    assert store.query_embedding(OTHER, "dog") is None
    assert list(store.verify(SPACE)) == []
    store.commit(OTHER, [other], [])
    assert store.count(OTHER, EVERYWHERE) == 1


def test_queries_and_choices_are_remembered(store):
    store.remember_query(SPACE, "dog", unit(1))
    assert store.query_embedding(SPACE, "dog") is None  # the space does not exist yet
    store.commit(SPACE, [], [])
    store.remember_query(SPACE, "dog", unit(1))
    np.testing.assert_array_equal(store.query_embedding(SPACE, "dog"), unit(1))
    assert store.query_embedding(OTHER, "dog") is None
    store.remember("choice", "yes")
    assert store.setting("choice") == "yes"
    assert store.setting("none") is None


def test_one_writer_at_a_time(store):
    with pytest.raises(ArchiveLocked), store.writing():
        pass


def pictured(path, *, size=(4, 3), taken_at=None, mtime=5, key=None, notes=""):
    digest = hashlib.sha256((key or path).encode("utf-8", "surrogateescape")).hexdigest()
    content = Content(*size, "PNG", taken_at, unit(1), notes)
    return Addition(FileEntry(path, 100, mtime * 1_000_000_000), digest, content)


def written(picture, *lines):
    return Text(picture.digest, "tests 1", tuple(Line(text, 0.9, (0, 0, 1, 1)) for text in lines))


def words(*texts):
    return [[phrase] for text in texts for phrase in content_words(text)]


def texts_found(store, *texts, scope=EVERYWHERE, limit=None):
    matches = store.find_text(SPACE, words(*texts), scope, limit)
    return {match.image.path: match.held for match in matches}


NOON = 1_682_942_400  # 2023-05-01, noon in London


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Filter(not_under="a"), "b.jpg c.JPEG d.png"),
        (Filter(not_under=("a", "x")), "b.jpg c.JPEG d.png"),
        (Filter(ext="jpg"), "a/1.jpg b.jpg"),
        (Filter(ext=("jpg", ".jpeg")), "a/1.jpg b.jpg c.JPEG"),
        (Filter(not_ext=("JPG",)), "c.JPEG d.png"),
        (Filter(since="2023"), "a/1.jpg b.jpg c.JPEG"),
        (Filter(since="2023-05-02"), "b.jpg"),
        (Filter(until="2022"), "d.png"),
        (Filter(since="2023-05", until="2023-05-01"), "a/1.jpg c.JPEG"),
        (Filter(since="2023-05-01T10:00:01", until="2023-05-01"), "c.JPEG"),
        (Filter(orientation="landscape"), "a/1.jpg"),
        (Filter(orientation="portrait"), "b.jpg"),
        (Filter(orientation="square"), "c.JPEG d.png"),
        (Filter(not_orientation="square"), "a/1.jpg b.jpg"),
        (Filter(min_size="400x100"), "a/1.jpg c.JPEG"),
        (Filter(max_size="400x300"), "a/1.jpg b.jpg d.png"),
        (Filter(min_size=(401, 0)), "c.JPEG"),
        (Filter(has_text=True), "b.jpg"),
        (Filter(has_text=False), "c.JPEG"),
        (Filter(quoted=("second line",)), "b.jpg"),
        (Filter(quoted=("line second",)), ""),
        (Filter(quoted=("mountain LAKE",)), "d.png"),
        (Filter(quoted=('" OR "x',)), ""),
        (Filter(under="a", ext="png"), ""),
    ],
)
def test_filters(store, scope, expected):
    pictures = [
        pictured("a/1.jpg", size=(400, 300), taken_at="2023-05-01T10:00:00"),
        pictured("b.jpg", size=(100, 300), taken_at="2023-06-01T10:00:00"),
        pictured("c.JPEG", size=(600, 600), mtime=NOON),
        pictured("d.png", size=(4, 4), notes="Mountain lake; Norway"),
    ]
    store.commit(SPACE, pictures, [])
    store.commit_texts([written(pictures[1], "A first", "SECOND LINE"), written(pictures[2])])
    assert found(store, unit(1), scope=scope) == expected.split()
    assert store.count(SPACE, scope) == len(expected.split())
    assert found(store, unit(1), limit=1, scope=scope) == expected.split()[:1]


def test_a_content_is_left_out_by_its_digest(store):
    pictures = [pictured("a.png", key="k"), pictured("b.png", key="k"), pictured("c.png")]
    store.commit(SPACE, pictures, [])
    assert found(store, unit(1), scope=Filter(not_digest=pictures[0].digest)) == ["c.png"]


def test_text_is_read_once_and_found(store):
    pictures = [pictured("old.png", mtime=1), pictured("new.png", mtime=9), pictured("none.png")]
    same = pictured("copy.png", key="old.png", mtime=1)
    store.commit(SPACE, [*pictures, same], [skipped("s.png")])
    digests = [digest for _, digest in store.unread(EVERYWHERE)]
    assert digests == [pictures[n].digest for n in (1, 2, 0)]
    first = written(pictures[0], "WHENYOU SEE IT", "birthday")
    store.commit_texts([first, written(pictures[2])])
    store.commit_texts([Text("77" * 32, "tests 1")])  # nobody knows it (any more)
    assert store.text(pictures[0].digest) == first
    assert store.text("77" * 32) is None
    assert [entry.path for entry, _ in store.unread(EVERYWHERE)] == ["new.png"]
    assert store.count_texts(EVERYWHERE) == (3, 2)
    assert texts_found(store, "birthday see nothing") == {"copy.png": 2, "old.png": 2}
    assert texts_found(store, "see", scope=Filter(not_ext="png")) == {}
    assert texts_found(store, "birthday", limit=1) == {"copy.png": 1}
    assert store.find_text(OTHER, words("birthday"), EVERYWHERE, None) == []
    assert store.vocabulary(["whenyou", "when", "see", "cat"]) == {"whenyou", "when", "see"}
    assert list(store.verify(SPACE)) == []


def test_text_is_read_anew_and_goes_with_its_content(store):
    picture = pictured("a.png")
    store.commit(SPACE, [picture], [])
    store.commit_texts([written(picture, "wrong")])
    store.commit_texts([written(picture, "right")])
    assert texts_found(store, "wrong") == {}
    assert texts_found(store, "right") == {"a.png": 1}
    store.remove(["a.png"])
    assert texts_found(store, "right") == {}
    store.commit(SPACE, [Addition(FileEntry("b.png", 1, 1), picture.digest, None)], [])
    assert texts_found(store, "right") == {"b.png": 1}  # it was not read a second time
    store.remove(["b.png"])
    store.prune()
    store.commit(SPACE, [picture], [])
    assert [entry.path for entry, _ in store.unread(EVERYWHERE)] == ["a.png"]


def test_words_that_match_better_come_first(store):
    pictures = [pictured(f"{number}.png") for number in range(3)]
    store.commit(SPACE, pictures, [])
    texts = ("only the cat among many other words", "cat and dog", "neither")
    store.commit_texts([written(p, text) for p, text in zip(pictures, texts, strict=True)])
    matches = store.find_text(SPACE, words("cat dog"), EVERYWHERE, None)
    assert [(match.image.path, match.held) for match in matches] == [("1.png", 2), ("0.png", 1)]


@pytest.mark.parametrize("text", ["黒猫", "猫", "Füße", "fuße", "кот", "שלום", "हिन्दी", "Ωμέγα"])
def test_scripts(store, text):
    picture = pictured("a.png")
    store.commit(SPACE, [picture], [])
    store.commit_texts([written(picture, "あの黒猫です Füße кот שלום हिन्दी ωμεγα")])
    assert texts_found(store, text) == {"a.png": len(words(text))}


def test_names_and_notes_count_together(store):
    pictures = [
        pictured("Norway 2023/IMG_1234.jpg", notes="Fjord, boat"),
        pictured("Norway 2023/lake.jpg"),
        pictured("cat.png"),
    ]
    store.commit(SPACE, pictures, [])

    def find(*texts):
        images = store.find_names(SPACE, words(*texts), EVERYWHERE, None)
        return sorted(image.path for image in images)

    assert find("norway") == ["Norway 2023/IMG_1234.jpg", "Norway 2023/lake.jpg"]
    assert find("norway boat") == ["Norway 2023/IMG_1234.jpg"]
    assert find("IMG 1234") == find("jpg") == find("norway cat") == []
    store.remove(["cat.png"])
    assert find("cat") == []
    store.commit(SPACE, [Addition(FileEntry("dog.png", 1, 1), pictures[2].digest, None)], [])
    assert find("dog") == ["dog.png"]


def test_scores_of_single_contents_and_of_the_background(store):
    store.commit(SPACE, [addition("a.png", unit(1)), addition("b.png", unit(0, 1))], [])
    digests = [addition(name, None).digest for name in ("a.png", "b.png", "never.png")]
    scores = store.scores(SPACE, unit(1), digests)
    assert scores == {digests[0]: pytest.approx(1), digests[1]: pytest.approx(0)}
    np.testing.assert_allclose(sorted(store.background(SPACE, unit(1))), [0, 1], atol=1e-6)
    assert store.background(OTHER, unit(1)[:4]).size == 0


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))


@given(st.lists(names, unique=True, min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_search_is_that_of_the_double(tmp_path, paths, seed):
    random = np.random.default_rng(seed)
    vectors = [unit(*random.standard_normal(DIM)) for _ in paths]
    query = unit(*random.standard_normal(DIM))
    additions = [addition(path, v) for path, v in zip(paths, vectors, strict=True)]
    reference, tested = MemoryStore(), sqlite_store(tmp_path / uuid.uuid4().hex)
    for store in (reference, tested):
        with store.writing():
            store.commit(SPACE, additions[::2], [])
        store.refresh(SPACE)
        with store.writing():
            store.commit(SPACE, additions[1::2], [])
            store.remove([paths[0]])
    for limit in (1, 5, 100):
        expected = reference.search(SPACE, query, limit, EVERYWHERE)
        assert tested.search(SPACE, query, limit, EVERYWHERE) == expected
    for _, score in expected.ranked:
        count = reference.count_above(SPACE, query, score, EVERYWHERE)
        assert tested.count_above(SPACE, query, score, EVERYWHERE) == count
    tested.close()


def test_counting_after_a_search_in_one_snapshot_searches_the_index_once(tmp_path, monkeypatch):
    searched, search = [], ExactIndex.search

    def spy(self, vector, limit, allowed):
        searched.append(limit)
        return search(self, vector, limit, allowed)

    random = np.random.default_rng(3)
    vectors = [unit(*random.standard_normal(DIM)) for _ in range(300)]
    query, other = vectors[0], vectors[1]
    store = sqlite_store(tmp_path)
    with store.writing():
        store.commit(SPACE, [addition(f"{i}.png", v) for i, v in enumerate(vectors)], [])
    store.refresh(SPACE)
    scores = [score for _, score in store.search(SPACE, query, 300, EVERYWHERE).ranked]
    others = [score for _, score in store.search(SPACE, other, 300, EVERYWHERE).ranked]
    monkeypatch.setattr(ExactIndex, "search", spy)
    with store.snapshot():
        store.search(SPACE, query, 10, EVERYWHERE)
        assert store.count_above(SPACE, query, scores[20], EVERYWHERE) == 21
        assert len(searched) == 1
        assert store.count_above(SPACE, query, scores[200], EVERYWHERE) == 201
        assert store.count_above(SPACE, query, -2, EVERYWHERE) == 300
        assert store.count_above(SPACE, other, others[20], EVERYWHERE) == 21
        store.search(SPACE, query, 10, Filter(under="elsewhere"))
        assert store.count_above(SPACE, query, scores[5], EVERYWHERE) == 6
    store.close()


def test_the_index_follows_a_growing_store(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    random = np.random.default_rng(0)
    vectors = random.standard_normal((3000, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for start in range(0, 3000, 1000):
        with store.writing():
            rows = range(start, start + 1000)
            store.commit(SPACE, [addition(f"{row:04}.png", vectors[row]) for row in rows], [])
        store.refresh(SPACE)
        scores = vectors[: start + 1000].astype(np.float16).astype(np.float64) @ unit(1)
        expected = [f"{row:04}.png" for row in np.argsort(-scores, kind="stable")[:20]]
        assert found(store, unit(1), limit=20) == expected
    with store.writing():
        store.remove(expected[:10])
    assert found(store, unit(1), limit=10) == expected[10:]
    assert len(list((tmp_path / "photos" / ".memery" / "index").iterdir())) == 1
    assert list(store.verify(SPACE)) == []
    store.close()


def test_remembered_queries_are_bounded(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [], [])
    store._db._connection.execute("PRAGMA synchronous = OFF")
    for number in range(REMEMBERED_QUERIES + 5):
        store.remember_query(SPACE, str(number), unit(1))
    assert store.query_embedding(SPACE, "4") is None
    assert store.query_embedding(SPACE, "5") is not None
    store.close()


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


def forge(folder, statement):
    db = sqlite3.connect(folder / ".memery" / "store.sqlite3")
    db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_database_is_refused(tmp_path, statement):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("a.png", unit(1))], [])
    store.remember_query(SPACE, "dog", unit(1))
    store.close()
    forge(tmp_path / "photos", statement)

    def use():
        opened = sqlite_store(tmp_path / "photos")
        try:
            opened.search(SPACE, unit(1), 10, EVERYWHERE)
            opened.query_embedding(SPACE, "dog")
        finally:
            opened.close()

    with pytest.raises(ArchiveError):
        use()


def test_wrong_vectors_are_found_by_verify(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("a.png", unit(1) * 3)], [])
    assert list(store.verify(SPACE)) == ["1 embedding not of length 1"]
    store.close()


def test_an_archive_of_another_folder_is_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    store = SQLiteStore(Archive(tmp_path / "one", tmp_path / "archive"))
    with store.writing():
        store.commit(SPACE, [], [])
    store.close()
    with pytest.raises(ArchiveError, match="another folder"):
        SQLiteStore(Archive(tmp_path / "two", tmp_path / "archive"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE files SET mtime_ns = 'noon'",
        "UPDATE files SET path = CAST(path AS TEXT)",
        "UPDATE contents SET width = x'ff'",
        "UPDATE queries SET vector = 5",
    ],
)
def test_values_of_wrong_types_are_found_by_verify(tmp_path, statement):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("a.png", unit(1))], [])
    store.remember_query(SPACE, "dog", unit(1))
    store.close()
    forge(tmp_path / "photos", statement)
    store = sqlite_store(tmp_path / "photos")
    assert "a value has the wrong type" in store.verify(SPACE)
    store.close()


def test_a_forged_reason_is_still_a_text(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [], [skipped("s.png")])
    store.close()
    forge(tmp_path / "photos", "UPDATE files SET skip_detail = x'41', skip_reason = 7")
    store = sqlite_store(tmp_path / "photos")
    ((skip),) = store.skips(EVERYWHERE)
    assert skip == Skip("s.png", "7", "A")
    store.close()


def test_a_remembered_query_that_is_no_unit_vector_is_forgotten(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [], [])
    store.remember_query(SPACE, "dog", unit(1) * 0)
    assert store.query_embedding(SPACE, "dog") is None
    store.close()


def test_a_closed_store_says_so(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [], [])
    store.close()
    with pytest.raises(ArchiveError, match="closed"):
        store.count(SPACE, EVERYWHERE)


def test_the_likeness_and_the_colour_are_kept(store):
    content = Content(4, 3, "PNG", None, unit(1), "", b"likeness", 0x00FF7F)
    store.commit(SPACE, [Addition(FileEntry("a.png", 1, 2), "ab" * 32, content)], [])
    ((image, _),) = store.search(SPACE, unit(1), 1, EVERYWHERE).ranked
    assert image.colour == 0x00FF7F


def test_contents_from_before_likenesses_are_read_anew(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("a.png", unit(1)), addition("b.png", unit(0, 1))], [])
    with sqlite3.connect(tmp_path / "photos/.memery/store.sqlite3") as db:
        db.execute("UPDATE contents SET hashes = NULL WHERE id = 1")
    db.close()
    assert store.settled(SPACE, EVERYWHERE, "now") == {"a.png": None, "b.png": (100, 5)}
    assert store.known_digests(SPACE) == {addition("b.png", None).digest}
    with store.writing():
        store.commit(SPACE, [addition("a.png", unit(1))], [])
    assert store.settled(SPACE, EVERYWHERE, "now")["a.png"] == (100, 5)
    store.close()


def test_likenesses_come_in_bulk_each_content_once(store):
    def liked(path, key, vector, hashes):
        content = Content(4, 3, "PNG", None, vector, "", hashes)
        return Addition(FileEntry(path, 1, 2), key * 32, content)

    one, two = b"1" * LIKENESS_BYTES, b"2" * LIKENESS_BYTES
    store.commit(SPACE, [liked("a/x", "bb", unit(1), one), liked("y", "aa", unit(0, 1), two)], [])
    again = Addition(FileEntry("a/z", 1, 2), "bb" * 32, None)
    store.commit(SPACE, [again, liked("none", "cc", unit(1), b"")], [])
    known = store.likenesses(SPACE, EVERYWHERE)
    assert list(known.digests) == ["aa" * 32, "bb" * 32]
    assert list(known.likenesses) == [two, one]
    np.testing.assert_allclose(known.embeddings, [unit(0, 1), unit(1)], atol=1e-3)
    assert list(store.likenesses(SPACE, Filter("a")).digests) == ["bb" * 32]
    assert store.likenesses(OTHER, EVERYWHERE).embeddings.shape == (0, OTHER.dim)


@pytest.mark.parametrize("path", ["CAST(path AS TEXT)", "5"])
def test_an_archive_from_before_with_paths_of_another_type_is_migrated(tmp_path, path):
    (tmp_path / "photos" / ".memery").mkdir(parents=True)
    file = tmp_path / "photos" / ".memery" / "store.sqlite3"
    db = sqlite3.connect(file)
    db.executescript(schema.MIGRATIONS[0])
    db.execute("INSERT INTO settings VALUES ('uuid', 'ab'), ('version', '0')")
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    db.execute("INSERT INTO contents VALUES (1, zeroblob(32), 1, 1, 'PNG', NULL)")
    db.execute("INSERT INTO files VALUES (1, CAST('a.png' AS BLOB), 1, 1, 1, NULL, NULL, NULL)")
    db.execute(f"UPDATE files SET path = {path}")
    db.commit()
    db.close()
    store = sqlite_store(tmp_path / "photos")
    assert store.version() == 0
    store.close()


def test_a_strangers_trigger_does_not_run_while_an_old_archive_is_migrated(tmp_path):
    place = tmp_path / "photos" / ".memery"
    place.mkdir(parents=True)
    db = sqlite3.connect(place / "store.sqlite3")
    db.executescript(MIGRATIONS[0])
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("INSERT INTO contents VALUES (1, zeroblob(32), 4, 3, 'PNG', NULL)")
    db.execute("INSERT INTO files (path, size, mtime_ns, content) VALUES (x'61', 1, 1, 1)")
    db.execute("CREATE TRIGGER t AFTER UPDATE ON files BEGIN DELETE FROM contents; END")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    with pytest.raises(ArchiveDamaged, match="'t'"):
        sqlite_store(tmp_path / "photos")
    db = sqlite3.connect(place / "store.sqlite3")
    assert db.execute("PRAGMA user_version").fetchone()[0] == 1
    assert db.execute("SELECT count(*) FROM contents").fetchone()[0] == 1
    db.close()


@pytest.mark.parametrize("mtime_ns", [1 << 63, -(1 << 63) - 1])
def test_a_value_that_cannot_be_stored_is_not_called_damage(tmp_path, mtime_ns):
    store = sqlite_store(tmp_path / "photos")
    entry = FileEntry("a.png", 1, mtime_ns)
    with store.writing():
        store.commit(SPACE, [addition("b.png", unit(1))], [])
        strange = Addition(entry, "00" * 32, Content(4, 3, "PNG", None, unit(1)))
        with pytest.raises(ArchiveError, match="report it") as raised:
            store.commit(SPACE, [strange], [])
    assert not isinstance(raised.value, ArchiveDamaged)
    assert "purge" not in str(raised.value)
    assert found(store, unit(1)) == ["b.png"]
    store.close()


@pytest.mark.parametrize(
    "mistake", ["SELECT nonsense FROM files", "INSERT INTO files (id) VALUES (9)"]
)
def test_a_mistake_in_memery_is_not_called_damage(tmp_path, mistake):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("b.png", unit(1))], [])
    with pytest.raises(ArchiveError, match="report it") as raised, store._db.changing() as db:
        db.execute(mistake)
    assert not isinstance(raised.value, ArchiveDamaged)
    store.close()


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
def test_verified_damage_is_told_with_what_helps(tmp_path, damage):
    store = sqlite_store(tmp_path / "photos")
    with store.writing():
        store.commit(SPACE, [addition("b.png", unit(1))], [skipped("c.png")])
    store.close()
    db = sqlite3.connect(tmp_path / "photos" / ".memery" / "store.sqlite3")
    db.executescript(damage)
    db.commit()
    db.close()

    def use():
        with contextlib.closing(sqlite_store(tmp_path / "photos")) as store:
            store.settled(SPACE, EVERYWHERE, "now")
            store.skips(EVERYWHERE)

    with pytest.raises(ArchiveDamaged, match="memery purge"):
        use()


def test_a_text_that_is_not_unicode_is_stored_all_the_same(tmp_path):
    store = sqlite_store(tmp_path / "photos")
    entry = FileEntry("a.png", 1, 1)
    content = Content(4, 3, "PNG", None, unit(1), notes="a \ud800 note")
    skip = SkipAddition(FileEntry("b.png", 1, 1), Skip("b.png", "truncated", "\udfff?"), "now")
    with store.writing():
        store.commit(SPACE, [Addition(entry, "00" * 32, content)], [skip])
    assert found(store, unit(1)) == ["a.png"]
    assert store.skips(EVERYWHERE) == [Skip("b.png", "truncated", "??")]
    store.close()
