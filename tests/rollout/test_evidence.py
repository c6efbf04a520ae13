import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.rollout.batch import EvidenceBatch, LabelledBatch
from countenance.rollout.evidence import (
    EvidenceState,
    Tally,
    e_benjamini_hochberg,
    evidence_key,
    log_any,
    log_excess,
    log_harm,
    log_non_inferiority,
)

from .scenes import policy

Outcome = tuple[int, str | None, str]
counts = st.integers(min_value=0, max_value=10**7)


def test_two_worse_and_one_better_pair_at_half_the_wealth_give_nine_eighths() -> None:
    # 1.5 * 1.5 * 0.5
    assert math.exp(log_harm(1, 2, bets=(0.5,))) == pytest.approx(1.125)


def test_the_harm_e_value_is_the_mean_over_its_bets() -> None:
    # bets 0.2 and 0.5 on +1, +1, -1: 1.2^2 * 0.8 = 1.152 and 1.5^2 * 0.5 = 1.125
    assert math.exp(log_harm(1, 2, bets=(0.2, 0.5))) == pytest.approx((1.152 + 1.125) / 2)


def test_non_inferiority_by_hand() -> None:
    # margin 0.2, bet 0.4 / 0.8 = 0.5: x = -1 gives 1 + 0.5 * 1.2 = 1.6, x = 0 gives 1.1, x = +1 gives 0.6
    value = math.exp(log_non_inferiority(1, 2, 1, margin=0.2, bets=(0.4,)))
    assert value == pytest.approx(1.6 * 1.1**2 * 0.6)


def test_nothing_seen_is_an_e_value_of_one() -> None:
    assert log_harm(0, 0) == pytest.approx(0)
    assert log_non_inferiority(0, 0, 0, margin=0.01) == pytest.approx(0)


@settings(max_examples=50)
@given(counts, counts, counts, st.floats(min_value=1e-4, max_value=0.5))
def test_evidence_neither_overflows_nor_underflows(better: int, same: int, worse: int, margin: float) -> None:
    assert np.isfinite(log_harm(better, worse))
    assert np.isfinite(log_non_inferiority(better, same, worse, margin=margin))


@settings(max_examples=50)
@given(counts, counts, counts)
def test_one_more_worse_pair_speaks_for_harm_and_against_non_inferiority(better: int, same: int, worse: int) -> None:
    assert log_harm(better, worse + 1) > log_harm(better, worse)
    assert log_non_inferiority(better, same, worse + 1, margin=0.01) < log_non_inferiority(
        better, same, worse, margin=0.01
    )


def ever_reached(log_e_values: np.ndarray, alpha: float) -> float:
    return float((log_e_values.max(axis=1) >= -math.log(alpha)).mean())


