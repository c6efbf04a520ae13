"""What ``countenance rollout search`` prints, and the policy file that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from countenance.commands.report_output import table
from countenance.commands.rollout_simulation_text import rate_text, spread_text
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.simulation.searching import Effort, Found, Prices, Wanted

_LISTED: Final = 10


def dry_run_lines(policies: Mapping[str, RolloutPolicy], wanted: Wanted, effort: Effort) -> list[str]:
    """What would race."""
    return [
        f"{len(policies)} policies would race, {effort.first} repetitions each in the first round and {effort.most} at "
        f"most; the winner gets {effort.fresh} fresh ones. Nothing was simulated.",
        wanted_line(wanted),
        *policies,
    ]


def wanted_line(wanted: Wanted) -> str:
    """What is asked of a policy."""
    return (
        f"Wanted: false rollbacks at most {100 * wanted.false_rollback:g} %, false promotions at most "
        f"{100 * wanted.false_promotion:g} %, at least {100 * wanted.promoted:g} % of candidates no worse promoted."
    )


def found_lines(found: Found, wanted: Wanted, prices: Prices) -> list[str]:
    """What the search found."""
    rows = [
        [
            runner.name,
            f"{runner.repetitions:,}",
            f"{100 * runner.false_rollback.share:.1f}",
            f"{100 * runner.false_promotion.share:.1f}",
            f"{100 * runner.promoted.share:.1f}",
            f"{runner.price:,.2f}",
        ]
        for runner in found.race[:_LISTED]
    ]
    null, worse = found.summaries
    more = len(found.race) - _LISTED
    return [
        wanted_line(wanted),
        f"The race, best first ({found.rollouts:,} rollouts in all):",
        *table(["policy", "repetitions", "false rollbacks, %", "false promotions, %", "promoted, %", "price"], rows),
        *([f"... and {more} more."] if more > 0 else []),
        "",
        f"Found: {found.name}. On {null.repetitions:,} fresh repetitions an arm (95 % intervals):",
        f"  false rollbacks {rate_text(null.stopped)} %, false promotions {rate_text(worse.promoted)} %, "
        f"promoted {rate_text(null.promoted)} %",
        f"  price {found.price:,.2f} a rollout ({prices.person:g} a person exposed, {prices.minute:g} a minute, "
        f"{prices.hour:g} an hour; {100 * prices.worse_share:g} % of the candidates worse)",
        f"  hours to promotion {spread_text(null.promotion_hours, '{:,.1f}')}, hours to stop a worse one "
        f"{spread_text(worse.stop_hours, '{:,.1f}')}",
        "The whole intervals lie within what is wanted."
        if found.shown
        else "The estimates lie within what is wanted, their whole intervals don't: more --repetitions would tell.",
    ]


def policy_text(found: Found, wanted: Wanted) -> str:
    """The policy as YAML, with what was found of it in comments."""
    import yaml

    null, worse = found.summaries
    told = [
        f"Found by countenance rollout search: {found.name}.",
        wanted_line(wanted),
        f"On {null.repetitions:,} fresh repetitions an arm: false rollbacks {rate_text(null.stopped)} %, false "
        f"promotions {rate_text(worse.promoted)} % ({worse.words}), promoted {rate_text(null.promoted)} %.",
    ]
    values = found.policy.model_dump(mode="json")
    return "".join(f"# {line}\n" for line in told) + yaml.safe_dump(values, sort_keys=False)
