"""Nodes of the method comparison room; only the last one reads anybody's group, and it trains nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented
from pipelines.sampling import as_sampled


def search_settings(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    trained: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    distillation: dict[str, Any],
    comparison: dict[str, Any],
    consent: dict[str, Any],
    evaluation: dict[str, Any],
    folder: str,
) -> list[dict[str, Any]]:
    """Give each way its best learning rate, scale and margin, by people set apart; nothing if not asked to."""
    from countenance.learning import method_settings as room
    from pipelines.method_comparison import comparing

    student, rows = comparing.narrowed_distillation(distillation), comparing.narrowed_comparison(comparison)
    teacher = comparing.looking_teacher(features, student, rows, trained)
    score = comparing.choosing_accuracy(evaluation)
    place, faces = Path(folder) / "settings", as_sampled(consented(manifest, consent), weights, distillation)
    return room.search_settings(faces, crops, student, rows, teacher=teacher, folder=place, score=score)


def run_comparison(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    trained: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    settings: list[dict[str, Any]],
    distillation: dict[str, Any],
    comparison: dict[str, Any],
    consent: dict[str, Any],
    folder: str,
) -> list[dict[str, Any]]:
    """Train the student in every way, and keep what each says; finished runs aren't done again."""
    from countenance.learning import method_comparison as room
    from countenance.learning.method_settings import with_chosen_settings
    from pipelines.method_comparison import comparing

    student = comparing.narrowed_distillation(distillation)
    rows = with_chosen_settings(comparing.narrowed_comparison(comparison), settings)
    teacher = comparing.looking_teacher(features, student, rows, trained)
    faces = as_sampled(consented(manifest, consent), weights, distillation)
    return room.run_comparison(faces, crops, student, rows, teacher=teacher, folder=Path(folder))


def assess_comparison(
    manifest: pd.DataFrame,
    runs: list[dict[str, Any]],
    settings: list[dict[str, Any]],
    teacher: pd.DataFrame,
    comparison: dict[str, Any],
    evaluation: dict[str, Any],
    folder: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """1:1 accuracy and TAR of every way on the same faces, and what each gains; the report and its numbers."""
    from countenance.assessment.method_comparison import comparison_numbers
    from pipelines.method_comparison.comparing import compare_methods

    report = compare_methods(manifest, runs, settings, teacher, comparison, evaluation, Path(folder))
    return report, comparison_numbers(report)


def assess_groups_of_comparison(
    manifest: pd.DataFrame,
    runs: list[dict[str, Any]],
    groups: pd.DataFrame,
    comparison: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    folder: str,
) -> dict[str, Any]:
    """What distillation does to each group, and whether it makes the worst one worse."""
    from pipelines.method_comparison.comparing import compare_groups

    return compare_groups(manifest, runs, groups, comparison, evaluation, bias, Path(folder))
