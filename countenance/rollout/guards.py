"""The guards that stop a rollout, in their order; they run in every exposed state, waiting ones included."""

from __future__ import annotations

from datetime import datetime

from countenance.rollout.money import exceeded
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import Evidence, RolloutState
from countenance.rollout.verdict import Verdict


def tripped(
    state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> str | None:
    """One sentence of the first guard that stops the rollout, or None.

    Harm (errors, groups, latency, drift) is looked at wherever a rollout stands. Money, the error breaker and the
    heartbeat speak of people who are being answered, so they are looked at only while somebody is.
    """
    harm = verdict.harm()
    if harm is not None or not state.exposed:
        return harm
    return (
        (exceeded(policy.budget, evidence, verdict) if policy.budget is not None else None)
        or broken(evidence, policy)
        or silent(evidence, policy, now, since=state.entered_at)
    )


def broken(evidence: Evidence, policy: RolloutPolicy) -> str | None:
    """One sentence when the candidate failed to answer too often within the breaker's window, else None."""
    reading, limit = evidence.breaker, policy.errors
    if reading is None or reading.errors < limit.maximum or reading.errors < limit.share * reading.requests:
        return None
    return (
        f"The error breaker tripped: {reading.errors} of the candidate's {reading.requests} requests within "
        f"{limit.window.total_seconds():g} seconds failed (limits {limit.maximum} and {limit.share:.0%})."
    )


def silent(evidence: Evidence, policy: RolloutPolicy, now: datetime, *, since: datetime | None = None) -> str | None:
    """One sentence when the traffic plane's last sign of life is older than the policy allows, else None.

    Args:
        evidence: with the last heartbeat.
        policy: with or without a limit.
        now: the moment.
        since: from when silence counts where there was never a heartbeat; None: it counts at once.
    """
    last = evidence.heartbeat_at or since
    if policy.heartbeat is None or (last is not None and abs(now - last) <= policy.heartbeat):
        # A sign of life from the future is no sign of life: a clock ran backwards, and it would hide any silence.
        return None
    heard = "never gave a sign of life" if evidence.heartbeat_at is None else "gave no sign of life"
    return (
        f"The traffic plane {heard} within {policy.heartbeat.total_seconds():g} seconds, so nobody knows whom the "
        "candidate answers."
    )
