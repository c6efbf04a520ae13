"""A project's rollout as its verbs see it: where the store is, whose signatures count, what shows it, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from countenance.rollout.approvals import OperatorKey
from countenance.rollout.notifications.delivering import Channel
from countenance.rollout.registry.shown import Registry
from countenance.rollout.store import RolloutStore


@dataclass(frozen=True, kw_only=True)
class RolloutProject:
    """What ``[tool.countenance] rollout`` in ``pyproject.toml`` opens.

    Attributes:
        store: SQLAlchemy URL of the rollout store.
        model: whose rollouts.
        keys: of everybody whose signature counts; the first signs for the project itself.
        registry: opens the registry that shows the rollouts; None where there is none. It is called only when needed,
            since what it imports is heavy.
        channels: where messages to operators go.
        evidence: the folder that names of evidence files are relative to.
    """

    store: str
    model: str
    keys: tuple[OperatorKey, ...]
    registry: Callable[[], Registry] | None = None
    channels: tuple[Channel, ...] = ()
    evidence: Path = field(default_factory=Path)

    def open_store(self) -> RolloutStore:
        """The store, with everybody's keys."""
        return RolloutStore.open(self.store, model=self.model, keys=self.keys)
