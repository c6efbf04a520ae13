"""Nodes of the registration room."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd


def gate_candidates(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation_report: dict[str, Any],
    bias_report: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    registration: dict[str, Any],
    **named: Any,
) -> dict[str, Any]:
    """Run every gate of every candidate and apply its signed waivers."""
    from pipelines.registration.gating import decide_all

    # Waivers are dated by the day, so that a second run on the same day decides in the same words.
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return decide_all(manifest, groups, evaluation_report, bias_report, evaluation, bias, registration, named, now=now)


def build_releases(
    manifest: pd.DataFrame,
    evaluation_report: dict[str, Any],
    bias_report: dict[str, Any],
    gate_report: dict[str, Any],
    registration: dict[str, Any],
    folder: str,
    **named: Any,
) -> dict[str, Any]:
    """Write one release unit a candidate, with its model card and the reports that it was gated on."""
    from pipelines.registration.units import build_units

    return build_units(manifest, evaluation_report, bias_report, gate_report, registration, Path(folder), named)


def register_releases(releases: dict[str, Any], registration: dict[str, Any]) -> dict[str, Any]:
    """Register every release whose gates let it pass; one that is registered already keeps its version."""
    from pipelines.model_registry import register_all

    return register_all(releases, model=registration["model"])
