"""Nodes of the ablation room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented
from pipelines.sampling import as_sampled


def run_ablation(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    training: dict[str, Any],
    ablation: dict[str, Any],
    consent: dict[str, Any],
    folder: str,
) -> list[dict[str, Any]]:
    """Train every task alone and all together, and keep what each network says; finished runs aren't done again."""
    from countenance.configuration import narrow
    from countenance.learning import ablation as room
    from countenance.learning.recipe import Recipe
    from countenance.learning.teacher_features import recognition_teaching

    recipe = narrow(Recipe, training, where="parameters_training.yml")
    configuration = narrow(room.AblationConfiguration, ablation, where="parameters_ablation.yml")
    teacher = recognition_teaching(features, recipe)
    rows = as_sampled(consented(manifest, consent), weights, training)
    return room.run_ablation(rows, crops, recipe, configuration, teacher=teacher, folder=Path(folder))


def assess_ablation(
    manifest: pd.DataFrame, runs: list[dict[str, Any]], evaluation: dict[str, Any], folder: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What learning together gains, task by task; the report and its numbers."""
    from countenance.assessment.ablation import ablation_numbers
    from pipelines.ablation.comparing import compare_runs

    report = compare_runs(manifest, runs, evaluation, Path(folder))
    return report, ablation_numbers(report)
