import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countenance.assessment.cost import (
    CostModel,
    CostResampler,
    PriceList,
    cost_optimal_threshold,
    expected_cost_curve,
)
from countenance.errors import AssessmentError
from tests.assessment.populations import scores_of

SCORES = st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=1, max_size=30)


def prices(**changes: object) -> CostModel:
    return CostModel(**({"cost_false_match": 100.0, "cost_false_non_match": 2.0, "mated_prior": 0.9} | changes))


def test_the_expected_cost_by_hand():
    # 1000 * (0.9 * 2 * 0.05 + 0.1 * 100 * 0.01) = 1000 * (0.09 + 0.1)
    assert prices().expected_cost(np.array([0.01]), np.array([0.05])) == pytest.approx([190.0])
    assert prices().unit == "EUR per 1,000 transactions"


def test_the_curve_by_hand():
    curve = expected_cost_curve([0.4, 0.8], [0.1, 0.4], prices(mated_prior=0.5))
    assert curve.thresholds[1:].tolist() == [0.1, 0.4, 0.8]
    assert curve.fmr.tolist() == [1.0, 0.5, 0.0, 0.0]
    assert curve.fnmr.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert curve.costs == pytest.approx([50_000, 25_000, 500, 1000])


def test_the_cheapest_threshold_and_the_cap_on_fmr():
    mated, non_mated = [0.5, 0.5, 0.5, 0.65], [0.1] * 8 + [0.6, 0.7]
    cheap_strangers = prices(cost_false_match=0.1, cost_false_non_match=10.0, mated_prior=0.5)
    free = cost_optimal_threshold(mated, non_mated, cheap_strangers)
    assert (free.threshold, free.fmr, free.fnmr, free.capped) == (0.1, 0.2, 0.0, False)
    capped = cost_optimal_threshold(mated, non_mated, cheap_strangers.model_copy(update={"maximum_fmr": 0.1}))
    assert (capped.threshold, capped.fmr, capped.fnmr, capped.capped) == (0.6, 0.1, 0.75, True)
    assert capped.cost > free.cost


def test_a_failure_to_extract_costs_a_non_match_at_every_threshold():
    curve = expected_cost_curve([-np.inf, 0.9], [0.1], prices())
    assert curve.fnmr.tolist() == [0.5, 0.5, 1.0]


@given(mated=SCORES, non_mated=SCORES, price=st.floats(0.1, 100), prior=st.floats(0.05, 0.95))
def test_no_threshold_is_cheaper_than_the_optimum(mated: list, non_mated: list, price: float, prior: float):
    model = prices(cost_false_match=price, mated_prior=prior)
    best = cost_optimal_threshold(mated, non_mated, model)
    for threshold in [-2.0, *mated, *non_mated]:
        fmr = np.mean(np.array(non_mated) > threshold)
        fnmr = np.mean(np.array(mated) <= threshold)
        assert best.cost <= float(model.expected_cost(fmr, fnmr)) * (1 + 1e-12) + 1e-9


@given(mated=SCORES, non_mated=SCORES, cap=st.floats(0.001, 0.9))
def test_the_capped_threshold_keeps_the_cap(mated: list, non_mated: list, cap: float):
    assert cost_optimal_threshold(mated, non_mated, prices(maximum_fmr=cap)).fmr <= cap


def test_a_curve_can_be_thinned_for_a_plot_with_both_ends_kept():
    generator = np.random.default_rng(0)
    curve = expected_cost_curve(generator.normal(1, 1, 500), generator.normal(-1, 1, 500), prices())
    thin = curve.thinned(50)
    assert 40 < len(thin.costs) <= 50
    # Nowhere is there a gap that would look like a straight line.
    assert np.diff(thin.thresholds).max() < 3 * (curve.thresholds[-1] - curve.thresholds[0]) / 50
    assert (thin.thresholds[0], thin.thresholds[-1]) == (curve.thresholds[0], curve.thresholds[-1])
    assert thin.to_dict()["costs"][0] == curve.costs[0]
    with pytest.raises(AssessmentError, match="2 or more"):
        curve.thinned(1)


def test_a_thinned_curve_has_at_each_threshold_the_rates_that_hold_there():
    curve = expected_cost_curve([0.9], [0.1] * 98 + [0.11, 0.8], prices())
    thin = curve.thinned(3)
    # Asked at just below .1, at .5 and at .9: the rates of .5 are those from .11 on.
    assert thin.thresholds[1:].tolist() == [0.11, 0.9]
    assert thin.fmr.tolist() == [1.0, 0.01, 0.0]


def test_the_price_list_of_a_cost_model_is_the_model_without_its_lights():
    model = prices(maximum_fmr=0.1, amber_above=1.1)
    assert model.prices == PriceList(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.9, maximum_fmr=0.1)
    assert model.prices.expected_cost(0.01, 0.05) == pytest.approx(190.0)


def test_a_curve_needs_both_kinds_of_comparison():
    with pytest.raises(AssessmentError, match="one of the two is empty"):
        expected_cost_curve([], [0.1], prices())


def test_the_lights():
    model = prices(amber_above=1.2, red_above=1.5)
    assert [model.light(index) for index in (1.2, 1.21, 1.5, 1.51)] == ["green", "amber", "amber", "red"]
    with pytest.raises(ValidationError, match="red_above must not be below amber_above"):
        prices(amber_above=2.0, red_above=1.5)


@pytest.mark.parametrize("change", [{"mated_prior": 1.0}, {"cost_false_match": 0.0}, {"prior": 0.5}])
def test_prices_that_make_no_sense_are_refused(change: dict):
    with pytest.raises(ValidationError):
        prices(**change)


def test_the_cost_under_weights_by_hand():
    world = scores_of(["a", "a", "b", "b"], [0.9, 0.1], [0.9, 0.1, 0.1, 0.1])
    resampler = CostResampler(world, 0.5, prices(mated_prior=0.5))
    # As is: FMR 1/4, FNMR 1/2. With a three times and b once: FMR still 3/12, FNMR 1/4.
    assert resampler.rates(np.array([[1, 1], [3, 1]])) == pytest.approx(np.array([[0.25, 0.5], [0.25, 0.25]]))
    assert resampler(np.array([[1, 1]])) == pytest.approx([1000 * (0.5 * 2 * 0.5 + 0.5 * 100 * 0.25)])
    assert np.isnan(resampler(np.array([[2, 0]]))).all()


def test_of_equally_cheap_thresholds_the_highest_is_taken():
    # At 0.1: FMR 1/2, FNMR 0. At 0.5: FMR 0, FNMR 1/2. Same price, same cost.
    even = prices(cost_false_match=4.0, cost_false_non_match=4.0, mated_prior=0.5)
    best = cost_optimal_threshold([0.2, 0.9], [0.1, 0.5], even)
    assert (best.threshold, best.fmr, best.cost) == (0.5, 0.0, 1000.0)
