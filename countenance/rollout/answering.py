"""Which release answered whom at a moment, from the history alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countenance.rollout.ledger import Event
from countenance.rollout.state import Stage


@dataclass(frozen=True, kw_only=True)
class Answering:
    """Who answered at a moment: the champion (None: nobody yet), and a candidate at a share of the traffic."""

    at: datetime
    champion: str | None
    champion_since: datetime | None
    candidate: str | None
    share: float

    def sentence(self) -> str:
        """It, for people."""
        when = self.at.isoformat(timespec="seconds")
        if self.champion is None:
            return f"Nobody answered at {when}: there was no champion yet."
        since = "" if self.champion_since is None else f" (champion since {self.champion_since.isoformat()})"
        if self.candidate is None:
            return f"'{self.champion}'{since} answered everybody at {when}."
        return (
            f"'{self.champion}'{since} answered {1 - self.share:.0%} of the traffic at {when}, and candidate "
            f"'{self.candidate}' {self.share:.0%}."
        )

    def to_dict(self) -> dict[str, Any]:
        """It, as JSON values."""
        since = None if self.champion_since is None else self.champion_since.isoformat()
        return {
            "at": self.at.isoformat(),
            "champion": self.champion,
            "champion_since": since,
            "candidate": self.candidate,
            "share": self.share,
        }


def answering_at(events: Iterable[Event], at: datetime) -> Answering:
    """Walk one model's events in their order up to and including ``at``."""
    champion: str | None = None
    since: datetime | None = None
    candidate: str | None = None
    share = 0.0
    for event in events:
        if event.at > at:
            break
        told = event.payload
        if "stage" not in told:
            continue
        stage = Stage(told["stage"])
        if stage is Stage.PROMOTED:
            champion, since, candidate, share = told["release"], event.at, None, 0.0
        elif event.kind == "rolled_back":
            champion, since = _returned_to(told), event.at
        elif stage.ended:
            candidate, share = (None, 0.0) if told["release"] == candidate else (candidate, share)
        elif told["share"] > 0:
            candidate, share = told["release"], told["share"]
    return Answering(at=at, champion=champion, champion_since=since, candidate=candidate, share=share)


def _returned_to(told: dict[str, Any]) -> str | None:
    return next((action["to"] for action in told["actions"] if action["do"] == "RollBack"), None)
