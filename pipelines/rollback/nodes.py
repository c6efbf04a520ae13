"""Nodes of the rollback room."""

from __future__ import annotations

from typing import Any


def roll_back(rollout: dict[str, Any], registration: dict[str, Any]) -> None:
    """Return to the previous champion in the rollout store, then show it in the registry."""
    from pipelines.rollout.projection import return_to_previous

    return_to_previous(rollout, model=registration["model"])
