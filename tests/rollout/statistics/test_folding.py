"""Whole looks: what ``EvidenceState.folded`` and ``judge`` make of them."""

import json
import math
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.rollout.batch import EvidenceBatch, Served
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.statistics.rates import log_rate_excess
from countenance.rollout.verdict import judge

from .scenes import ARMS, PAIRED, differences, labels, policy, two_arms

rows = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from(["north", "south", None]), st.booleans()), max_size=25
)
GUARDED = policy(guarded_groups=("north", "south"))


def look(outcomes: list[tuple[int, str | None, bool]], weight: float = 1.0) -> EvidenceBatch:
    x, names, mated = ([outcome[place] for outcome in outcomes] for place in range(3))
    disagreed = sum(value != 0 for value in x)
    return EvidenceBatch(
        labelled=differences(x, groups=names, mated=mated, weight=weight),
        scored=len(x),
        disagreed=disagreed,
        due=len(x),
        due_disagreed=weight * disagreed,
    )


@settings(max_examples=30, deadline=None)
@given(rows, rows, st.sampled_from([1.0, 8.0]))
def test_looks_on_pairs_say_the_same_in_any_order(first: list, second: list, weight: float) -> None:
    empty = EvidenceState(key="k")
    one = empty.folded(look(first, weight), GUARDED).folded(look(second, weight), GUARDED)
    other = empty.folded(look(second, weight), GUARDED).folded(look(first, weight), GUARDED)
    assert one == other
    assert judge(one, GUARDED) == judge(other, GUARDED)
    assert EvidenceState.from_json(one.to_json()) == one


def test_an_empty_look_changes_nothing_and_nothing_is_worth_one() -> None:
    for rules in (policy(guarded_groups=("north",)), policy(guarded_groups=("north",), canary_comparison="arms")):
        empty = EvidenceState(key="k")
        assert empty.folded(EvidenceBatch(), rules) == replace(empty, light={})
        verdict = judge(empty, rules)
        assert verdict.log_harm == pytest.approx(0) and verdict.log_non_inferiority == pytest.approx(0)
        assert verdict.log_group_harm == pytest.approx(0)
        assert verdict.harm() is None and not verdict.non_inferior


def test_everything_a_look_brings_is_counted() -> None:
    batch = EvidenceBatch(
        labelled=labels([(1, 0), (0, 0)], by_candidate=[True, False]),
        scored=9,
        disagreed=2,
        shadow_dropped=1,
        due=4,
        due_by_candidate=1,
        due_disagreed=1.0,
        served={"candidate": Served(requests=3, errors=1, slow=2)},
        tail_watched=7,
        tail_above=1,
    )
    state = EvidenceState(key="k").folded(batch, PAIRED).folded(batch, PAIRED)
    assert (state.scored, state.disagreed, state.shadow_dropped, state.due, state.due_by_candidate) == (18, 4, 2, 8, 2)
    assert (state.due_disagreed, state.labelled_by_candidate, state.discordant_weight) == (2.0, 2, 2.0)
    assert state.served == {"candidate": Served(requests=6, errors=2, slow=4)}
    assert (state.tail_watched, state.tail_above) == (14, 2)
    assert judge(state, PAIRED).shadow_drop == pytest.approx(0.1)
    assert EvidenceState.from_json(state.to_json()) == state


def test_disagreements_once_unknown_stay_unknown() -> None:
    known, unknown = EvidenceBatch(due=5, due_disagreed=1.0), EvidenceBatch(due=5)
    empty = EvidenceState(key="k")
    assert empty.folded(known, PAIRED).folded(EvidenceBatch(), PAIRED).due_disagreed == 1.0
    assert empty.folded(known, PAIRED).folded(unknown, PAIRED).folded(known, PAIRED).due_disagreed is None


