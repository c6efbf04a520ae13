import numpy as np

from countenance.rollout.batch import LabelledBatch
from countenance.rollout.decisions.cursor import Spending
from countenance.rollout.policy_guards import Budget

BUDGET = Budget(
    amount=1000,
    currency="EUR",
    cost_false_match=50,
    cost_false_non_match=3,
    worst_excess=0.1,
    requests_per_hour=100,
    horizon=3600,  # type: ignore[arg-type]
)


def batch(*rows: tuple[int, int, bool, bool, float]) -> LabelledBatch:
    """Rows of: candidate wrong, champion wrong, by the candidate, mated, weight."""
    candidate, champion, by_candidate, mated, weight = zip(*rows, strict=True)
    return LabelledBatch(
        candidate_wrong=np.array(candidate, np.int8),
        champion_wrong=np.array(champion, np.int8),
        by_candidate=np.array(by_candidate),
        group=np.full(len(rows), None, object),
        stage=np.full(len(rows), "canary:1", object),
        mated=np.array(mated),
        weight=np.array(weight),
    )


def test_pairs_cost_what_the_champion_would_have_spared() -> None:
    spending = Spending().plus(
        batch(
            (1, 0, True, False, 2.0),  # a stranger let in, standing for two: 100
            (0, 1, True, True, 1.0),  # somebody not turned away: -3
            (1, 1, True, False, 1.0),  # wrong either way: 0
            (1, 0, False, False, 1.0),  # the champion answered: nobody was hurt
        ),
        BUDGET,
    )
    assert spending == Spending(paired=97.0)
    assert spending.excess() == 97.0


def test_an_arm_costs_what_it_costs_above_the_other_arm() -> None:
    spending = Spending().plus(
        batch(
            (1, -1, True, True, 1.0),
            (1, -1, True, False, 1.0),
            (0, -1, True, True, 1.0),
            (0, -1, True, True, 1.0),
            (-1, 1, False, True, 1.0),
            (-1, 0, False, True, 1.0),
            (-1, 0, False, True, 1.0),
        ),
        BUDGET,
    )
    # 53 for four requests; the champion's three cost 3, so 1 each.
    assert (spending.candidate_cost, spending.candidate_weight) == (53.0, 4.0)
    assert (spending.champion_cost, spending.champion_weight) == (3.0, 3.0)
    assert spending.excess() == 49.0


def test_a_better_candidate_has_spent_nothing() -> None:
    assert Spending().plus(batch((0, 1, True, True, 1.0)), BUDGET).excess() == 0.0
