import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.folds import best_threshold, subject_folds, verification_accuracy
from countenance.errors import AssessmentError


def test_the_best_threshold_is_in_the_middle_of_the_gap():
    assert best_threshold(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])) == 0.5


def test_the_best_threshold_may_accept_all_or_nothing():
    accept_all = best_threshold(np.array([0.1, 0.2]), np.array([True, True]))
    assert accept_all < 0.1
    assert best_threshold(np.array([0.1, 0.2]), np.array([False, False])) == 0.2


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40).map(
        lambda rows: (np.array([row[0] / 8 for row in rows]), np.array([row[1] for row in rows]))
    )
)
def test_no_threshold_decides_better_than_the_best(rows: tuple[np.ndarray, np.ndarray]):
    scores, mated = rows
    right = ((scores > best_threshold(scores, mated)) == mated).sum()
    others = [((scores > cut) == mated).sum() for cut in [-1.0, *scores]]
    assert right == max(others)


def test_accuracy_uses_the_threshold_of_the_other_folds():
    # Fold 0 alone would choose 0.5 and be perfect; fold 1 sets 0.25 for it, which accepts 0.4 wrongly.
    scores = np.array([0.4, 0.6, 0.2, 0.3])
    mated = np.array([False, True, False, True])
    result = verification_accuracy(scores, mated, np.array([0, 0, 1, 1]))
    assert result.thresholds == (0.25, 0.5)
    assert result.accuracies == (0.5, 0.5)
    assert (result.mean, result.standard_deviation, result.comparisons) == (0.5, 0.0, 4)


def test_a_pair_that_straddles_folds_is_left_out():
    result = verification_accuracy([0.1, 0.9, 0.1, 0.9, 5.0], [0, 1, 0, 1, 0], np.array([0, 0, 1, 1, -1]))
    assert (result.mean, result.comparisons) == (1.0, 4)


def test_folds_share_no_subject():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 20, (2, 400))
    folds = subject_folds(first, second, 5, np.random.default_rng(1))
    seen = [set(first[folds == fold]) | set(second[folds == fold]) for fold in range(5)]
    assert all(seen[one].isdisjoint(seen[other]) for one in range(5) for other in range(one))
    assert set(folds) == {-1, 0, 1, 2, 3, 4}


def test_too_few_folds_or_subjects_are_refused():
    with pytest.raises(AssessmentError, match="two folds or more"):
        verification_accuracy([0.1, 0.2], [0, 1], np.array([0, 0]))
    with pytest.raises(AssessmentError, match="cannot be dealt"):
        subject_folds(np.array([0]), np.array([1]), 5, np.random.default_rng(0))
    with pytest.raises(AssessmentError, match="no finite score"):
        best_threshold(np.array([-np.inf]), np.array([True]))
