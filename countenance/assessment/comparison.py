"""Several models side by side: the same people, the same comparisons, the same resamples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from countenance.assessment.compatibility import assess_compatibility, compatibility_numbers
from countenance.assessment.fairness import FairnessConfiguration, Reference, assess_by_group
from countenance.assessment.held_out import AssessmentConfiguration, assess, compare, join_outputs
from countenance.assessment.non_inferiority import paired_tar_difference
from countenance.errors import AssessmentError
from countenance.progress import track

DISTILLED = "student_distilled"
ALONE = "student_alone"
TEACHER = "teacher"


def assess_all(
    manifest: pd.DataFrame, outputs: Mapping[str, pd.DataFrame], configuration: AssessmentConfiguration
) -> dict[str, Any]:
    """Assess every model, and what distillation gained over the same student trained alone.

    Args:
        manifest: every row, with ``landmarks_5``.
        outputs: by model.
        configuration: rates, prices and resampling.

    A model whose outputs are empty was never trained, and is left out.

    Returns:
        ``models`` (an assessment each), ``distillation_gain`` (paired difference of TAR at the headline FAR; None
        without both students), ``compatibility`` (a :class:`~countenance.assessment.compatibility.Compatibility` for
        each configured pair of trained models) and the ``headline_far``.
    """
    unknown = {*configuration.thresholds_of, *configuration.thresholds_of.values()} - set(outputs)
    if unknown:
        raise AssessmentError(f"'thresholds_of' in parameters_evaluation.yml names '{min(unknown)}': that's no model.")
    trained = {model: said for model, said in outputs.items() if len(said)}
    # A model that was never trained has no thresholds to lend.
    lenders = {model: lender for model, lender in configuration.thresholds_of.items() if lender in trained}
    models = {
        model: assess(
            model,
            manifest,
            said,
            configuration,
            calibrated_on=trained[lenders.get(model, model)],
            calibrated_by=lenders.get(model, model),
        ).to_dict()
        for model, said in track(trained.items(), what="Assessing models", total=len(trained), unit="model")
    }
    gain = _distillation_gain(manifest, trained, configuration)
    return {
        "headline_far": configuration.headline_far,
        "models": models,
        "distillation_gain": gain,
        "compatibility": assess_compatibility(manifest, outputs, configuration),
    }


def _distillation_gain(
    manifest: pd.DataFrame, trained: Mapping[str, pd.DataFrame], configuration: AssessmentConfiguration
) -> dict[str, Any] | None:
    if not {DISTILLED, ALONE} <= set(trained):
        return None
    scores = {
        model: compare(join_outputs(manifest, trained[model], "test"), configuration) for model in (DISTILLED, ALONE)
    }
    gain = paired_tar_difference(scores[DISTILLED], scores[ALONE], configuration.headline_far, configuration.resampling)
    return gain.to_dict()


def assess_all_by_group(
    manifest: pd.DataFrame,
    outputs: Mapping[str, pd.DataFrame],
    groups: pd.DataFrame,
    assessments: Mapping[str, Any],
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    teacher: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Assess every model by group at its own operating threshold, which is common to all groups.

    Args:
        manifest: every row, with ``landmarks_5``.
        outputs: by model.
        groups: ``face_id`` and one column an attribute.
        assessments: ``models`` of :func:`assess_all`, which hold the thresholds.
        configuration: prices and resampling.
        fairness: attributes and sizes.
        teacher: outputs of the model that every other is compared with by group; None, or empty, compares with none.
    """
    attributes = {fairness.identity_attribute, *fairness.attributes}
    unknown = attributes - set(groups.columns)
    if unknown:
        raise AssessmentError(
            f"Attribute '{min(unknown)}' has no groups: name it under 'attributes' in parameters_bias.yml."
        )
    beside = None
    if teacher is not None and len(teacher):
        beside = Reference(TEACHER, teacher, assessments[TEACHER]["operating"]["threshold"])
    by_face = {attribute: groups.set_index("face_id")[attribute] for attribute in attributes}
    return {
        model: assess_by_group(
            model,
            manifest,
            said,
            by_face,
            assessments[model]["operating"]["threshold"],
            configuration,
            fairness,
            beside,
        ).to_dict()
        for model, said in track(outputs.items(), what="Assessing groups", total=len(outputs), unit="model")
    }


def headline_numbers(report: Mapping[str, Any], templates: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that are compared from run to run; unlabelled tasks and what wasn't measurable are left out.

    Args:
        report: of :func:`assess_all`.
        templates: ``models``, a :class:`~countenance.assessment.template_report.TemplateReport` dict each.
    """
    numbers: dict[str, Any] = {
        model: {task: values["value"] for task, values in assessment["tasks"].items() if values["value"] is not None}
        for model, assessment in report["models"].items()
    }
    for model, assessment in report["models"].items():
        for source, tasks in assessment["by_source"].items():
            found = {task: values["value"] for task, values in tasks.items() if values["value"] is not None}
            numbers[model] |= {f"{source}.{task}": value for task, value in found.items()}
    for model, found in templates["models"].items():
        numbers[model] |= template_numbers(found, report["headline_far"])
    gain = report["distillation_gain"]
    if gain is not None:
        names = ("difference", "low", "high")
        numbers["distillation_gain"] = {name: gain[name] for name in names if gain[name] is not None}
    across = compatibility_numbers(report["compatibility"])
    return numbers | ({"compatibility": across} if across else {})


def bias_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a bias report that are compared from run to run."""
    return {
        model: {
            name: value
            for name, value in {
                "cost": assessment["cost"]["overall"]["value"],
                "bias_index": assessment["cost"]["bias_index"]["value"],
                "fmr_disparity": assessment["differential"]["fmr_disparity"]["value"],
                "fnmr_disparity": assessment["differential"]["fnmr_disparity"]["value"],
            }.items()
            if value is not None
        }
        for model, assessment in report.items()
    }


def tar_table(report: Mapping[str, Any], templates: Mapping[str, Any]) -> pd.DataFrame:
    """One row a model, protocol and FAR: ``model``, ``protocol``, ``far``, ``tar`` (null where not measurable).

    Args:
        report: of :func:`assess_all`.
        templates: ``models``, a :class:`~countenance.assessment.template_report.TemplateReport` dict each.
    """
    faces = [
        (model, "face to face", entry["at"]["far"], entry["tar"])
        for model, assessment in report["models"].items()
        for entry in assessment["tar"]
    ]
    of_templates = [
        (model, "template to template", entry["far"], entry["tar"])
        for model, found in templates["models"].items()
        for entry in found["verification"]
    ]
    return pd.DataFrame([*faces, *of_templates], columns=["model", "protocol", "far", "tar"])


def template_numbers(report: Mapping[str, Any], headline_far: float) -> dict[str, float]:
    """TAR at the headline FAR and the rate at rank 1 of a template report; what wasn't measured is left out.

    Raises:
        AssessmentError: the report was not made at the headline FAR.
    """
    at_headline = [entry["tar"] for entry in report["verification"] if entry["far"] == headline_far]
    if not at_headline:
        raise AssessmentError(
            f"Templates were not measured at the headline FAR of {headline_far:g}: run the evaluation pipeline again."
        )
    ranks = (report["identification"] or {"ranks": []})["ranks"]
    rank_1 = [entry["rate"] for entry in ranks if entry["rank"] == 1]
    numbers = {"template_tar": at_headline[0], "template_rank_1": rank_1[0] if rank_1 else None}
    return {name: value for name, value in numbers.items() if value is not None}
