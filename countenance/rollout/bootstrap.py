"""The first champion: every offline gate and a signed approval, since there is nothing to be paired with."""

from __future__ import annotations

from datetime import datetime

from countenance.errors import RolloutError
from countenance.rollout.actions import Action, Notify, Promote
from countenance.rollout.approvals import Act, Approval
from countenance.rollout.state import Gate, RolloutState, Stage, failed_gates, unmet_gates


def bootstrap(
    release: str,
    *,
    registration: tuple[Gate, ...],
    offline: tuple[Gate, ...],
    approval: Approval,
    now: datetime,
    replaces: str | None = None,
) -> tuple[RolloutState, tuple[Action, ...]]:
    """Make ``release`` champion without a rollout.

    Args:
        release: what becomes champion.
        registration, offline: all gates; each must have been run and passed.
        approval: a verified approval for ``Act.BOOTSTRAP`` on ``release``.
        now: the moment, with a time zone.
        replaces: the champion that an operator replaces on purpose (a new campaign); None for the first.

    Raises:
        RolloutError: when a gate failed or is missing, or the approval is for something else.
    """
    wrong = failed_gates(registration + offline)
    wrong += unmet_gates(registration, "registration") + unmet_gates(offline, "offline")
    if wrong:
        raise RolloutError(f"'{release}' cannot become champion: {' '.join(wrong)}")
    if approval.act is not Act.BOOTSTRAP or approval.subject != release or approval.at > now:
        raise RolloutError(
            f"'{release}' cannot become champion: the approval is to {approval.act} '{approval.subject}' at "
            f"{approval.at.isoformat()}; sign a bootstrap of '{release}'."
        )
    how = f"in place of '{replaces}', on purpose and without a rollout" if replaces else "as the first champion"
    reason = f"{approval.actor} signed '{release}' {how}: {approval.reason}"
    state = RolloutState(
        release=release,
        champion=replaces,
        evidence_key="",
        stage=Stage.PROMOTED,
        started_at=now,
        entered_at=now,
        deadline_at=now,
        share=1.0,
        reason=reason,
    )
    return state, (Promote(release, replaces), Notify(release, reason))
