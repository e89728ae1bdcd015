"""Several stores that are searched as if they were one."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from memery.archive import Archive
from memery.query.filters import Filter
from memery.stores.derived import (
    content_key,
    count,
    embedding_of,
    exact_copies,
    facets,
    image_by_id,
)
from memery.stores.federated import FederatedStore, Member, in_member
from memery.stores.records import Browse, TextSearch
from memery.stores.sqlite.store import SQLiteStore
from memery.testing import MemoryStore
from stores.contract import BROWSED, DIM, EVERYWHERE, SPACE, commit, digest_of, nearest_to

THIRD = np.eye(DIM, dtype=np.float32)[3]
"""The embedding of the image that has a copy."""


@pytest.fixture
def federated(tmp_path):
    """The same images twice: of the first store only the folder `trip` is searched."""
    with contextlib.closing(SQLiteStore(Archive(tmp_path, tmp_path / ".memery"))) as one:
        two = MemoryStore()
        for store in (one, two):
            commit(store, *BROWSED)
        yield FederatedStore([Member("one", one, "trip"), Member("two", two)])


@pytest.fixture
def snapshot(federated):
    with federated.snapshot() as snapshot:
        yield snapshot


def paths(images):
    return [image.path for image in images]


def test_names_images_by_their_member(snapshot):
    listing = snapshot.browse(SPACE, Browse(filter=EVERYWHERE))
    assert (listing.total, count(snapshot, SPACE, EVERYWHERE)) == (8, 8)
    assert paths(listing.images)[:3] == [
        "one/trip/b.JPG",
        "one/trip/far/c.png",
        "one/trip/far/copy.png",
    ]
    image = listing.images[0]
    assert (image.member, in_member(image).path) == ("one", "trip/b.JPG")
    assert image_by_id(snapshot, SPACE, EVERYWHERE, in_member(image).id) == image


def test_lists_pages_over_all_members(snapshot):
    by_date = Browse(filter=EVERYWHERE, order="date")
    pages = [snapshot.browse(SPACE, replace(by_date, limit=3, offset=n)) for n in (0, 3, 6)]
    newest = paths(snapshot.browse(SPACE, by_date).images)
    assert [path for page in pages for path in paths(page.images)] == newest
    assert snapshot.browse(SPACE, replace(by_date, fold=True)).total == 6


def test_applies_folders_of_a_filter_within_each_member(snapshot):
    assert count(snapshot, SPACE, Filter("far")) == 2  # of `one`, where `trip` is searched
    assert count(snapshot, SPACE, Filter("trip")) == 3
    found = facets(snapshot, SPACE, EVERYWHERE)
    assert (found.folders[""], found.folders["far"]) == (8, 2)
    assert found.types == {"png": 5, "jpg": 2, "": 1}
    assert facets(snapshot, SPACE, EVERYWHERE, fold=True).types == {"png": 3, "jpg": 2, "": 1}


def test_ranks_the_images_of_all_members(snapshot):
    nearest = snapshot.search(SPACE, nearest_to(THIRD, 3, min_score=0.9))
    assert (nearest.total, nearest.above) == (8, 4)
    assert [score for _, score in nearest.ranked] == [1.0, 1.0, 1.0]
    assert len(snapshot.score_sample(SPACE, THIRD)) == 8


def test_folds_copies_within_each_member_only(snapshot):
    nearest = snapshot.search(SPACE, nearest_to(THIRD, fold=True, min_score=0.9))
    assert (nearest.total, nearest.above) == (6, 2)
    best = [image for image, score in nearest.ranked if score == 1]
    assert paths(best) == ["one/trip/far/c.png", "two/trip/far/c.png"]
    copies = exact_copies(snapshot, SPACE, best[:1], EVERYWHERE)
    assert copies == [["one/trip/far/copy.png"]]
    assert len({content_key(image) for image, _ in nearest.ranked}) == 6


def test_finds_embeddings_of_any_member(snapshot):
    assert embedding_of(snapshot, SPACE, digest_of("1")) is not None
    assert embedding_of(snapshot, SPACE, "99" * 32) is None


def test_finds_names_in_all_members(snapshot):
    found = snapshot.search_names(SPACE, [[("copy",)]], EVERYWHERE)
    assert paths(found) == ["one/trip/far/copy.png", "two/trip/far/copy.png"]
    request = TextSearch(terms=[[("copy",)]], filter=EVERYWHERE, limit=5)
    assert snapshot.search_text(SPACE, request) == []
    assert snapshot.vocabulary({"copy"}) == set()
    assert snapshot.text(digest_of("3")) is None


def test_lets_the_first_member_remember_a_query(federated):
    federated.remember_query(SPACE, "words", THIRD)
    np.testing.assert_array_equal(federated.query_embedding(SPACE, "words"), THIRD)
