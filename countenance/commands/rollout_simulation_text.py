"""What ``countenance rollout simulate`` and ``search`` print."""

from __future__ import annotations

from collections.abc import Sequence

from countenance.commands.report_output import table
from countenance.rollout.simulation.rates import Amount, Rate, Summary
from countenance.rollout.simulation.study import Study


def dry_run_lines(study: Study, repetitions: int) -> list[str]:
    """What would be simulated."""
    requests = study.requests or len(study.log)
    rollouts = repetitions * len(study.policies) * len(study.arms)
    return [
        *log_lines(study),
        f"Policies: {', '.join(f'{name} ({policy.policy_hash()[:12]})' for name, policy in study.policies.items())}.",
        f"Arms: {', '.join(f'{arm.name} ({arm.words})' for arm in study.arms)}.",
        f"It would play {repetitions:,} repetitions of about {requests:,} requests: {rollouts:,} rollouts. "
        "Nothing was simulated.",
    ]


def log_lines(study: Study) -> list[str]:
    """What the log holds."""
    log = study.log
    candidate, champion = log.error_rates()
    return [
        f"{len(log):,} logged decisions of {len(log.keys):,} people over {log.hours:.1f} hours: candidate "
        f"'{log.candidate}' was wrong in {100 * candidate:.2f} %, champion '{log.champion}' in {100 * champion:.2f} %."
    ]


def report_lines(study: Study, summaries: Sequence[Summary], repetitions: int, level: float) -> list[str]:
    """The tables of a simulation."""
    return [
        *log_lines(study),
        f"{repetitions:,} repetitions of each policy in each arm; {100 * level:g} % intervals (Clopper-Pearson).",
        "",
        *table(
            ["policy", "candidate is", "promoted, %", "stopped, %", "of them for harm", "undecided, %"],
            [
                [
                    summary.policy,
                    summary.words,
                    rate_text(summary.promoted),
                    rate_text(summary.stopped),
                    f"{summary.harm.count} of {summary.stopped.count}",
                    rate_text(summary.undecided),
                ]
                for summary in summaries
            ],
        ),
        "",
        "Median, and 10 % to 90 % of the repetitions:",
        *table(
            [
                "policy",
                "candidate is",
                "hours to stop",
                "requests to stop",
                "hours to promotion",
                "people exposed",
                "requests exposed",
            ],
            [
                [
                    summary.policy,
                    summary.words,
                    spread_text(summary.stop_hours, "{:,.1f}"),
                    spread_text(summary.stop_requests),
                    spread_text(summary.promotion_hours, "{:,.1f}"),
                    spread_text(summary.people),
                    spread_text(summary.requests),
                ]
                for summary in summaries
            ],
        ),
        "",
        "Mean, and its interval:",
        *table(
            ["policy", "candidate is", "money lost", "beyond the champion", "operator minutes"],
            [
                [summary.policy, summary.words, *map(_mean, (summary.money, summary.money_beyond, summary.minutes))]
                for summary in summaries
            ],
        ),
        "",
        *(line for summary in summaries for line in _verdict_lines(study, summary)),
    ]


def _verdict_lines(study: Study, summary: Summary) -> list[str]:
    if summary.error is None:
        return []
    alpha = study.policies[summary.policy].alpha
    margin = study.policies[summary.policy].non_inferiority_margin
    if summary.arm == "null":
        return [f"{summary.policy}: false rollbacks {rate_text(summary.error)} %, where alpha is {100 * alpha:g} %."]
    arm = next(arm for arm in study.arms if arm.name == summary.arm)
    line = f"{summary.policy}: false promotions of a candidate that is {summary.words}: {rate_text(summary.error)} %"
    if arm.group is not None:
        return [f"{line}; non-inferiority is asked of all traffic, not of a group alone."]
    if arm.worse < margin:
        return [f"{line}; that is within the policy's margin of {100 * margin:g} pp, so it is no error of the test."]
    return [f"{line}, where alpha is {100 * alpha:g} %."]


def rate_text(rate: Rate) -> str:
    """A rate in percent with its interval."""
    return f"{100 * rate.share:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def spread_text(amount: Amount | None, form: str = "{:,.0f}") -> str:
    """A median with its 10 % and 90 % quantiles; a dash where there is none."""
    if amount is None:
        return "-"
    return f"{form.format(amount.median)} ({form.format(amount.q10)} to {form.format(amount.q90)})"


def _mean(amount: Amount) -> str:
    if amount.low is None or amount.high is None:
        return f"{amount.mean:,.1f}"
    return f"{amount.mean:,.1f} ({amount.low:,.1f} to {amount.high:,.1f})"
