"""Nodes of the rehearsal room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def rehearse_rollouts(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    record: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    rollout: dict[str, Any],
    rehearsal: dict[str, Any],
    registration: dict[str, Any],
    **outputs: pd.DataFrame,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Play every entry against the rollout store; the report, and the traffic that was replayed."""
    from pipelines.rehearsal.rehearsing import rehearse_all

    model = registration["model"]
    return rehearse_all(manifest, groups, record, evaluation, bias, rollout, rehearsal, outputs, model=model)


def project_registry(report: dict[str, Any], rollout: dict[str, Any], registration: dict[str, Any]) -> dict[str, Any]:
    """Make the registry's aliases and tags show what the rollout store says."""
    from pipelines.rollout.projection import project

    return project(report, rollout, model=registration["model"])
