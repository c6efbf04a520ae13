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
    governance: dict[str, Any],
    distillation: dict[str, Any],
    training: dict[str, Any],
    **named: Any,
) -> dict[str, Any]:
    """Run every gate of every candidate, those of its licences included, and apply its signed waivers."""
    from pipelines.registration.declarations import declared
    from pipelines.registration.gating import decide_all

    # Waivers are dated by the day, so that a second run on the same day decides in the same words.
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    stated, materials = declared(manifest, governance, registration, distillation, training)
    return decide_all(
        manifest,
        groups,
        evaluation_report,
        bias_report,
        evaluation,
        bias,
        registration,
        stated,
        materials,
        named,
        now=now,
    )


def describe_dataset(
    manifest: pd.DataFrame,
    crops: Any,
    groups: pd.DataFrame,
    validation_report: dict[str, Any],
    ingestion_metrics: dict[str, Any],
    governance: dict[str, Any],
    bias: dict[str, Any],
    registration: dict[str, Any],
    files: dict[str, str],
) -> tuple[str, dict[str, str]]:
    """The dataset sheet, and the hashes under which DVC knows what the releases are made from."""
    from pipelines.registration.declarations import sheet_of

    return sheet_of(
        manifest, crops.folder, groups, validation_report, ingestion_metrics, governance, bias, registration, files
    )


def build_releases(
    manifest: pd.DataFrame,
    evaluation_report: dict[str, Any],
    bias_report: dict[str, Any],
    gate_report: dict[str, Any],
    dataset_sheet: str,
    dvc_hashes: dict[str, str],
    registration: dict[str, Any],
    governance: dict[str, Any],
    distillation: dict[str, Any],
    training: dict[str, Any],
    folder: str,
    **named: Any,
) -> dict[str, Any]:
    """Write one release unit a candidate, with its card, the dataset sheet and the reports that it was gated on."""
    from pipelines.registration.declarations import declared
    from pipelines.registration.units import build_units

    stated, materials = declared(manifest, governance, registration, distillation, training)
    return build_units(
        manifest,
        evaluation_report,
        bias_report,
        gate_report,
        registration,
        stated,
        materials,
        dataset_sheet,
        dvc_hashes,
        Path(folder),
        named,
    )


def register_releases(releases: dict[str, Any], registration: dict[str, Any]) -> dict[str, Any]:
    """Register every release whose gates let it pass; one that is registered already keeps its version."""
    from pipelines.model_registry import register_all

    return register_all(releases, model=registration["model"])
