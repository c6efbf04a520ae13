from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.rollout.advance import advance
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.money import exceeded, excess_cost, next_share
from countenance.rollout.state import Stage
from countenance.rollout.verdict import Verdict, judge
from countenance.rollout.waiting import waits_for

from .machine_scenes import BUDGET, at, evidence
from .scenes import LATER, policy

# A whole share costs at most 40 EUR * 0.02 * 500 requests an hour * 2 hours = 800 EUR until it can be stopped.
PRICED = policy(budget=BUDGET)


def verdict(excess_upper: float) -> Verdict:
    return replace(judge(EvidenceState(key="key"), PRICED), excess_upper=excess_upper)


@pytest.mark.parametrize(
    ("spent", "step", "share"),
    [
        (0.0, 0, 0.05),  # 1000 / 800 > 0.05
        (0.0, 1, 0.25),
        (900.0, 1, 0.125),  # 100 / 800
        (900.0, 0, 0.05),
        (970.01, 1, 0.0374),  # 29.99 / 800 = 0.0374875, rounded down
        (999.95, 1, 0.0),  # 0.05 / 800 is less than one part of 10,000
        (1000.0, 1, 0.0),
        (5000.0, 1, 0.0),
    ],
)
def test_the_next_share_is_what_the_rest_of_the_budget_pays_for(spent: float, step: int, share: float) -> None:
    assert next_share(PRICED, spent, step) == share


def test_without_a_budget_the_policy_alone_sets_the_share() -> None:
    assert next_share(policy(), 1e9, 1) == 0.25


@given(spent=st.floats(0, 1e6), more=st.floats(0, 1e6), step=st.integers(0, 1))
def test_the_next_share_never_exceeds_the_policys_and_never_grows_with_what_was_spent(
    spent: float, more: float, step: int
) -> None:
    share = next_share(PRICED, spent, step)
    assert 0 <= next_share(PRICED, spent + more, step) <= share <= PRICED.steps[step]
    assert share * 800 <= max(0.0, 1000 - spent) + 1e-6


@pytest.mark.parametrize(
    ("excess_upper", "spent", "cost"),
    [
        (1.0, 0.0, 800.0),  # nothing is known: 1,000 requests * 40 * 0.02
        (0.005, 0.0, 200.0),
        (0.005, 300.0, 300.0),
        (-0.01, 0.0, 0.0),
    ],
)
def test_what_was_spent_is_bounded_by_the_evidence_and_by_the_worst_excess(
    excess_upper: float, spent: float, cost: float
) -> None:
    shown = evidence(exposed_requests=1000, spent=spent)
    assert excess_cost(BUDGET, shown, verdict(excess_upper)) == pytest.approx(cost)


def test_a_budget_is_gone_only_when_the_bound_is_above_it() -> None:
    assert exceeded(BUDGET, evidence(exposed_requests=1250), verdict(1.0)) is None
    told = exceeded(BUDGET, evidence(exposed_requests=1251), verdict(1.0))
    assert told == (
        "The budget is gone: 1251 exposed requests may have cost up to 1,000.80 EUR more than the champion, and "
        "1,000.00 EUR were allowed."
    )


def test_the_canary_starts_at_the_share_that_money_allows_and_says_so() -> None:
    poor = policy(budget=BUDGET.model_copy(update={"amount": 20}))  # 20 / 800 = 0.025
    after, _ = advance(at(Stage.SHADOW), evidence(), poor, LATER)
    assert (after.stage, after.share, after.step) == (Stage.CANARY, 0.025, 0)
    assert "2.5% of the traffic, since the budget pays for no more of its 0.05" in after.reason
    rich, _ = advance(at(Stage.SHADOW), evidence(), PRICED, LATER)
    assert rich.share == 0.05 and "budget" not in rich.reason


def test_where_nothing_is_left_there_is_no_step_forward_and_status_says_so() -> None:
    shadow, shown = at(Stage.SHADOW), evidence(spent=1000.0)
    assert advance(shadow, shown, PRICED, LATER) == (shadow, ())
    assert waits_for(shadow, shown, PRICED, LATER) == (
        "Nothing is left of the budget for a next step (0.00 of 1,000.00 EUR remain, too little for any share).",
    )


def test_money_never_takes_exposure_back_silently() -> None:
    canary, shown = at(Stage.CANARY, share=0.05), evidence(spent=980.0)  # 20 / 800 = 0.025 < 0.05
    assert advance(canary, shown, PRICED, LATER) == (canary, ())
    assert "pays for 2.50% of the traffic, less than the present 5.00%" in waits_for(canary, shown, PRICED, LATER)[0]
    capped = at(Stage.CANARY, share=0.025)
    after, _ = advance(capped, shown, PRICED, LATER)
    assert (after.share, after.step) == (0.025, 1)


def test_a_bake_stays_at_the_share_that_the_last_step_had() -> None:
    capped = at(Stage.CANARY, share=0.125, step=1)
    baking, actions = advance(capped, evidence(), PRICED, LATER)
    assert (baking.stage, baking.share) == (Stage.BAKING, 0.125)
    assert [getattr(action, "share", None) for action in actions] == [0.125]
