"""The search finds the cheapest policy that keeps to its rates, and tells it on repetitions the race didn't use."""

from __future__ import annotations

import pytest

from countenance.errors import RolloutError
from countenance.rollout.simulation.arms import WORSE, Arm
from countenance.rollout.simulation.outcome import Conditions, Outcome
from countenance.rollout.simulation.searching import FRESH, Effort, Found, Prices, Wanted, search

from ..scenes import policy
from .logs import known_log

HARM = Arm(name=WORSE, worse=0.03)
POLICIES = {
    "small step": policy(steps=(0.05,)),
    "large step": policy(steps=(0.6,)),
    "never enough": policy(steps=(0.05,), bake={"labelled": 100_000}),
}


@pytest.fixture(scope="module")
def found() -> Found:
    small = {name: one.model_copy(update={"non_inferiority_margin": 0.03}) for name, one in POLICIES.items()}
    return search(
        known_log(requests=4_000, people=1_000, hours=2.0),
        small,
        HARM,
        Wanted(false_rollback=0.3, false_promotion=0.3, promoted=0.7),
        prices=Prices(person=1.0, minute=0.0),
        conditions=Conditions(),
        effort=Effort(first=5, most=10, fresh=10),
    )


def outcome(ending: str, **changes: float) -> Outcome:
    given: dict[str, object] = {
        "ending": ending,
        "stage": "PROMOTED",
        "by_harm": False,
        "hours": 2.0,
        "requests": 100,
        "exposed_requests": 10,
        "exposed_people": 8,
        "wrong": 3,
        "champion_wrong": 1,
        "money": 3.0,
        "money_beyond": 2.0,
        "approvals": 1,
        "discordant": 4,
        "minutes": 7.0,
        "moves": (),
    }
    return Outcome(**given | changes)  # type: ignore[arg-type]


def test_the_price_of_a_rollout_is_money_people_minutes_and_waiting() -> None:
    prices = Prices(person=0.5, minute=2.0, hour=10.0, worse_share=0.25)
    null, worse = [outcome("promoted")], [outcome("stopped", money_beyond=6.0, exposed_people=2, minutes=1.0)]
    # No worse: 2 + .5 * 8 + 2 * 7 + 10 * 2 = 40. Worse: 6 + .5 * 2 + 2 * 1 = 9; nobody waits for it.
    assert prices.of(null, worse) == pytest.approx(0.75 * 40 + 0.25 * 9)


def test_the_policy_that_exposes_fewest_people_wins_and_one_that_never_decides_does_not(found: Found) -> None:
    best = found
    assert best.name == "small step"
    assert [runner.name for runner in best.race][-1] == "never enough"
    null, worse = best.summaries
    assert (null.repetitions, worse.repetitions) == (10, 10) and (null.arm, worse.arm) == ("null", "worse")
    assert not best.shown  # ten repetitions show little


def test_repetitions_go_where_they_matter(found: Found) -> None:
    repetitions = {runner.name: runner.repetitions for runner in found.race}
    assert repetitions == {"small step": 10, "large step": 10, "never enough": 5}


def test_fresh_repetitions_are_none_of_the_race() -> None:
    assert Effort().most < FRESH


def test_where_no_policy_keeps_to_the_rates_the_nearest_is_named() -> None:
    wanted = Wanted(false_rollback=0.3, false_promotion=0.3, promoted=0.7)
    log = known_log(requests=4_000, people=1_000, hours=2.0)
    with pytest.raises(RolloutError, match="None of 1 policies keeps to the wanted rates .* nearest is 'never enough'"):
        search(
            log,
            {"never enough": POLICIES["never enough"]},
            HARM,
            wanted,
            prices=Prices(),
            conditions=Conditions(),
            effort=Effort(first=5, most=5, fresh=10),
        )
