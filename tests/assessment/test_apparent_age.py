import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.apparent_age import apparent_age_error, apparent_age_errors
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=100)


def test_the_error_is_0_when_right_and_grows_by_the_deviations_of_the_votes():
    scores = apparent_age_errors([30.0, 30.0, 30.0], [2.0, 2.0, 5.0], [30.0, 32.0, 35.0])
    one_deviation = 1 - math.exp(-0.5)
    assert scores.values.tolist() == pytest.approx([0.0, one_deviation, one_deviation])
    assert not scores.higher_is_better
    measured = apparent_age_error([30.0, 30.0], [2.0, 2.0], [30.0, 32.0], resampling=QUICK)
    assert measured.value == pytest.approx(one_deviation / 2)
    assert (measured.count, measured.unit) == (2, "epsilon error")


def test_a_face_without_a_labelled_deviation_is_not_in_the_metric():
    values = apparent_age_errors([30.0, 30.0, None], [2.0, None, 2.0], [30.0, 99.0, 99.0]).values
    assert values[0] == 0.0
    assert np.isnan(values[1:]).all()


def test_without_any_deviation_there_is_no_value_rather_than_0():
    measured = apparent_age_error([30.0], pd.Series([pd.NA], dtype="Float64"), [31.0])
    assert (measured.value, measured.low, measured.high, measured.count) == (None, None, None, 0)
    assert measured.note == "not labelled"


def test_where_all_votes_agree_only_the_very_age_is_right():
    assert apparent_age_errors([30.0, 30.0], [0.0, 0.0], [30.0, 30.1]).values.tolist() == [0.0, 1.0]


def test_an_unanswered_face_is_refused_or_counts_as_one_as_in_the_challenge():
    with pytest.raises(AssessmentError, match="In row 1 a labelled photo has no prediction"):
        apparent_age_errors([30.0, 30.0], [2.0, 2.0], [30.0, None])
    values = apparent_age_errors([30.0, 30.0], [2.0, 2.0], [30.0, None], unanswered_count_as_one=True).values
    assert values.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("deviation", [-1.0, math.inf])
def test_a_deviation_that_is_none_is_refused_with_its_row(deviation: float):
    with pytest.raises(AssessmentError, match="In row 1 the deviation of an age is not 0 or more"):
        apparent_age_errors([30.0, 30.0], [2.0, deviation], [30.0, 30.0])


years = st.floats(0, 100)


@given(st.lists(st.tuples(years, st.floats(0.1, 20), years), min_size=1, max_size=20), st.floats(0.1, 10))
def test_the_error_stays_within_0_and_1_and_depends_on_no_unit_and_no_order(faces: list, factor: float):
    labels, deviations, predictions = np.array(faces).T
    values = apparent_age_errors(labels, deviations, predictions).values
    assert ((values >= 0) & (values <= 1)).all()
    scaled = apparent_age_errors(factor * labels + 3, factor * deviations, factor * predictions + 3).values
    np.testing.assert_allclose(scaled, values, atol=1e-6)
    backwards = apparent_age_errors(labels[::-1], deviations[::-1], predictions[::-1]).values
    np.testing.assert_array_equal(backwards[::-1], values)
