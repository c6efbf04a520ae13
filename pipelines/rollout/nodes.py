"""Nodes of the rollout command."""

from __future__ import annotations

from typing import Any


def start_candidate(
    rollout: dict[str, Any],
    registration: dict[str, Any],
    record: dict[str, Any] | None,
    evaluation: dict[str, Any] | None,
) -> str:
    """Start the rollout of ``rollout.candidate``, if one is named; what was done, in a sentence."""
    from pipelines.rollout.starting import start_named

    return start_named(rollout, registration, record, evaluation)


def step_controller(
    started: str, rollout: dict[str, Any], registration: dict[str, Any], record: dict[str, Any] | None
) -> dict[str, Any]:
    """Fold what came since the last step, decide, and move; the report."""
    from pipelines.rollout.stepping import step_once

    return step_once(rollout, model=registration["model"], started=started, record=record)


def reconcile_registry(step: dict[str, Any], rollout: dict[str, Any], registration: dict[str, Any]) -> dict[str, Any]:
    """Make the registry show what the store says after the step."""
    from pipelines.rollout.stepping import show_in_registry

    return show_in_registry(rollout, model=registration["model"])


def send_notifications(
    reconciled: dict[str, Any], rollout: dict[str, Any], registration: dict[str, Any]
) -> dict[str, Any]:
    """Tell the operators what is due to be told."""
    from pipelines.rollout.stepping import tell_operators

    return tell_operators(rollout, model=registration["model"])
