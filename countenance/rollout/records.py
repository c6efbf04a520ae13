"""What the rollout store hands out and takes in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from countenance.rollout.actions import Action, described
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import RolloutState, Stage


@dataclass(frozen=True, kw_only=True)
class RolloutRecord:
    """A rollout as stored. ``epoch`` grows with every move; a move on an old epoch is refused.

    ``policy`` is None for a bootstrap, which runs under none.
    """

    id: int
    model: str
    epoch: int
    state: RolloutState
    policy: RolloutPolicy | None


@dataclass(frozen=True, kw_only=True)
class DecisionBatch:
    """What one release answered between two looks.

    ``new_people`` counts subjects (or sites) it had never answered before in this rollout. The
    ``champion_*`` counts are what the champion would have got wrong on the same requests. False matches
    and non-matches are by the ground truth of a replayed log, known in hindsight.
    """

    release: str
    first_at: datetime
    last_at: datetime
    requests: int
    new_people: int
    false_matches: int
    false_non_matches: int
    champion_false_matches: int
    champion_false_non_matches: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at the evidence: when, in which stage and at what share, and what was found."""

    number: int
    at: datetime
    stage: Stage
    stage_key: str
    share: float
    measured: EvidenceState
    verdict: dict[str, Any]
    batches: tuple[DecisionBatch, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class AliasMove:
    """A projection job: ``alias`` must point at ``release`` in the registry (None: at nothing)."""

    id: int
    alias: str
    release: str | None
    event: int
    created_at: datetime


def aliases_of(state: RolloutState) -> dict[str, str]:
    """The aliases that an unfinished rollout holds: ``shadow`` or ``canary``."""
    if state.stage.ended:
        return {}
    if state.base is Stage.SHADOW:
        return {"shadow": state.release}
    return {"canary": state.release} if state.base in (Stage.CANARY, Stage.BAKING) else {}


def alias_changes(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str | None]]:
    """The alias moves that lead from ``before`` to ``after``, in the order of the aliases' names."""
    return [
        (alias, after.get(alias))
        for alias in sorted(before.keys() | after.keys())
        if before.get(alias) != after.get(alias)
    ]


def told(before: RolloutState | None, after: RolloutState, actions: tuple[Action, ...]) -> dict[str, Any]:
    """What an event says of a move from ``before`` (None: the rollout begins) to ``after``, as JSON values."""
    return {
        "release": after.release,
        "champion": after.champion,
        "from": None if before is None else str(before.stage),
        "stage": str(after.stage),
        "step": after.step,
        "share": after.share,
        "reason": after.reason,
        "actions": [described(action) for action in actions],
    }
