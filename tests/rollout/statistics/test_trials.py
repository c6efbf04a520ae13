import numpy as np
import pytest

from countenance.rollout.statistics.arms import Null
from countenance.rollout.statistics.benchmark import measure
from countenance.rollout.statistics.trial_list import BenchmarkSize
from countenance.rollout.statistics.trials import (
    Errors,
    Pairs,
    errors_of_people,
    pairs,
    stopped_by_arms,
    stopped_by_pairs,
    stopped_by_z_test,
)


def test_a_history_is_stopped_at_the_first_look_that_reaches_the_limit() -> None:
    # The mean of (1 + l)^k over bets 0.07, 0.15, 0.3, 0.6, 0.9 is 14.5 at k = 6 and 81 at k = 9; the limit is 20.
    worse = np.array([[2, 6, 9, 20], [0, 0, 0, 1]])
    seen = Pairs(better=np.zeros_like(worse), same=np.zeros_like(worse), worse=worse)
    assert stopped_by_pairs(seen, 0.05).tolist() == [3, 0]


def test_a_z_test_that_looks_once_looks_last() -> None:
    errors = Errors(
        candidate=np.array([[9, 0, 0], [0, 0, 30]]),
        champion=np.array([[0, 9, 0], [0, 0, 0]]),
        candidate_look=100,
        champion_look=100,
    )
    assert stopped_by_z_test(errors, looking=True).tolist() == [1, 3]
    assert stopped_by_z_test(errors, looking=False).tolist() == [0, 3]


def test_arms_that_differ_wildly_are_stopped_and_equal_ones_are_not() -> None:
    errors = Errors(
        candidate=np.array([[20, 20], [5, 5]]),
        champion=np.array([[1, 1], [5, 5]]),
        candidate_look=100,
        champion_look=100,
    )
    assert stopped_by_arms(errors, Null("at most", 0.0), 0.05).tolist() == [1, 0]


def test_people_err_as_often_as_requests_but_not_independently() -> None:
    drawn = errors_of_people(
        0.1, people=20, likeness=0.2, histories=2000, looks=4, look=50, generator=np.random.default_rng(0)
    )
    assert drawn.candidate.mean() == pytest.approx(5.0, abs=0.2)
    assert drawn.candidate.sum(axis=1).var() > 3 * 200 * 0.1 * 0.9


def test_pairs_add_up() -> None:
    drawn = pairs(0.02, 0.01, histories=3, looks=5, look=40, generator=np.random.default_rng(0))
    assert (drawn.better + drawn.same + drawn.worse == 40 * np.arange(1, 6)).all()


def test_the_same_seed_gives_the_same_figures() -> None:
    size = BenchmarkSize(repetitions=20, most=500, seed=4)
    assert measure(size) == measure(size)


@pytest.mark.slow
def test_false_alarms_are_rare_and_what_is_worse_is_found_in_time() -> None:
    figures = {(trial.test, trial.truth, trial.asks): trial for trial in measure(BenchmarkSize(seed=11))}
    equal, harmed = "2 % in both arms", "2 % and 3 %"
    assert figures["arms", equal, "harm"].rate <= 0.05
    assert figures["arms, 5 % share", equal, "harm"].rate <= 0.05
    assert figures["arms", harmed, "harm"].rate >= 0.95
    assert (figures["arms", harmed, "harm"].median_sample or 10**9) <= 3500
    assert figures["arms", harmed, "non-inferiority"].rate <= 0.05
    assert figures["arms", equal, "non-inferiority"].rate >= 0.95
    assert 0.28 <= figures["z-test at every look", equal, "harm"].rate <= 0.36
    half, worse = "1 % discordant, half of it worse", "1 % discordant, 3 of 4 worse"
    assert figures["paired", half, "harm"].rate <= 0.05
    for truth in (worse, "1 % discordant, and 1 % worse"):
        assert figures["paired", truth, "harm"].rate >= 0.95
        assert (figures["paired", truth, "harm"].median_sample or 10**9) <= 3500
