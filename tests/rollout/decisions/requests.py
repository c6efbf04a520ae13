"""Decisions and labels for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from countenance.rollout.decisions import intake
from countenance.rollout.decisions.decision import Decision
from countenance.rollout.decisions.labels import LabelMessage, sign_label
from countenance.rollout.decisions.papers import ReleasePapers
from countenance.rollout.decisions.starting import start_release
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore

from ..scenes import NOON, OFFLINE, REGISTRATION, policy

SECRET = b"the labels' secret of a test"
DELAY = timedelta(minutes=6)
_numbers = count()


def asked(**changes: object) -> Decision:
    """A request that both models score in shadow and both get right."""
    given: dict[str, object] = {
        "decision_id": f"request-{next(_numbers)}",
        "champion": "v1",
        "candidate": "v2",
        "candidate_match": True,
        "champion_match": True,
        "group": "north",
        "routing_key": "key",
    }
    return Decision(**(given | changes))  # type: ignore[arg-type]


def told(decision: Decision, mated: bool = True, *, secret: bytes = SECRET) -> LabelMessage:
    return sign_label(decision.decision_id, mated=mated, source="gate", secret=secret, model="countenance")


def labelled(store: RolloutStore, decisions: Iterable[Decision], mated: bool = True, *, now: datetime) -> None:
    intake.label_all(store, [told(decision, mated) for decision in decisions], SECRET, now=now)


def begun(
    store: RolloutStore, release: str = "v2", *, under: RolloutPolicy | None = None, now: datetime = NOON
) -> RolloutRecord:
    """A rollout of ``release`` with its papers."""
    record = start_release(
        store,
        release,
        threshold=0.4,
        champion_threshold=0.5,
        policy=under or policy(),
        papers=ReleasePapers(
            registration=REGISTRATION,
            offline=OFFLINE,
            preconditions=Preconditions(embedding_space=release, re_enrolled=True, threshold=0.4),
        ),
        now=now,
    )
    assert record is not None
    return record
