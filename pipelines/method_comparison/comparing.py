"""What the students of a comparison said, measured and held against one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.method_comparison import Said, assess_methods
from countenance.assessment.method_groups import assess_method_groups
from countenance.assessment.setting_choice import VotedAccuracy, voted_accuracy
from countenance.configuration import narrow
from countenance.data.manifest import with_five_points
from countenance.learning.compared_methods import MethodComparisonConfiguration
from countenance.learning.method_comparison import curves_by_row, said_by
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.teacher_features import with_live_teacher
from countenance.learning.teachers.features import TeacherFeatures

CURVES = ("alpha", "teacher_agreement", "centre_agreement")


def narrowed_comparison(parameters: Mapping[str, Any]) -> MethodComparisonConfiguration:
    """The room's own parameters."""
    return narrow(MethodComparisonConfiguration, parameters, where="parameters_method_comparison.yml")


def narrowed_distillation(parameters: Mapping[str, Any]) -> DistillationConfiguration:
    """The distillation room's parameters, which name the student."""
    return narrow(DistillationConfiguration, parameters, where="parameters_distillation.yml")


def looking_teacher(
    features: TeacherFeatures,
    student: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    trained: Any,
) -> TeacherFeatures:
    """What the teacher said, with the teacher itself where it is to look at every crop as it is varied."""
    sees, augmentation = comparison.teacher_sees, student.augmentation
    return with_live_teacher(features, student.teacher, sees, augmentation, trained=trained)


def choosing_accuracy(evaluation: Mapping[str, Any]) -> Callable[[pd.DataFrame, pd.DataFrame], VotedAccuracy]:
    """Scores what a student said of a manifest's people for validation; settings are chosen by it."""
    configuration = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    return lambda manifest, said: voted_accuracy(manifest, said, configuration)


def compare_methods(
    manifest: pd.DataFrame,
    runs: Sequence[Mapping[str, Any]],
    settings: Sequence[Mapping[str, Any]],
    teacher: pd.DataFrame,
    comparison: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """The report: rows with values, gains and intervals, the teacher, contrasts, curves and what each run cost."""
    configuration = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    compared = narrowed_comparison(comparison)
    found = assess_methods(
        with_five_points(manifest),
        list(compared.wanted),
        compared.seeds,
        said=_said(runs, folder),
        teacher=teacher if len(teacher) else None,
        judged=compared.judged_wanted,
        configuration=configuration,
    )
    return {
        "seeds": list(compared.seeds),
        "steps": compared.steps,
        "headline_far": configuration.headline_far,
        "level": configuration.resampling.level,
        "reference": compared.judged.reference,
        "headline": compared.judged.headline,
        "folds": compared.judged.folds,
        **found,
        "curves": {row: _curves(table) for row, table in curves_by_row(runs, folder).items()},
        "settings": None if compared.search is None else {"steps": compared.search.steps, "tried": list(settings)},
        "runs": [{name: value for name, value in run.items() if name != "digest"} for run in runs],
    }


def compare_groups(
    manifest: pd.DataFrame,
    runs: Sequence[Mapping[str, Any]],
    groups: pd.DataFrame,
    comparison: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """Error rates of every row by group beside the reference's, and the verdict on the worst group."""
    compared = narrowed_comparison(comparison)
    return assess_method_groups(
        with_five_points(manifest),
        groups,
        list(compared.wanted),
        compared.seeds,
        said=_said(runs, folder),
        reference=compared.judged.reference,
        headline=compared.judged.headline,
        configuration=narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml"),
        fairness=narrow(FairnessConfiguration, bias, where="parameters_bias.yml"),
    )


def _said(runs: Sequence[Mapping[str, Any]], folder: Path) -> Said:
    return cache(partial(said_by, runs, folder))


def _curves(table: pd.DataFrame) -> dict[str, list[float | None]]:
    """Of a row's curves what tells of the teacher, without NaN."""
    kept = ["step", *(name for name in CURVES if name in table)]
    return {name: [None if pd.isna(value) else float(value) for value in table[name]] for name in kept}
