"""Which images the Deduplicator puts into one group, and which copy it puts first."""

import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from memery.archive import Archive
from memery.assembly import assemble
from memery.config import Config
from memery.core import run_index
from memery.executors.deduplicator import group_by_center, texts_differ
from memery.query.filters import Filter
from memery.testing import ColourModel, MemoryStore


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for name, seed, side in [
        ("one.png", 1, 160),
        ("trip/one.png", 1, 160),
        ("one-small.png", 1, 120),
        ("two.png", 2, 160),
    ]:
        shapes = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        large = Image.fromarray(shapes).resize((160, 160), Image.Resampling.BICUBIC)
        large.resize((side, side)).save(folder / name)
    os.utime(folder / "one.png", (2_000, 2_000))
    os.utime(folder / "trip" / "one.png", (1_000, 1_000))
    return folder


@pytest.fixture
def group(photos):
    archive = Archive(photos, photos / ".memery")
    executors = assemble(archive, Config(), MemoryStore(), ColourModel())
    run_index(executors)

    def group(scope=None, *, exact_only=False):
        space = executors.encoder.space
        groups = executors.deduplicator.group(space, scope or Filter(), exact_only=exact_only)
        return [[copy.path for copy in found.copies] for found in groups]

    return group


def test_groups_copies_with_the_largest_and_oldest_first(group):
    assert group() == [["trip/one.png", "one.png", "one-small.png"]]


def test_groups_only_equal_bytes_if_asked_to(group):
    assert group(exact_only=True) == [["trip/one.png", "one.png"]]


def test_groups_only_what_passes_the_filter(group):
    assert group(replace(Filter(), under="trip")) == []


def test_leaves_out_a_file_that_changed_since_it_was_indexed(group, photos):
    (photos / "trip" / "one.png").write_bytes(b"other")
    (photos / "one-small.png").unlink()
    assert group() == []


def test_joins_no_chain_of_matches():
    # 0, 1 and 2 match one another in a row; only 1 matches both of the others.
    edges = np.array([(0, 1), (1, 2), (2, 3)])
    matching = {tuple(edge) for edge in edges.tolist()}

    def are_one(pairs):
        return np.array([tuple(pair) in matching for pair in pairs.tolist()])

    assert group_by_center(edges, are_one) == [[1, 0, 2]]


@pytest.mark.parametrize(
    ("one", "two", "differ"),
    [
        ({"when", "cats", "code"}, {"when", "dogs", "bark"}, True),
        ({"when", "cats", "code"}, {"when", "cats", "cook"}, False),
        ({"stock"}, {"photo"}, False),
    ],
)
def test_compares_texts_of_enough_words(one, two, differ):
    assert texts_differ(one, two) is differ
