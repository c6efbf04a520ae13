"""The evidence of a rollout in numbers: what was found, beside what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import RolloutState, Stage
from countenance.rollout.verdict import GuardVerdict, Verdict, plain_e_value


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One number as people read it.

    ``limit`` is what it is held against; ``verdict`` says what follows: 'stop' ends the rollout, 'wait' keeps it from
    going forward, 'open' is not decided yet.
    """

    name: str
    found: str
    limit: str
    verdict: Literal["good", "open", "wait", "stop"]


def readings(
    state: RolloutState, measured: EvidenceState, verdict: Verdict, policy: RolloutPolicy
) -> tuple[Reading, ...]:
    """All that the guards look at, in the order in which they matter."""
    rows = [*_harm(verdict), *_non_inferiority(verdict, policy), *_groups(verdict, policy)]
    rows += _labels(state, measured, verdict, policy)
    for guard in (verdict.latency, verdict.drift):
        if guard is not None:
            rows.append(_guard(guard))
    if verdict.shadow_drop is not None:
        rows.append(_share("dropped by the shadow", verdict.shadow_drop, policy.shadow_drop))
    rows += [
        Reading(name=f"required: {name}", found="never measured", limit="", verdict="wait") for name in verdict.missing
    ]
    return tuple(rows)


def _harm(verdict: Verdict) -> list[Reading]:
    rows = [_alarm("harm, e-value", verdict.log_harm, verdict.alpha.overall_harm, verdict.harmed_overall)]
    if verdict.log_group_harm is not None:
        alpha = verdict.alpha.group_harm
        rows.append(_alarm("harm to a group, e-value", verdict.log_group_harm, alpha, verdict.harmed_in_a_group))
    return rows


def _non_inferiority(verdict: Verdict, policy: RolloutPolicy) -> list[Reading]:
    worst = verdict.worst_case
    return [
        Reading(
            name="non-inferiority, e-value",
            found=plain_e_value(verdict.log_non_inferiority),
            limit=f"at least {1 / verdict.alpha.non_inferiority:.0f}",
            verdict="good" if verdict.non_inferior else "wait",
        ),
        Reading(
            name="difference of error rates, worst case",
            found=f"{worst.lower:+.2%} to {worst.upper:+.2%}",
            limit=f"below {policy.non_inferiority_margin:.2%} to promote",
            verdict="good" if worst.upper < policy.non_inferiority_margin else "wait",
        ),
    ]


def _groups(verdict: Verdict, policy: RolloutPolicy) -> list[Reading]:
    follows: dict[str, Literal["good", "wait", "stop"]] = {"clear": "good", "insufficient": "wait", "harmed": "stop"}
    return [
        Reading(
            name=f"group {group.name}",
            found=f"{group.labelled:,} labelled, e-value of harm {plain_e_value(group.log_harm)}",
            limit=f"at least {policy.group_minimum:,} labelled",
            verdict=follows[group.verdict],
        )
        for group in verdict.groups
    ]


def _labels(state: RolloutState, measured: EvidenceState, verdict: Verdict, policy: RolloutPolicy) -> list[Reading]:
    minima = {Stage.SHADOW: policy.shadow, Stage.CANARY: policy.step, Stage.BAKING: policy.bake}
    rows = []
    if state.base in minima:
        seen, least = measured.labelled_by_stage.get(state.stage_key, 0), minima[state.base].labelled
        follows: Literal["good", "wait"] = "good" if seen >= least else "wait"
        rows.append(
            Reading(name="labelled in this stage", found=f"{seen:,}", limit=f"at least {least:,}", verdict=follows)
        )
    rows.append(
        Reading(
            name="labelled in all",
            found=f"{verdict.labelled:,}, of which {verdict.discordant:,} pairs are discordant",
            limit="",
            verdict="open",
        )
    )
    if verdict.unlabelled_share is not None:
        rows.append(_share("without a label", verdict.unlabelled_share, policy.maximum_unlabelled_share))
    if verdict.disagreement is not None:
        rows.append(_share("decided differently", verdict.disagreement, policy.maximum_disagreement))
    return rows


def _alarm(name: str, log_e_value: float, alpha: float, tripped: bool) -> Reading:
    return Reading(
        name=name,
        found=plain_e_value(log_e_value),
        limit=f"below {1 / alpha:.0f}" if alpha > 0 else "",
        verdict="stop" if tripped else "good",
    )


def _guard(guard: GuardVerdict) -> Reading:
    if not guard.measured:
        return Reading(name=guard.name, found="never measured", limit="", verdict="wait")
    tripped: Literal["stop", "good"] = "stop" if guard.tripped else "good"
    return Reading(
        name=f"{guard.name}, e-value",
        found=f"{plain_e_value(guard.log_e_value)} ({guard.seen:,} requests)",
        limit=f"below {1 / guard.alpha:.0f}",
        verdict=tripped,
    )


def _share(name: str, found: float, limit: float) -> Reading:
    follows: Literal["good", "wait"] = "good" if found <= limit else "wait"
    return Reading(name=name, found=f"{found:.1%}", limit=f"at most {limit:.1%}", verdict=follows)
