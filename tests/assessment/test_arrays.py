import numpy as np
import pandas as pd
import pytest

from countenance.assessment.arrays import cluster_codes, codes_of, is_null, refuse_rows, same_length, score_vector
from countenance.errors import AssessmentError


def test_scores_keep_their_float_type_and_whole_numbers_become_float64():
    assert score_vector(np.array([1.0], np.float32), what="scores").dtype == np.float32
    assert score_vector([1, 2], what="scores").dtype == np.float64


def test_a_score_that_is_not_finite_is_refused_with_its_row():
    with pytest.raises(AssessmentError, match="row 1 the mated scores"):
        score_vector([0.0, np.nan], what="mated scores")
    with pytest.raises(AssessmentError, match="row 0"):
        score_vector([-np.inf], what="scores")
    with pytest.raises(AssessmentError, match="row 1"):
        score_vector([-np.inf, np.inf], what="scores", failures_allowed=True)
    assert score_vector([-np.inf], what="scores", failures_allowed=True)[0] == -np.inf


def test_scores_of_a_wrong_shape_are_refused():
    with pytest.raises(AssessmentError, match=r"shape \(1, 1\)"):
        score_vector([[1.0]], what="scores")


def test_the_first_wrong_row_is_named_and_the_others_counted():
    with pytest.raises(AssessmentError, match="In row 1 and 1 more it rains: mend"):
        refuse_rows(np.array([False, True, True]), "it rains")


def test_columns_of_different_lengths_are_named():
    with pytest.raises(AssessmentError, match="labels has 3, predictions has 2"):
        same_length(labels=3, predictions=2)


def test_null_is_none_nan_and_na():
    assert is_null(["a", None, float("nan"), pd.NA]).tolist() == [False, True, True, True]


def test_codes_number_the_labels_in_sorted_order_and_null_is_minus_one():
    codes, labels = codes_of(["b", "a", None, "b"])
    assert codes.tolist() == [1, 0, -1, 1]
    assert labels.tolist() == ["a", "b"]


def test_a_photo_without_a_subject_is_a_cluster_of_its_own():
    assert cluster_codes(["b", None, "b", None], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes(None, 3).tolist() == [0, 1, 2]
    with pytest.raises(AssessmentError, match="rows"):
        cluster_codes(["a"], 2)