def test_evidence_written_by_the_previous_release_still_loads() -> None:
    text = json.dumps(
        {
            "key": "k",
            "scored": 50,
            "disagreed": 4,
            "due": 40,
            "overall": {"better": 1, "same": 30, "worse": 2},
            "groups": {"north": {"better": 1, "same": 3, "worse": 0}},
            "false_matches": {"north": {"better": 0, "same": 1, "worse": 0}},
            "labelled_by_stage": {"shadow": 33},
        }
    )
    state = EvidenceState.from_json(text)
    assert state.overall == Tally(1, 30, 2) and state.due_disagreed is None and state.discordant_weight == 3.0
    after = state.folded(look([(1, "north", True)]), PAIRED)
    assert after.overall.worse == 3 and judge(after, PAIRED).labelled == 34


SLOW = {"limit_ms": 250, "tolerated": 0.01}
TAIL = {"tail_score": 0.4, "tolerated": 0.001}


def test_a_slow_candidate_is_harm_whatever_the_champion_does() -> None:
    rules = policy(latency=SLOW)
    served = {"candidate": Served(requests=500, slow=25), "champion": Served(requests=500, slow=25)}
    verdict = judge(EvidenceState(key="k").folded(EvidenceBatch(served=served), rules), rules)
    assert verdict.latency is not None and verdict.latency.tripped and verdict.latency.seen == 500
    assert verdict.latency.log_e_value == pytest.approx(float(log_rate_excess(25, 500, tolerated=0.01)))
    assert verdict.latency.alpha == verdict.alpha.latency == pytest.approx(0.05 * 0.15 / 0.55)
    assert "slow more often than tolerated" in str(verdict.harm())


def test_a_fat_tail_of_non_mated_scores_is_harm() -> None:
    rules = policy(drift=TAIL)
    verdict = judge(EvidenceState(key="k").folded(EvidenceBatch(tail_watched=2000, tail_above=14), rules), rules)
    assert verdict.drift is not None and verdict.drift.tripped
    assert "in the tail" in str(verdict.harm())
    fine = judge(EvidenceState(key="k").folded(EvidenceBatch(tail_watched=2000, tail_above=2), rules), rules)
    assert fine.harm() is None


def test_metrics_that_are_needed_and_were_never_measured_are_named() -> None:
    rules = policy(latency=SLOW, drift=TAIL, required_metrics=("labels", "errors"))
    assert set(judge(EvidenceState(key="k"), rules).missing) == {"labels", "errors", "latency", "drift"}
    batch = EvidenceBatch(labelled=differences([0]), served={"candidate": Served(requests=1)})
    assert judge(EvidenceState(key="k").folded(batch, rules), rules).missing == ("drift",)
    assert judge(EvidenceState(key="k"), PAIRED).missing == ()


def test_a_metric_that_stopped_being_measured_is_missing() -> None:
    rules = policy(latency=SLOW, required_metrics=("errors",))
    known = EvidenceBatch(due=100, due_by_candidate=100, served={"candidate": Served(requests=100)})
    silent = EvidenceBatch(due=100, due_by_candidate=100)
    state = EvidenceState(key="k").folded(known, rules)
    assert judge(state, rules).missing == ()
    assert set(judge(state.folded(silent, rules), rules).missing) == {"latency", "errors"}


def test_alpha_of_all_guards_of_harm_sums_to_alpha() -> None:
    for changes in ({}, {"latency": SLOW}, {"guarded_groups": ("a",), "drift": TAIL}):
        alpha = judge(EvidenceState(key="k"), policy(**changes)).alpha
        assert alpha.overall_harm + alpha.group_harm + alpha.latency + alpha.drift == pytest.approx(0.05)


