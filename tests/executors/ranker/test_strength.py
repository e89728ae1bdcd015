"""Strength: monotone, at home in folders of every size, not moved by how many pictures fit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memery import query_flow
from memery.executors.ranker.strength import WEAK, Background
from memery.testing.model import COLOURS
from support.images import paint

DIM = 512
scores = st.lists(st.floats(-1, 1, width=32), max_size=50).map(
    lambda values: np.array(values, dtype=np.float32)
)


@given(scores, st.floats(-1, 1), st.floats(1e-3, 1))
def test_strength_grows_with_the_score(background, score, more):
    measured = Background.of(background, DIM)
    assert measured.strength(score + more) > measured.strength(score)


@given(scores, st.floats(-1, 1))
def test_converts_strength_to_score(background, score):
    measured = Background.of(background, DIM)
    assert measured.score(measured.strength(score)) == pytest.approx(score, abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 10, 4096])
def test_images_that_are_all_alike_do_not_stand_out(count):
    alike = np.full(count, 0.25, dtype=np.float32)
    assert Background.of(alike, DIM).strength(0.25) <= 0


def test_accepts_empty_background():
    assert math.isfinite(Background.of(np.empty(0, dtype=np.float32), DIM).strength(0.5))


@pytest.mark.parametrize("count", [2, 6, 30, 1000, 4096])
def test_one_match_is_strong_in_a_folder_of_any_size(count):
    unrelated = np.random.default_rng(count).normal(0.0, 0.09, count).clip(-0.2, 0.2)
    background = np.append(unrelated[:-1], 0.6).astype(np.float32)
    assert Background.of(background, DIM).strength(0.6) > WEAK


@pytest.mark.parametrize("count", [6, 30, 1000, 4096])
@pytest.mark.parametrize("level", [0.0, 0.2])
def test_best_of_unrelated_images_is_weak(count, level):
    deviation = 1 / math.sqrt(DIM)
    for seed in range(20):
        background = np.random.default_rng(seed).normal(level, deviation, count).astype(np.float32)
        assert Background.of(background, DIM).strength(float(background.max())) < WEAK


def test_half_a_folder_may_match():
    draw = np.random.default_rng(0).normal
    background = np.concatenate([draw(0, 0.05, 50), draw(0.5, 0.05, 50)]).astype(np.float32)
    assert Background.of(background, DIM).strength(0.5) > WEAK


@pytest.fixture
def palette(tmp_path):
    """Pictures of every colour that the tests' model can name, enough to judge by."""
    for rgb in COLOURS.values():
        for width in (40, 50, 60):
            paint(tmp_path / f"picture {rgb} {width}.png", rgb, (width, 30))
    return tmp_path


def test_matches_are_strong_and_others_are_weak(palette):
    hits = query_flow(palette, "red", top_k=100, model="colours", mode="visual")
    assert [hit.weak for hit in hits] == [False] * 3 + [True] * (len(hits) - 3)
    assert all(hit.path.startswith(f"picture {COLOURS['red']}") for hit in hits[:3])
    assert all(hit.weak for hit in query_flow(palette, "zebra", model="colours", mode="visual"))


def test_scores_single_image(tmp_path):
    paint(tmp_path / "1.png", COLOURS["red"])
    [hit] = query_flow(tmp_path, "red", model="colours", mode="visual")
    assert hit.strength == 0
