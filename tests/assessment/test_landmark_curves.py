import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.intervals import Resampling
from countenance.assessment.landmark_curves import (
    area_under_error_curve,
    cumulative_error_curve,
    errors_by_yaw_band,
    failure_rate,
)
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=100)
NAN = np.nan


def scores(*values: float) -> RowScores:
    return RowScores(np.array(values), "distance of the eye centres", higher_is_better=False, proportion=False)


def test_errors_by_band_and_their_balanced_mean_by_hand():
    errors = scores(0.02, 0.04, 0.06, 0.09, NAN, 0.5)
    by_yaw = errors_by_yaw_band(errors, [0.0, -29.9, 30.0, -90.0, 10.0, NAN], resampling=QUICK)
    assert [band.error.value for band in by_yaw.bands] == pytest.approx([0.03, 0.06, 0.09])
    assert [band.error.count for band in by_yaw.bands] == [2, 1, 1]
    assert by_yaw.balanced.value == pytest.approx(0.06)
    assert (by_yaw.without_yaw, by_yaw.outside) == (1, 0)
    json.dumps(by_yaw.to_dict(), allow_nan=False)


def test_bands_hold_their_lower_edge_and_the_last_one_its_upper_edge_too():
    by_yaw = errors_by_yaw_band(scores(1.0, 2.0, 4.0, 8.0), [30.0, 60.0, 90.0, 90.5], resampling=QUICK)
    assert [band.error.count for band in by_yaw.bands] == [0, 1, 2]
    assert by_yaw.bands[0].error.note == "not labelled"
    assert by_yaw.balanced.note == "not measurable: nothing labelled in [0, 30] degrees"
    assert by_yaw.outside == 1


def test_bands_that_overlap_are_refused():
    with pytest.raises(AssessmentError, match="empty or overlap"):
        errors_by_yaw_band(scores(1.0), [0.0], bands_deg=((0.0, 40.0), (30.0, 60.0)))
    with pytest.raises(AssessmentError, match="errors has 1, yaw has 2"):
        errors_by_yaw_band(scores(1.0), [0.0, 1.0])


def test_the_curve_its_area_and_the_failures_by_hand():
    errors = scores(0.0, 0.04, 0.08, 0.2, NAN)
    curve = cumulative_error_curve(errors, limits=(0.0, 0.05, 0.08, 0.1))
    assert curve is not None
    assert (curve.share, curve.faces) == ((0.25, 0.5, 0.75, 0.75), 4)
    # Up to 0.08: the steps 1/4 over all of it and 1/4 over half of it.
    assert area_under_error_curve(errors, 0.08, resampling=QUICK).value == pytest.approx((1 + 0.5) / 4)
    # An error of exactly the cut-off is no failure.
    assert failure_rate(errors, 0.08, resampling=QUICK).value == 0.25
    assert failure_rate(errors, 0.08, resampling=QUICK).count == 4


def test_without_a_label_there_is_no_curve_no_area_and_no_rate():
    assert cumulative_error_curve(scores(NAN)) is None
    for measured in (area_under_error_curve(scores(NAN), 0.1), failure_rate(scores(NAN), 0.1)):
        assert (measured.value, measured.count, measured.note) == (None, 0, "not labelled")
    by_yaw = errors_by_yaw_band(scores(NAN), [0.0])
    assert by_yaw.balanced.note == "not labelled"


@pytest.mark.parametrize("cut_off", [0.0, -1.0, NAN])
def test_a_cut_off_is_positive(cut_off: float):
    with pytest.raises(AssessmentError, match="give a positive number"):
        failure_rate(scores(1.0), cut_off)


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=30), st.floats(0.01, 0.2), st.randoms())
def test_the_area_is_that_of_the_curve_and_no_order_matters(values: list, cut_off: float, random):
    few = Resampling(resamples=2)
    area = area_under_error_curve(scores(*values), cut_off, resampling=few).value
    # The curve is constant between errors: add up its steps.
    edges = np.unique(np.clip([0.0, *values, cut_off], 0.0, cut_off))
    curve = cumulative_error_curve(scores(*values), limits=tuple(edges))
    assert curve is not None
    assert area == pytest.approx(float(np.diff(edges) @ np.array(curve.share[:-1])) / cut_off, abs=1e-9)
    shuffled = random.sample(values, len(values))
    assert area_under_error_curve(scores(*shuffled), cut_off, resampling=few).value == pytest.approx(area)
    assert cumulative_error_curve(scores(*shuffled)) == cumulative_error_curve(scores(*values))
    assert list(curve.share) == sorted(curve.share)
