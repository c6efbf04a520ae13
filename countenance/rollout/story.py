"""The story of a rollout, read back from the store: what happened, why, to how many, and at what price."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import RolloutError
from countenance.rollout.ledger import Event
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Look
from countenance.rollout.state import Stage


class ErrorCosts(Configuration):
    """What one wrong answer costs, in one currency."""

    false_match: float = Field(ge=0)
    false_non_match: float = Field(ge=0)


class OperatingLoad(Configuration):
    """Minutes of an operator's time: for each approval, and for each discordant pair looked at."""

    minutes_per_approval: float = Field(default=5.0, ge=0)
    minutes_per_discordant_pair: float = Field(default=0.5, ge=0)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One move: when, where to, at what share, the sentence that explains it, and the verdict it rests on."""

    at: datetime
    stage: Stage
    step: int
    share: float
    reason: str
    verdict: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class RolloutStory:
    """One rollout from start to end.

    ``people_exposed`` counts subjects (sites, where routing is by site), ``requests_exposed`` the requests that the
    candidate answered, ``wrong_decisions`` how many of them wrongly, and ``champion_wrong_decisions`` how many of them
    the champion would have got wrong. ``money_lost`` prices the first, ``money_lost_beyond_champion`` the
    difference; both are None without costs. Ground truth is that of the log, in hindsight.
    """

    release: str
    champion: str | None
    policy_hash: str | None
    final_stage: Stage
    reason: str
    started_at: datetime
    moved_at: datetime
    moments: tuple[Moment, ...]
    looks: tuple[Look, ...]
    requests_exposed: int
    people_exposed: int
    wrong_decisions: int
    champion_wrong_decisions: int
    money_lost: float | None
    money_lost_beyond_champion: float | None
    approvals: int
    discordant_pairs: int
    operator_minutes: float

    def to_dict(self) -> dict[str, Any]:
        """The story as JSON values."""
        values = asdict(self)
        values["looks"] = [_look_values(look) for look in self.looks]
        return _plain(values)  # type: ignore[no-any-return]


def recorded_story(
    store: RolloutReader, release: str, *, costs: ErrorCosts | None = None, load: OperatingLoad | None = None
) -> RolloutStory:
    """The story of the newest rollout of ``release``.

    Args:
        store: where it was recorded.
        release: the candidate.
        costs: prices wrong answers; without it no money is told.
        load: prices an operator's time; the defaults of ``OperatingLoad`` without it.

    Raises:
        RolloutError: when no rollout of it is recorded.
    """
    record = store.rollout_of(release)
    if record is None:
        raise RolloutError(f"No rollout of '{release}' is recorded: start or replay one first.")
    load = load or OperatingLoad()
    events, looks = store.events(record.id), store.looks(record.id)
    approvals = len(store.approvals(record.id))
    discordant = looks[-1].measured.overall.discordant if looks else 0
    batches = [batch for look in looks for batch in look.batches if batch.release == release]
    false_matches = sum(batch.false_matches for batch in batches)
    false_non_matches = sum(batch.false_non_matches for batch in batches)
    spared_matches = sum(batch.champion_false_matches for batch in batches)
    spared_non_matches = sum(batch.champion_false_non_matches for batch in batches)
    lost = _price(false_matches, false_non_matches, costs)
    spared = _price(spared_matches, spared_non_matches, costs)
    return RolloutStory(
        release=release,
        champion=record.state.champion,
        policy_hash=None if record.policy is None else record.policy.policy_hash(),
        final_stage=record.state.stage,
        reason=record.state.reason,
        started_at=record.state.started_at,
        moved_at=record.state.entered_at,
        moments=_moments(events),
        looks=looks,
        requests_exposed=sum(batch.requests for batch in batches),
        people_exposed=sum(batch.new_people for batch in batches),
        wrong_decisions=false_matches + false_non_matches,
        champion_wrong_decisions=spared_matches + spared_non_matches,
        money_lost=lost,
        money_lost_beyond_champion=None if lost is None or spared is None else lost - spared,
        approvals=approvals,
        discordant_pairs=discordant,
        operator_minutes=approvals * load.minutes_per_approval + discordant * load.minutes_per_discordant_pair,
    )


def _moments(events: tuple[Event, ...]) -> tuple[Moment, ...]:
    return tuple(
        Moment(
            at=event.at,
            stage=Stage(event.payload["stage"]),
            step=event.payload["step"],
            share=event.payload["share"],
            reason=event.payload["reason"],
            verdict=event.payload.get("verdict"),
        )
        for event in events
        if "stage" in event.payload
    )


def _price(false_matches: int, false_non_matches: int, costs: ErrorCosts | None) -> float | None:
    if costs is None:
        return None
    return false_matches * costs.false_match + false_non_matches * costs.false_non_match


def _look_values(look: Look) -> dict[str, Any]:
    kept = ("number", "at", "stage", "stage_key", "share", "verdict")
    return {name: getattr(look, name) for name in kept} | {"batches": [asdict(batch) for batch in look.batches]}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
