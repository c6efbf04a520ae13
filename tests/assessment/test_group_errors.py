import numpy as np
import pytest

from countenance.assessment.group_error_counts import GroupErrorCounts
from countenance.assessment.group_errors import FMR, FNMR, GroupErrorsAtFar
from countenance.assessment.groups import GroupSizes
from countenance.assessment.pairs import ComparisonPairs
from countenance.assessment.verification import ThresholdResampler, threshold_at_far

from .populations import embeddings

PEOPLE, PHOTOS = 12, 3
SIZES = GroupSizes(minimum=3, sufficient=4)
GROUPS = {f"p{number:02d}": ("even", "odd", "rare")[2 if number > 9 else number % 2] for number in range(PEOPLE)}


def compared():
    """Scores of noisy people."""
    names = np.repeat([f"p{number:02d}" for number in range(PEOPLE)], PHOTOS)
    seen = embeddings(PEOPLE, PHOTOS, noise=0.9, seed=3)
    pairs = ComparisonPairs.enumerate(names, limit=10_000, generator=np.random.default_rng(0))
    return pairs.score(seen.astype(np.float32))


@pytest.fixture(scope="module")
def scores():
    return compared()


def test_with_everybody_once_the_rates_are_those_at_the_threshold_of_the_far(scores):
    threshold = threshold_at_far(scores.non_mated, 0.05).threshold
    usual = GroupErrorCounts(scores, GROUPS, threshold, SIZES)
    errors, ones = GroupErrorsAtFar(scores, GROUPS, 0.05, SIZES), np.ones((1, PEOPLE), dtype=np.int64)
    assert errors.names == usual.names == ("even", "odd")
    assert errors.all_names == ("even", "odd", "rare") and errors.members.tolist() == [5, 5, 2]
    np.testing.assert_allclose(errors(ones)[:, FNMR], usual.fnmr(ones))
    np.testing.assert_allclose(errors(ones)[:, FMR], usual.fmr(ones))


def test_in_a_resample_the_threshold_is_that_of_the_people_drawn(scores):
    weights = np.random.default_rng(1).multinomial(PEOPLE, np.full(PEOPLE, 1 / PEOPLE), size=20).astype(np.int64)
    pairs, drawn = scores.pairs, ThresholdResampler(scores, 0.05)(weights)
    rates = GroupErrorsAtFar(scores, GROUPS, 0.05, SIZES)(weights)
    for weight, threshold, found in zip(weights, drawn, rates, strict=True):
        times = weight[pairs.non_mated_subject_first] * weight[pairs.non_mated_subject_second]
        assert threshold == threshold_at_far(np.repeat(scores.non_mated, times), 0.05).threshold
        usual, once = GroupErrorCounts(scores, GROUPS, threshold, SIZES), weight[None]
        np.testing.assert_allclose(found[FNMR], usual.fnmr(once)[0])
        np.testing.assert_allclose(found[FMR], usual.fmr(once)[0])


def test_a_far_that_the_comparisons_cannot_show_gives_no_rates(scores):
    rates = GroupErrorsAtFar(scores, GROUPS, 1e-4, SIZES)(np.ones((2, PEOPLE), dtype=np.int64))
    assert rates.shape == (2, 2, 2) and np.isnan(rates).all()


def test_a_group_that_nobody_was_drawn_of_has_no_rates(scores):
    weight = np.array([[int(number % 2 == 0) * 2 for number in range(PEOPLE)]], dtype=np.int64)
    rates = GroupErrorsAtFar(scores, GROUPS, 0.05, SIZES)(weight)[0]
    assert np.isfinite(rates[:, 0]).all() and np.isnan(rates[:, 1]).all()
