"""Vector search in the SQLite store finds what looking at every embedding would find."""

import contextlib
import uuid

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memery.archive import Archive
from memery.query.filters import Filter
from memery.stores.sqlite.faiss_index import ExactIndex
from memery.stores.sqlite.store import SQLiteStore
from memery.testing import MemoryStore
from stores.contract import DIM, EVERYWHERE, SPACE, commit, names, nearest_to, record, remove, unit

file_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))


@pytest.fixture
def store(tmp_path):
    with contextlib.closing(SQLiteStore(Archive(tmp_path, tmp_path / ".memery"))) as store:
        yield store


def search(store, vector, limit, filter=EVERYWHERE, **options):
    with store.snapshot() as snapshot:
        return snapshot.search(SPACE, nearest_to(vector, limit, filter, **options))


def found(store, vector, limit):
    return names(image for image, _ in search(store, vector, limit).ranked)


@given(st.lists(file_names, unique=True, min_size=1, max_size=12), st.integers(0, 2**32 - 1))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_finds_the_same_as_the_memory_store(tmp_path, paths, seed):
    random = np.random.default_rng(seed)
    records = [record(path, unit(*random.standard_normal(DIM))) for path in paths]
    query = unit(*random.standard_normal(DIM))
    folder = tmp_path / uuid.uuid4().hex
    folder.mkdir()
    reference = MemoryStore()
    with contextlib.closing(SQLiteStore(Archive(folder, folder / ".memery"))) as tested:
        for store in (reference, tested):
            commit(store, *records[::2])
            store.refresh(SPACE)
            commit(store, *records[1::2])
            remove(store, paths[0])
        scores = [score for _, score in search(reference, query, 100).ranked]
        for limit in (1, 5, 100):
            for min_score in (None, *scores):
                expected = search(reference, query, limit, min_score=min_score)
                assert search(tested, query, limit, min_score=min_score) == expected


def test_counts_images_above_a_score_with_one_search_of_the_index(store, monkeypatch):
    searched, search_index = [], ExactIndex.search

    def spy(self, vector, limit, allowed):
        searched.append(limit)
        return search_index(self, vector, limit, allowed)

    random = np.random.default_rng(3)
    vectors = [unit(*random.standard_normal(DIM)) for _ in range(300)]
    commit(store, *(record(f"{i}.png", vector) for i, vector in enumerate(vectors)))
    store.refresh(SPACE)
    scores = [score for _, score in search(store, vectors[0], 300).ranked]
    monkeypatch.setattr(ExactIndex, "search", spy)
    for min_score, above in ((scores[20], 21), (scores[5], 6)):
        assert search(store, vectors[0], 10, min_score=min_score).above == above
    assert len(searched) == 2
    assert search(store, vectors[0], 10, min_score=scores[200]).above == 201
    assert search(store, vectors[0], 10, min_score=-2).above == 300
    assert search(store, vectors[0], 10, Filter("elsewhere"), min_score=-2).above == 0


def test_writes_the_index_again_when_the_store_has_grown(tmp_path, store):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((3000, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for start in range(0, 3000, 1000):
        rows = range(start, start + 1000)
        commit(store, *(record(f"{row:04}.png", vectors[row]) for row in rows))
        store.refresh(SPACE)
        scores = vectors[: start + 1000].astype(np.float16).astype(np.float64) @ unit(1)
        expected = [f"{row:04}.png" for row in np.argsort(-scores, kind="stable")[:20]]
        assert found(store, unit(1), 20) == expected
    remove(store, *expected[:10])
    assert found(store, unit(1), 10) == expected[10:]
    assert len(list((tmp_path / ".memery" / "index").iterdir())) == 1
    assert list(store.verify(SPACE)) == []
