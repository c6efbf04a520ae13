import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.gallery_search import GallerySearch
from countenance.assessment.nearest_roc_point import nearest_roc_point
from countenance.assessment.pair_scores import photo_features, photo_pair_scores
from countenance.assessment.score_grid import STEP, on_grid
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.template_verification import template_tar_at_far
from tests.assessment.template_worlds import random_pairs, templates_of, unit


def test_scores_are_rounded_to_multiples_of_the_step_and_failures_stay():
    scores = np.array([0.0, 1.0, -1.0, 0.5 + 0.4 * STEP, 0.5 + 0.6 * STEP, -np.inf])
    assert on_grid(scores).tolist() == [0.0, 1.0, -1.0, 0.5, 0.5 + STEP, -np.inf]


@given(score=st.floats(-1.0, 1.0))
def test_rounding_moves_a_score_by_half_a_step_at_most_and_only_once(score: float):
    (once,) = on_grid(np.array([score]))
    assert abs(once - score) <= STEP / 2
    assert on_grid(np.array([once]))[0] == once and (once / STEP).is_integer()


def noisy(vector: np.ndarray, count: int) -> np.ndarray:
    """The same unit vector summed in several orders: equal in exact arithmetic, not in the last bits."""
    generator = np.random.default_rng(0)
    return vector * (1.0 + generator.integers(-3, 4, (count, len(vector))) * 2.0**-53)


def near_tie() -> np.ndarray:
    """A reference, and twenty templates that score the same with it but for rounding."""
    reference, other = unit(np.random.default_rng(1).normal(size=(2, 37)))
    rows = np.concatenate([reference[None], noisy(unit((reference + other)[None])[0], 20)])
    assert len(np.unique(np.einsum("pd,pd->p", rows[:1].repeat(20, axis=0), rows[1:]))) > 1
    return rows


def test_templates_that_differ_by_rounding_only_are_accepted_or_refused_together():
    mated = np.arange(20) < 5
    pairs = TemplatePairScores.of(templates_of(near_tie()), np.zeros(20, dtype=int), np.arange(1, 21), mated)
    assert len(np.unique(pairs.exact(np.arange(20)))) == 1
    for far in (0.1, 0.5, 0.9):
        (point,) = template_tar_at_far(pairs, [far])
        assert (point.accepted, point.at.false_accepts) == (0, 0)


def test_in_a_gallery_a_tie_but_for_rounding_counts_against_the_mate():
    rows = near_tie()
    for mate in range(20):
        search = GallerySearch(templates_of(rows), np.arange(1, 21), np.array([0]), np.array([mate]), 20)
        assert search.mate_ranks.tolist() == [20]


def test_photos_that_differ_by_rounding_only_score_the_same():
    rows = near_tie()
    photos = photo_features(rows, np.arange(21))
    assert len(np.unique(photo_pair_scores(photos, np.zeros(20, dtype=int), np.arange(1, 21)))) == 1


@given(seed=st.integers(0, 1000), far=st.floats(0.01, 0.9))
def test_thresholds_stand_on_the_grid_by_either_rule(seed: int, far: float):
    pairs = random_pairs(seed, pairs=300)
    (point,) = template_tar_at_far(pairs, [far])
    for at in (point.at, nearest_roc_point(SortedScores(pairs), far).at):
        if at.threshold is not None:
            assert (at.threshold / STEP).is_integer()
