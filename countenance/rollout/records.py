"""What the rollout store hands out and takes in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from countenance.rollout.actions import Action, described
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.ledger import canonical_json, text_hash
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
    """One look at the evidence: when, in which stage and at what share, and what was found.

    ``number`` counts from 1. ``cursor`` (JSON) says up to where decisions and labels were folded into ``measured``;
    ``hash`` is the link of the rollout's chain of looks. The store fills both in; see ``RolloutStore.observe``.
    """

    number: int
    at: datetime
    stage: Stage
    stage_key: str
    share: float
    measured: EvidenceState
    verdict: dict[str, Any]
    batches: tuple[DecisionBatch, ...] = field(default=())
    cursor: str | None = field(default=None, compare=False)
    hash: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class OutboxJob:
    """What the world must still be told, since ``event``: a move of an alias, or a message (``payload``).

    ``attempts`` counts the tries that failed; the next one is not due before ``next_attempt_at``.
    """

    id: int
    kind: Literal["alias", "notify"]
    event: int
    created_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    next_attempt_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class AliasMove(OutboxJob):
    """A projection job: ``alias`` must point at ``release`` in the registry (None: at nothing)."""

    alias: str
    release: str | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Who answers whom at one moment, read in one transaction.

    ``champion_epoch`` counts the champions so far (0: none yet). ``epoch`` is the number of the store's newest event
    (0: none) and ``head`` its hash. ``controller_at`` is the controller's last sign of life: when its lease ran out,
    or now. ``now`` is the database's clock.
    """

    model: str
    champion: str | None
    previous: str | None
    champion_epoch: int
    active: RolloutRecord | None
    epoch: int
    head: str
    controller_at: datetime | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A candidate that waits for the active rollout to end; ``champion`` is whom its evidence is to be about.

    ``papers`` holds its gates and preconditions as JSON values; its first event will repeat them.
    """

    id: int
    release: str
    champion: str
    policy: RolloutPolicy
    evidence_key: str
    papers: dict[str, Any]
    queued_at: datetime


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The traffic plane's last sign of life, and the epoch of the snapshot that it routes by."""

    at: datetime
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """An evidence file that lies elsewhere: its name, sha256 (hex) and size in bytes."""

    name: str
    sha256: str
    size: int
    at: datetime


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
        "state_sha256": state_hash(after),
    }


def state_hash(state: RolloutState) -> str:
    """The sha256 (hex) of all of a state, by which an event vouches for the rollout's row."""
    return text_hash(canonical_json(state.to_dict()))
