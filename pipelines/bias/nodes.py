"""Nodes of the bias room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def look_up_groups(
    manifest: pd.DataFrame, protected_attributes: pd.DataFrame, ingestion: dict[str, Any], bias: dict[str, Any]
) -> pd.DataFrame:
    """The groups of every held-out face, joined for this room and the rollout's guards only."""
    from countenance.data.protected_attributes import groups_by_face

    held_out = manifest[(manifest["split"] != "train") & manifest["is_face"]]
    secret = ingestion["subject_secret"].encode()
    return groups_by_face(held_out, protected_attributes, tuple(bias["attributes"]), secret)


def assess_groups(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation_report: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    reference: pd.DataFrame,
    **outputs: pd.DataFrame,
) -> tuple[Any, Any]:
    """Rates, money and gaps by group for every candidate, and each beside the teacher."""
    from countenance.assessment.comparison import assess_all_by_group, bias_numbers
    from countenance.assessment.fairness import FairnessConfiguration
    from countenance.assessment.held_out import AssessmentConfiguration
    from countenance.configuration import narrow
    from countenance.data.manifest import with_five_points

    assessment = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    report = assess_all_by_group(
        with_five_points(manifest), outputs, groups, evaluation_report["models"], assessment, fairness, reference
    )
    return report, bias_numbers(report)


def draw_group_curves(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation_report: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    **outputs: pd.DataFrame,
) -> dict[str, Any]:
    """Error rates and money of every group over all thresholds, for the page's plots."""
    from countenance.assessment.fairness import FairnessConfiguration
    from countenance.assessment.group_curves import assess_group_curves
    from countenance.assessment.held_out import AssessmentConfiguration
    from countenance.configuration import narrow

    assessment = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    return assess_group_curves(manifest, outputs, groups, evaluation_report["models"], assessment, fairness)


def assess_distillation(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    **outputs: pd.DataFrame,
) -> dict[str, Any]:
    """What distillation did to each group, and whether it made the worst one worse."""
    from countenance.assessment.fairness import FairnessConfiguration
    from countenance.assessment.held_out import AssessmentConfiguration
    from countenance.assessment.method_groups import assess_distillation_by_group
    from countenance.configuration import narrow
    from countenance.data.manifest import with_five_points

    assessment = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    return assess_distillation_by_group(with_five_points(manifest), groups, outputs, assessment, fairness)
