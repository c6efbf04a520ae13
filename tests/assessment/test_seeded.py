import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.intervals import Resampling
from countenance.assessment.seeded import (
    SeededMeasurement,
    SeededReplicates,
    difference,
    measured,
    seed_draws,
    worst_difference,
)
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=200)
PEOPLE = 30


def mean_of(values):
    values = np.asarray(values, dtype=float)
    return lambda weights: weights @ values / weights.sum(axis=1)


def system(*seeds):
    return SeededReplicates.of([mean_of(values) for values in seeds], PEOPLE, QUICK)


def people(shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(0.5 + shift, 0.1, PEOPLE)


def draws(seeds):
    return seed_draws(seeds, QUICK)


def test_a_system_counts_with_the_mean_of_its_seeds_and_each_is_told():
    found = measured(system([0.2] * PEOPLE, [0.4] * PEOPLE), draws(2), level=0.95)
    assert found.value == pytest.approx(0.3)
    assert found.by_seed == (pytest.approx(0.2), pytest.approx(0.4))
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.4))
    assert found.note == ""


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not():
    same = measured(system(people(), people()), draws(2), level=0.95)
    apart = measured(system(people(), people(0.2)), draws(2), level=0.95)
    alone = measured(system(people()), draws(1), level=0.95)
    assert same.high - same.low == pytest.approx(alone.high - alone.low, rel=1e-6)
    assert apart.high - apart.low > 1.5 * (same.high - same.low)
    assert alone.note == "one seed: what another would give is not in the interval"


def test_a_difference_is_paired_over_people_and_seeds():
    better = system(people() + 0.01, people(0.2, seed=3) + 0.01)
    found = difference(better, system(people(), people(0.2, seed=3)), draws(2), level=0.95)
    assert found.value == pytest.approx(0.01)
    assert found.low is None or found.high - found.low < 1e-9
    assert found.by_seed == (pytest.approx(0.01), pytest.approx(0.01))


@given(st.integers(0, 1000))
def test_a_difference_turned_round_is_its_opposite(seed):
    one, other = system(people(seed=seed), people(0.1, seed=seed + 1)), system(people(seed=seed + 2), people(seed=7))
    there, back = (difference(*pair, draws(2), level=0.9) for pair in ((one, other), (other, one)))
    assert there.value == pytest.approx(-back.value)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


def groups(*seeds):
    """Each seed gives the rates of two groups, the same for everybody drawn."""
    return SeededReplicates.of(
        [lambda weights, rates=rates: np.tile(rates, (len(weights), 1)) for rates in seeds], PEOPLE, QUICK
    )


def test_the_worst_group_of_one_is_held_against_the_worst_of_the_other_whichever_they_are():
    # Means over seeds: (.1, .4) and (.3, .2), so .4 against .3.
    new, old = groups((0.1, 0.3), (0.1, 0.5)), groups((0.2, 0.2), (0.4, 0.2))
    found = worst_difference(new, old, draws(2), level=0.95)
    assert found.value == pytest.approx(0.1)
    assert found.by_seed == (pytest.approx(0.1), pytest.approx(0.1))
    ratio = worst_difference(new, old, draws(2), level=0.95, ratio=True)
    assert (ratio.value, ratio.unit) == (pytest.approx(4 / 3), "ratio")
    assert ratio.by_seed == (pytest.approx(1.5), pytest.approx(1.25))


def test_a_ratio_to_nothing_is_not_measurable():
    found = worst_difference(groups((0.1, 0.3)), groups((0.0, 0.0)), draws(1), level=0.95, ratio=True)
    assert (found.value, found.low, found.by_seed) == (None, None, (None,))


def test_systems_of_different_seeds_are_not_compared_and_a_system_has_one_at_least():
    with pytest.raises(AssessmentError, match="train both from the same seeds"):
        difference(system(people()), system(people(), people()), draws(1), level=0.95)
    with pytest.raises(AssessmentError, match="without a single seed"):
        SeededReplicates.of([], PEOPLE, QUICK)


def test_a_measurement_comes_back_from_its_json():
    found = measured(system(people(), people(0.1)), draws(2), level=0.95)
    assert SeededMeasurement.from_dict(found.to_dict()) == found
