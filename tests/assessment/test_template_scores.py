import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment import template_scores
from countenance.assessment.template_scores import (
    TemplatePairScores,
    counts_of,
    float32_error_bound,
    float32_scores,
    gathered_scores,
    template_positions,
)
from countenance.assessment.templates import Templates
from countenance.errors import AssessmentError
from tests.assessment.template_worlds import random_pairs, scored_pairs, templates_of, unit


@pytest.fixture
def always_multiplied(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(template_scores, "CELLS_PER_GATHERED_PAIR", 10**9)
    return monkeypatch


@pytest.mark.parametrize(("cells", "part"), [(10**6, 10**6), (500, 50), (68, 3), (1, 10**6)])
@pytest.mark.parametrize("ordered", [True, False])
def test_slabs_of_any_size_give_every_pair_its_score(
    always_multiplied: pytest.MonkeyPatch, cells: int, part: int, ordered: bool
):
    always_multiplied.setattr(template_scores, "BLOCK_CELLS", cells)
    always_multiplied.setattr(template_scores, "PART", part)
    generator = np.random.default_rng(1)
    features = unit(generator.normal(size=(90, 8)))
    # Some templates are in no pair, and some pairs come twice.
    first, second = generator.integers(3, 40, 700), generator.integers(20, 88, 700)
    if ordered:
        first = np.sort(first)
    expected = (features[first] * features[second]).sum(axis=1)
    rounded = features.astype(np.float32)
    assert float32_scores(rounded, rounded, first, second) == pytest.approx(expected, abs=1e-6)


def test_no_pairs_have_no_scores(always_multiplied: pytest.MonkeyPatch):
    none = np.empty(0, dtype=np.int64)
    features = np.eye(3, dtype=np.float32)
    assert float32_scores(features, features, none, none).shape == (0,)
    always_multiplied.undo()
    assert float32_scores(features, features, none, none).shape == (0,)


def test_the_score_of_a_pair_does_not_depend_on_those_beside_it():
    generator = np.random.default_rng(3)
    features = unit(generator.normal(size=(50, 37)))
    first, second = generator.integers(0, 50, (2, 3000))
    together = gathered_scores(features, features, first, second)
    assert together.dtype == np.float64
    for pair in (0, 1, 1023, 1024, 2999):
        assert gathered_scores(features, features, first[[pair]], second[[pair]])[0] == together[pair]


@given(seed=st.integers(0, 1000), dimension=st.sampled_from([1, 2, 3, 17, 64, 512]))
def test_a_float32_score_is_never_farther_off_than_the_bound(seed: int, dimension: int):
    generator = np.random.default_rng(seed)
    features = unit(generator.standard_cauchy(size=(40, dimension)) + 1e-9)
    rounded = features.astype(np.float32)
    first, second = np.repeat(np.arange(40), 40), np.tile(np.arange(40), 40)
    exact = gathered_scores(features, features, first, second)
    bound = float32_error_bound(dimension)
    for found in ((rounded @ rounded.T).reshape(-1), gathered_scores(rounded, rounded, first, second)):
        assert np.abs(found - exact).max() <= bound


def test_the_bound_by_hand():
    # u = 2**-24 = 5.96e-8: two roundings of components and 512 of products and sums.
    assert float32_error_bound(512) == pytest.approx(514 * 2.0**-24, rel=1e-4)
    assert float32_error_bound(1) == pytest.approx(3 * 2.0**-24, rel=1e-4)


def test_pairs_are_scored_in_float32_and_some_again_in_float64():
    pairs = scored_pairs([0.75, 0.1], [0.3])
    assert pairs.scores.dtype == np.float32
    assert pairs.scores == pytest.approx(np.array([0.75, 0.1, 0.3]))
    assert pairs.exact(np.array([1, 0])) == pytest.approx(np.array([0.1, 0.75]), abs=1e-12)
    assert pairs.mated.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ([3, 5, 9], [9, 3, 3, 5]),
        ([-4, 5, 10**12], [10**12, -4, 5]),
        ([0, 1, 7], [7, 0, 1, 0]),
        (["a", "b"], ["b", "b", "a"]),
    ],
)
def test_positions_of_templates_by_id(ids: list, wanted: list):
    names = np.array(ids, dtype=object) if isinstance(ids[0], str) else np.array(ids)
    assert template_positions(names, wanted).tolist() == [ids.index(name) for name in wanted]


@pytest.mark.parametrize(
    ("ids", "wanted"),
    [
        ([3, 5, 9], [3, 4]),
        ([3, 5, 9], [3, 10]),
        ([3, 5, 9], [3, 10**9]),
        ([3, 5, 9], [9, 2]),
        ([3, 5, 9], [9, -3]),
        ([0, 5, 9], [0, -3]),
        ([3, 10**12], [3, 4]),
    ],
)
def test_an_unknown_template_is_refused_by_the_row_that_names_it(ids: list[int], wanted: list[int]):
    with pytest.raises(AssessmentError, match="row 1 the template is not one of those"):
        template_positions(np.array(ids), wanted)


def test_without_templates_every_id_is_unknown():
    with pytest.raises(AssessmentError, match="row 0 the template"):
        template_positions(np.empty(0, dtype=np.int64), [1])


def test_counting_in_parts_counts_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(template_scores, "PART", 4)
    assert counts_of(np.array([0, 2, 2, 5, 2, 0]), 7).tolist() == [2, 0, 3, 0, 0, 1, 0]
    assert counts_of(np.empty(0, dtype=np.int64), 2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("first", "second", "mated", "message"),
    [
        ([0, 2], [1, 1], [True, False], "outside the 2 features"),
        ([0, 0], [1, -1], [True, False], "outside the 2 features"),
        ([0], [1, 1], [True, False], "first has 1"),
        ([0, 0], [1, 1], [True], "mated has 1"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(first: list, second: list, mated: list, message: str):
    with pytest.raises(AssessmentError, match=message):
        TemplatePairScores.of(templates_of(np.eye(2)), np.array(first), np.array(second), mated)


@pytest.mark.parametrize(
    ("templates", "message"),
    [
        (templates_of(np.array([[1.0, 0.0], [1.0, 1.0]])), "row 1 the template is not a unit vector"),
        (templates_of(np.array([[np.nan, 0.0], [1.0, 0.0]])), "row 0 the template is not a unit vector"),
        (
            Templates(np.arange(2), np.eye(2, dtype=np.float32), np.eye(2)[::-1]),
            "row 0 and 1 more the float32 template",
        ),
        (Templates(np.arange(2), np.eye(2, dtype=np.float32), np.eye(3)), "Of 2 templates there are features"),
    ],
)
def test_templates_that_the_bound_does_not_hold_for_are_refused(templates: Templates, message: str):
    with pytest.raises(AssessmentError, match=message):
        TemplatePairScores.of(templates, np.array([0]), np.array([1]), [True])


def test_a_world_of_random_pairs_has_both_kinds():
    assert 0 < random_pairs(0).mated.sum() < 800
