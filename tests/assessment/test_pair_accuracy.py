import numpy as np
import pytest

from countenance.assessment.intervals import rate_over_subjects, zero_error_bound
from countenance.assessment.pair_accuracy import pair_accuracy
from countenance.assessment.pair_scores import PhotoPairScores


def scored(scores: list[float], mated: list[int], fold: list[int], **given: list[int]) -> PhotoPairScores:
    alone = np.arange(len(scores))
    first = np.array(given.get("first", 2 * alone))
    second = np.where(np.array(mated) == 1, first, np.array(given.get("second", 2 * alone + 1)))
    return PhotoPairScores(np.array(scores, dtype=float), np.array(mated) == 1, np.array(fold), first, second)


def test_each_fold_is_decided_at_the_best_threshold_of_the_others():
    # Fold 7 alone would choose .5; fold 9 sets .25 for it, which accepts .4 wrongly; .5 refuses .3 wrongly.
    found = pair_accuracy(scored([0.4, 0.6, 0.2, 0.3], [0, 1, 0, 1], [7, 7, 9, 9]))
    assert (found.mean, found.by_fold, found.thresholds, found.note) == (0.5, (0.5, 0.5), (0.25, 0.5), "")
    assert found.folds == (7, 9)
    assert found.low is not None and found.high is not None and found.low < 0.5 < found.high


def test_a_failed_comparison_is_no_match_and_stays_in_the_denominator():
    # As above, with a mated and a non-mated failure in fold 7: one more wrong and one more right decision there.
    found = pair_accuracy(scored([0.4, 0.6, -np.inf, -np.inf, 0.2, 0.3], [0, 1, 0, 1, 0, 1], [7, 7, 7, 7, 9, 9]))
    assert found.by_fold == (0.5, 0.5) and found.thresholds == (0.25, 0.5)


def test_the_mean_is_of_folds_not_of_pairs():
    # Fold 0 has one wrong decision of two, fold 1 none of four.
    found = pair_accuracy(scored([0.1, 0.2, 0.1, 0.1, 0.9, 0.9], [0, 1, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1]))
    assert found.by_fold == (0.5, 1.0) and found.mean == 0.75


def test_with_equal_folds_the_interval_is_that_of_the_rate_over_subjects():
    generator = np.random.default_rng(3)
    mated = np.tile([1, 0], 100)
    first, second = generator.integers(0, 20, 200), 20 + generator.integers(0, 20, 200)
    pairs = scored(
        (mated + generator.normal(0, 0.5, 200)).tolist(),
        mated.tolist(),
        np.repeat([0, 1], 100).tolist(),
        first=first.tolist(),
        second=second.tolist(),
    )
    found = pair_accuracy(pairs)
    wrong = (pairs.scores > np.repeat(found.thresholds, 100)) != pairs.mated
    rate = rate_over_subjects(wrong, pairs.first_subject, pairs.second_subject)
    assert rate.low is not None and rate.high is not None
    assert (found.low, found.high) == (pytest.approx(1 - rate.high), pytest.approx(1 - rate.low))


def test_without_a_wrong_decision_the_interval_is_by_the_rule_of_three():
    found = pair_accuracy(scored([0.1, 0.9, 0.1, 0.9], [0, 1, 0, 1], [0, 0, 1, 1]))
    assert (found.mean, found.low, found.high) == (1.0, 1.0 - zero_error_bound(4), 1.0)


@pytest.mark.parametrize(
    ("scores", "mated", "fold", "told"),
    [
        ([0.1, 0.9], [1, 1], [0, 1], "not measurable: all pairs are mated"),
        ([0.1, 0.9], [0, 0], [0, 1], "not measurable: all pairs are non-mated"),
        ([0.1, 0.9], [0, 1], [3, 3], "not measurable: the pairs are one fold"),
        ([0.1, -np.inf], [0, 1], [0, 1], "not measurable: a fold has no scores beside it"),
    ],
)
def test_what_cannot_be_measured_says_why(scores: list[float], mated: list[int], fold: list[int], told: str):
    found = pair_accuracy(scored(scores, mated, fold))
    assert found.note.startswith(told)
    assert (found.mean, found.low, found.high, found.by_fold) == (None, None, None, ())


def test_a_list_with_more_of_one_kind_is_told():
    found = pair_accuracy(scored([0.1, 0.2, 0.9, 0.1, 0.2, 0.9], [0, 0, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1]))
    assert found.note == "2 of 6 pairs are mated: accuracy follows the larger kind, look at TAR at FAR"


def test_one_subject_gives_no_interval():
    found = pair_accuracy(
        scored([0.1, 0.9, 0.1, 0.9], [0, 1, 0, 1], [0, 0, 1, 1], first=[0, 0, 0, 0], second=[0, 0, 0, 0])
    )
    assert (found.mean, found.low, found.high) == (1.0, None, None)
