"""Money as blast radius: a step may be as large as what is left of the budget, and a budget that is gone ends it.

    sum of exposed requests * c * Delta <= B,    next share <= what is left of B / (c * Delta_max * rate * horizon)

For requests that were answered, Delta is the smaller of Delta_max and the anytime-valid upper bound of the excess that
the evidence gives. For requests to come it is Delta_max always: evidence speaks of the traffic that was seen.
"""

from __future__ import annotations

import math

from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.policy_guards import Budget
from countenance.rollout.state import Evidence
from countenance.rollout.verdict import Verdict

_PARTS = 10_000
"""Traffic is routed in this many parts, so a smaller share would answer nobody."""


def excess_cost(budget: Budget, evidence: Evidence, verdict: Verdict) -> float:
    """The most that the rollout can have cost so far, in the budget's currency.

    Exposed requests * c * min(Delta_max, upper bound of the excess), or what is known to have been paid where that is
    more.
    """
    excess = min(budget.worst_excess, max(0.0, verdict.excess_upper))
    return max(evidence.spent, evidence.exposed_requests * budget.cost_of_an_error * excess)


def next_share(policy: RolloutPolicy, spent: float, step: int) -> float:
    """The share of step ``step`` (from 0): the policy's, or what the rest of the budget pays for if that is less.

    Args:
        policy: with or without a budget.
        spent: the most that was spent so far, from :func:`excess_cost`.
        step: position in ``policy.steps``.

    Returns:
        A share of at most ``policy.steps[step]``, rounded down to whole ten-thousandths; 0 when nothing is left.
    """
    share, budget = policy.steps[step], policy.budget
    if budget is None:
        return share
    whole = budget.cost_of_an_error * budget.worst_excess * budget.requests_per_hour * _hours(budget)
    affordable = max(0.0, budget.amount - spent) / whole
    if affordable >= share:
        return share
    return math.floor(affordable * _PARTS) / _PARTS


def exceeded(budget: Budget, evidence: Evidence, verdict: Verdict) -> str | None:
    """One sentence when the upper bound of the cost is above the budget, else None."""
    cost = excess_cost(budget, evidence, verdict)
    if cost <= budget.amount:
        return None
    return (
        f"The budget is gone: {evidence.exposed_requests} exposed requests may have cost up to {cost:,.2f} "
        f"{budget.currency} more than the champion, and {budget.amount:,.2f} {budget.currency} were allowed."
    )


def unaffordable(
    policy: RolloutPolicy, evidence: Evidence, verdict: Verdict, *, share: float, step: int
) -> tuple[str, ...]:
    """A sentence when the rest of the budget pays for no step ``step`` from the present ``share``; else nothing."""
    budget = policy.budget
    if budget is None:
        return ()
    cost = excess_cost(budget, evidence, verdict)
    affordable = next_share(policy, cost, step)
    left = f"{max(0.0, budget.amount - cost):,.2f} of {budget.amount:,.2f} {budget.currency}"
    if affordable == 0.0:
        return (f"Nothing is left of the budget for a next step ({left} remain, too little for any share).",)
    if affordable < share:
        return (
            f"What is left of the budget ({left}) pays for {affordable:.2%} of the traffic, less than the present "
            f"{share:.2%}: the share stays where it is.",
        )
    return ()


def _hours(budget: Budget) -> float:
    return budget.horizon.total_seconds() / 3600