def paired_losses(champion: float, candidate: float, *, runs: int, length: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    errors = generator.random((2, runs, length))
    return np.asarray((errors[0] < candidate).astype(np.int8) - (errors[1] < champion).astype(np.int8))


def cumulative(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    better, worse = (losses < 0).cumsum(axis=1), (losses > 0).cumsum(axis=1)
    return better, np.arange(1, losses.shape[1] + 1) - better - worse, worse


def test_looking_after_every_request_rarely_stops_an_equal_candidate() -> None:
    better, _, worse = cumulative(paired_losses(0.3, 0.3, runs=300, length=2000, seed=1))
    assert ever_reached(log_harm(better, worse), alpha=0.05) <= 0.05


def test_looking_after_every_request_rarely_clears_a_candidate_worse_by_exactly_the_margin() -> None:
    outcomes = cumulative(paired_losses(0.02, 0.03, runs=300, length=2000, seed=2))
    assert ever_reached(log_non_inferiority(*outcomes, margin=0.01), alpha=0.05) <= 0.05


def test_a_candidate_twice_as_bad_is_nearly_always_found_and_an_equal_one_nearly_always_cleared() -> None:
    better, _, worse = cumulative(paired_losses(0.02, 0.04, runs=50, length=6000, seed=3))
    assert ever_reached(log_harm(better, worse), alpha=0.05) > 0.95
    outcomes = cumulative(paired_losses(0.02, 0.02, runs=50, length=10_000, seed=4))
    assert ever_reached(log_non_inferiority(*outcomes, margin=0.01), alpha=0.05) > 0.95


def test_any_group_is_the_average_of_the_groups() -> None:
    assert math.exp(log_any(np.log([1.0, 2.0, 6.0]))) == pytest.approx(3.0)


def test_e_benjamini_hochberg_by_hand() -> None:
    # alpha 0.1, four groups: rank k needs k * e / 4 >= 10, so 40, 20, 13.3, 10
    values = np.log([25.0, 1.0, 22.0, 12.0])
    assert e_benjamini_hochberg(values, 0.1).tolist() == [0, 2]
    assert e_benjamini_hochberg(np.log([39.0, 1.0, 1.0, 1.0]), 0.1).tolist() == []
    assert e_benjamini_hochberg(np.log([10.0, 10.0, 10.0, 10.0]), 0.0999999999).tolist() == []
    assert e_benjamini_hochberg(np.log([11.0, 10.5, 10.2, 10.1]), 0.1).tolist() == [0, 1, 2, 3]
    assert e_benjamini_hochberg(np.array([]), 0.1).tolist() == []


@given(st.lists(st.floats(min_value=-5, max_value=12), min_size=1, max_size=12))
def test_whenever_a_group_is_named_the_average_has_crossed_too(log_values: list[float]) -> None:
    values = np.array(log_values)
    if len(e_benjamini_hochberg(values, 0.05)):
        assert log_any(values) >= -math.log(0.05) - 1e-9


def batch_of(outcomes: list[Outcome]) -> EvidenceBatch:
    """Every request on which the candidate is worse is non-mated, all others are mated."""
    x, groups, stages = (np.array([outcome[place] for outcome in outcomes], dtype=object) for place in range(3))
    labelled = LabelledBatch(
        candidate_wrong=(x > 0).astype(np.int8),
        champion_wrong=(x < 0).astype(np.int8),
        by_candidate=np.zeros(len(x), np.bool_),
        group=groups,
        stage=stages,
        mated=(x <= 0).astype(np.bool_),
        weight=np.ones(len(x)),
    )
    return EvidenceBatch(labelled=labelled, scored=9, disagreed=2, due=7)


def folded(*batches: list[Outcome]) -> EvidenceState:
    state = EvidenceState(key="k")
    for batch in batches:
        state = state.folded(batch_of(batch), policy())
    return state


outcomes = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from(["north", "south", None]), st.sampled_from(["a", "b"])),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(outcomes, outcomes)
def test_two_batches_say_the_same_as_one(first: list[Outcome], second: list[Outcome]) -> None:
    together = folded(first + second)
    apart = folded(first, second)
    assert (apart.scored, apart.disagreed, apart.due) == (18, 4, 14)
    assert replace(apart, scored=9, disagreed=2, due=7) == together


@settings(max_examples=30, deadline=None)
@given(outcomes)
def test_the_state_survives_json(batch: list[Outcome]) -> None:
    state = folded(batch)
    assert EvidenceState.from_json(state.to_json()) == state
    assert json.loads(state.to_json())["scored"] == 9


def test_requests_are_counted_by_group_and_by_the_stage_they_arrived_in() -> None:
    state = folded([(1, "north", "shadow"), (0, None, "shadow"), (-1, "south", "canary:1"), (1, "south", "shadow")])
    assert state.overall == Tally(better=1, same=1, worse=2)
    assert state.groups == {"north": Tally(worse=1), "south": Tally(better=1, worse=1)}
    assert state.false_matches == {"north": Tally(worse=1), "south": Tally(worse=1)}
    assert state.labelled_by_stage == {"shadow": 3, "canary:1": 1}


def test_evidence_is_about_both_models_their_thresholds_and_the_policy() -> None:
    thresholds = {"v1": 0.3, "v2": 0.4, "v9": 0.9}
    key = evidence_key("v2", "v1", thresholds, "policy")
    assert key == evidence_key("v2", "v1", {"v1": 0.3, "v2": 0.4}, "policy")
    assert key != evidence_key("v1", "v2", thresholds, "policy")
    assert key != evidence_key("v2", "v1", thresholds | {"v2": 0.41}, "policy")
    assert key != evidence_key("v2", "v1", thresholds, "another policy")


def test_excess_over_a_tolerance_by_hand() -> None:
    # One bet of 1/2, margin 1/4: stake 0.4; better 1 - 0.4 * 1.25 = 0.5, same 1 - 0.1 = 0.9, worse 1 + 0.3 = 1.3
    value = log_excess(1, 2, 3, margin=0.25, bets=(0.5,))
    assert float(value) == pytest.approx(math.log(0.5 * 0.9**2 * 1.3**3))
    assert float(log_excess(0, 0, 0, margin=0.25)) == pytest.approx(0.0, abs=1e-12)


def test_an_excess_within_the_tolerance_is_rarely_called_harm() -> None:
    generator = np.random.default_rng(3)
    # The candidate errs 3 points more often, which is exactly the tolerance: Ville allows 5 % of all histories.
    steps = generator.choice([-1, 0, 1], p=[0.02, 0.93, 0.05], size=(400, 2000))
    better, same, worse = ((steps == value).cumsum(axis=1)[:, 49::50] for value in (-1, 0, 1))
    alarms = (log_excess(better, same, worse, margin=0.03) >= -math.log(0.05)).any(axis=1)
    assert alarms.mean() <= 0.05


def test_an_excess_beyond_the_tolerance_is_found() -> None:
    generator = np.random.default_rng(4)
    steps = generator.choice([-1, 0, 1], p=[0.02, 0.83, 0.15], size=(100, 1500))
    better, same, worse = ((steps == value).sum(axis=1) for value in (-1, 0, 1))
    assert (log_excess(better, same, worse, margin=0.03) >= -math.log(0.05)).mean() > 0.95
