"""What the history says that the other tables must hold: gathered event by event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from countenance.errors import RolloutError
from countenance.rollout.ledger import Event
from countenance.rollout.state import Stage

_MOVES: Final = frozenset({"bootstrapped", "started", "moved", "rolled_back"})
"""The kinds of events that set a rollout's state; each of them adds one to its epoch."""


@dataclass
class Told:
    """One rollout as its events tell it; ``last`` is the newest one that set its state."""

    model: str
    first: Event
    last: Event
    epoch: int = 1
    promoted_at: datetime | None = None
    ended_at: datetime | None = None
    rests_on: dict[str, int] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Follow a move; note when it ended, and on which look it rests."""
        self.last = event
        stage = Stage(event.payload["stage"])
        if stage is Stage.PROMOTED:
            self.promoted_at = event.at
        if stage.ended:
            self.ended_at = event.at
        if "evidence" in event.payload:
            self.rests_on[event.payload["evidence"]] = event.sequence


@dataclass(frozen=True)
class Pointer:
    """The champion as the events tell it; ``event`` is the one that made it so."""

    release: str
    previous: str | None
    since: datetime
    epoch: int
    event: int


@dataclass
class Story:
    """Everything that the events vouch for, of all models in the store.

    ``approvals`` by signature, ``attachments`` by rollout and name: the events that told of them.
    """

    events: int = 0
    rollouts: dict[int, Told] = field(default_factory=dict)
    champions: dict[str, Pointer] = field(default_factory=dict)
    approvals: dict[str, Event] = field(default_factory=dict)
    attachments: dict[tuple[int, str], Event] = field(default_factory=dict)
    _promoted_over: dict[tuple[str, str], str | None] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Add one event, the next in the chain.

        Raises:
            RolloutError: when it does not tell what its kind must.
        """
        self.events += 1
        try:
            if event.kind == "approved":
                self.approvals[event.payload["signature"]] = event
            elif event.kind == "attached":
                self.attachments[event.rollout, event.payload["name"]] = event
            elif event.kind in _MOVES:
                self._move(event)
        except (KeyError, ValueError, TypeError) as error:
            raise RolloutError(
                f"Event {event.sequence} ({event.kind}) does not tell what it must: it was not written by the store; "
                "restore the store from a copy."
            ) from error

    def attached_names(self) -> set[str]:
        """The names of all evidence files."""
        return {name for _, name in self.attachments}

    def _move(self, event: Event) -> None:
        told = self.rollouts.get(event.rollout)
        if told is None:
            told = self.rollouts[event.rollout] = Told(model=event.model, first=event, last=event)
        else:
            told.epoch += 1
        told.hear(event)
        payload = event.payload
        if event.kind == "rolled_back":
            back = next(str(action["to"]) for action in payload["actions"] if action["do"] == "RollBack")
            self._point(event, back, self._promoted_over[event.model, back])
        elif payload["stage"] == Stage.PROMOTED:
            self._promoted_over[event.model, payload["release"]] = payload["champion"]
            self._point(event, payload["release"], payload["champion"])

    def _point(self, event: Event, release: str, previous: str | None) -> None:
        before = self.champions.get(event.model)
        self.champions[event.model] = Pointer(
            release=release,
            previous=previous,
            since=event.at,
            epoch=1 if before is None else before.epoch + 1,
            event=event.sequence,
        )


def tampered(what: str, *, holds: Any, told: Any, event: int) -> RolloutError:
    """The error for a value that is not what an event says."""
    return RolloutError(
        f"{what} was tampered with: the store holds {_shown(holds)}, and event {event} says {_shown(told)}; "
        "restore the store from a copy."
    )


def _shown(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