def test_between_arms_four_fifths_of_the_shadows_wealth_are_bet_on_the_arms() -> None:
    state = EvidenceState(key="k").folded(EvidenceBatch(labelled=differences([1] * 6 + [0] * 50)), ARMS)
    shadow = judge(state, PAIRED).log_harm
    state = state.folded(EvidenceBatch(labelled=two_arms([1] * 9 + [0] * 91, [0] * 100)), ARMS)
    verdict = judge(state, ARMS)
    assert verdict.arms is not None and verdict.arms.candidate_wrong == 9
    joined = (0.8 * math.exp(shadow) + 0.2) * math.exp(verdict.arms.log_harm)
    assert math.exp(verdict.log_harm) == pytest.approx(joined)
    alone = EvidenceState(key="k").folded(EvidenceBatch(labelled=two_arms([1] * 9 + [0] * 91, [0] * 100)), ARMS)
    assert judge(alone, ARMS).log_harm == pytest.approx(verdict.arms.log_harm)
    assert verdict.log_non_inferiority == verdict.arms.log_non_inferiority
    assert verdict.labelled == 56 + 200
    assert json.loads(json.dumps(verdict.summary()))["arms"]["champion_seen"] == 100


def test_between_arms_harm_to_a_group_is_found_and_a_starved_group_is_insufficient() -> None:
    rules = policy(canary_comparison="arms", guarded_groups=("north", "south"))
    state = EvidenceState(key="k")
    for _ in range(8):
        north = two_arms([1] * 15 + [0] * 85, [1] * 2 + [0] * 98, group="north")
        state = state.folded(EvidenceBatch(labelled=north), rules)
    state = state.folded(EvidenceBatch(labelled=two_arms([0] * 20, [0] * 300, group="south")), rules)
    verdict = judge(state, rules)
    assert [group.verdict for group in verdict.groups] == ["harmed", "insufficient"]
    assert verdict.insufficient_groups() == ("south",) and verdict.groups[1].labelled == 20
    assert "'north'" in str(verdict.harm())


def test_a_state_of_a_million_decisions_is_folded_and_judged_at_once_and_stays_small() -> None:
    rules = policy(guarded_groups=("north", "south"))
    tally = Tally(5000, 990_000, 5000)
    state = EvidenceState(key="k", overall=tally, scored=10**6, due=10**6, groups={"north": tally, "south": tally})
    started = time.perf_counter()
    for _ in range(20):
        state = state.folded(look([(0, "north", True), (1, "south", False)] * 50), rules)
        judge(state, rules)
    assert (time.perf_counter() - started) / 20 < 0.1  # about 3 ms on an idle machine
    assert len(state.to_json()) < 2000


@pytest.mark.slow
@pytest.mark.parametrize("comparison", ["paired", "arms"])
def test_all_guards_of_harm_together_stop_few_candidates_that_harm_nobody(comparison: str) -> None:
    rules = policy(canary_comparison=comparison, guarded_groups=("north", "south"), latency=SLOW, drift=TAIL)
    generator, stopped, runs = np.random.default_rng(3), 0, 300
    for _ in range(runs):
        state = EvidenceState(key="k")
        for _ in range(20):
            wrong = (generator.random((2, 100)) < 0.05).astype(int)
            if comparison == "paired":
                labelled = labels(list(zip(*wrong.tolist(), strict=True)), groups=["north", "south"] * 50)
            else:
                labelled = two_arms(*wrong.tolist(), groups=["north", "south"] * 100)
            served = {"candidate": Served(requests=100, slow=int(generator.binomial(100, 0.01)))}
            batch = EvidenceBatch(
                labelled=labelled,
                served=served,
                tail_watched=100,
                tail_above=int(generator.binomial(100, 0.001)),
            )
            state = state.folded(batch, rules)
            if judge(state, rules).harm() is not None:
                stopped += 1
                break
    assert stopped / runs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)


def test_a_verdict_is_made_of_json_values() -> None:
    rules = policy(latency=SLOW, drift=TAIL, guarded_groups=("north",), canary_comparison="arms")
    verdict = judge(EvidenceState(key="k").folded(look([(1, "north", True)]), rules), rules)
    assert json.loads(json.dumps(asdict(verdict), allow_nan=False))["worst_case"]["upper"] == 1.0
