import json

import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.intervals import Resampling
from countenance.assessment.threshold_cost import CURVE_POINTS, ThresholdCost, threshold_cost
from countenance.errors import AssessmentError
from tests.assessment.populations import scores_of

RESAMPLING = Resampling(resamples=20)
PEOPLE = ["a", "a", "b", "b"]
# Mated .9 and .4; strangers .6, .3, .2 and .1.
CALIBRATION = scores_of(PEOPLE, [0.9, 0.4], [0.6, 0.3, 0.2, 0.1])
# Mated .7 and .2; strangers .8, .5, .35 and .1.
JUDGED = scores_of(PEOPLE, [0.7, 0.2], [0.8, 0.5, 0.35, 0.1])


def prices(**changes):
    """1,000 transactions cost 1,000 times FMR and 4,000 times FNMR."""
    return CostModel(**{"cost_false_match": 2.0, "cost_false_non_match": 8.0, "mated_prior": 0.5} | changes)


def test_the_cheapest_threshold_is_chosen_on_some_people_and_judged_on_others():
    found = threshold_cost(CALIBRATION, JUDGED, prices(), RESAMPLING)
    # At .3 one of four strangers is in and nobody out: 250. At .6 nobody is in, and one of two is out: 2,000.
    assert (found.optimum.threshold, found.optimum.fmr, found.optimum.fnmr) == (pytest.approx(0.3), 0.25, 0.0)
    assert (found.optimum.cost, found.optimum.capped) == (250.0, False)
    # The others at .3: .8, .5 and .35 are in, .2 is out: 750 + 2,000.
    assert (found.fmr.errors, found.fmr.comparisons) == (3, 4)
    assert (found.fnmr.errors, found.fnmr.comparisons) == (1, 2)
    assert found.cost.value == pytest.approx(2750.0)
    assert found.cost.unit == found.optimum.unit == "EUR per 1,000 transactions"
    assert found.lowest_allowed is None


def test_under_a_cap_the_cheapest_of_what_is_allowed_is_taken_and_others_may_exceed_it():
    found = threshold_cost(CALIBRATION, JUDGED, prices(maximum_fmr=0.1), RESAMPLING)
    # Of four strangers none may be in: from .6 on, and .6 itself costs least of it.
    assert found.lowest_allowed == pytest.approx(0.6)
    assert (found.optimum.threshold, found.optimum.fmr, found.optimum.fnmr) == (pytest.approx(0.6), 0.0, 0.5)
    assert (found.optimum.cost, found.optimum.capped) == (2000.0, True)
    assert found.fmr.value == 0.25
    assert found.prices["maximum_fmr"] == 0.1 and "red_above" not in found.prices


def test_the_curve_is_that_of_the_people_on_whom_the_threshold_is_chosen():
    curve = threshold_cost(CALIBRATION, JUDGED, prices(), RESAMPLING).curve
    assert curve.thresholds[1:] == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.6, 0.9))
    assert curve.costs == pytest.approx((1000, 750, 500, 250, 2250, 2000, 4000))
    assert len(curve.costs) <= CURVE_POINTS


def test_it_is_json_and_comes_back_from_it():
    found = threshold_cost(CALIBRATION, JUDGED, prices(maximum_fmr=0.1), RESAMPLING)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert ThresholdCost.from_dict(written) == found


def test_people_without_a_mated_comparison_give_no_threshold():
    alone = scores_of(["a", "b"], [], [0.3])
    with pytest.raises(AssessmentError, match="A cost curve needs mated and non-mated comparisons"):
        threshold_cost(alone, JUDGED, prices(), RESAMPLING)
