"""One model on people it never saw: every task, face against face, and the threshold it would decide at.

The threshold is chosen on the validation people and judged on the test people; TAR at a FAR is measured on the test
people alone, with the threshold that their own non-mated scores give, as the field does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from countenance.assessment.arrays import FloatArray
from countenance.assessment.attribute_assessment import AttributeConfiguration
from countenance.assessment.attribute_report import AttributeReport, report_attributes
from countenance.assessment.cost import CostModel, cost_optimal_threshold
from countenance.assessment.intervals import Rate, Resampling
from countenance.assessment.pairs import ComparisonPairs, ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.assessment.task_scores import task_scores
from countenance.assessment.threshold_cost import ThresholdCost, threshold_cost
from countenance.assessment.verification import (
    TarAtFar,
    ThresholdAtFar,
    accepted,
    false_match_rate,
    false_non_match_rate,
    measure_tar_at_far,
    tar_at_far,
    threshold_at_far,
)
from countenance.configuration import Configuration
from countenance.errors import AssessmentError

OUTPUT_COLUMNS = (
    "face_id",
    "embedding",
    "face_probability",
    "landmarks_5",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "smile_probability",
    "male_probability",
    "age_years",
)
"""What a model says of each face: ``embedding`` [D] unit norm, ``landmarks_5`` [10] photo pixels, probabilities of a
face, a smile and male, angles in degrees. A model that does not do a task has nulls there."""


class AssessmentConfiguration(Configuration):
    """How a model is assessed.

    ``fars`` are the false accept rates of the TAR table and of the calibrated thresholds; ``headline_far`` is the one
    that the KPI sheet and the gates compare. ``non_mated_limit`` bounds the comparisons that are drawn, and
    ``faces_per_subject`` the faces of one person that are compared: mated comparisons grow with their square, and
    somebody photographed a hundred times would otherwise speak for everybody.
    """

    fars: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    headline_far: float = Field(default=1e-2, gt=0, lt=1)
    non_mated_limit: int = Field(default=1_000_000, ge=1)
    faces_per_subject: int = Field(default=12, ge=2)
    resampling: Resampling = Resampling()
    cost: CostModel
    """What a wrong decision costs; where ``use_cases`` are given, that of the chosen one."""
    use_cases: dict[str, CostModel] = Field(default_factory=dict)
    use_case: str | None = None
    """Which of the ``use_cases`` the models are meant for."""
    operating_far: float | None = Field(default=None, gt=0, lt=1)
    """The false accept rate, on the validation people, at which a model decides; None takes the least expected cost."""
    compatible_with: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Models whose probes are compared with other models' templates: may they be exchanged without enrolling again?"""
    thresholds_of: dict[str, str] = Field(default_factory=dict)
    """Models that are shipped with the threshold of another one, e.g. of the model that they were made from."""

    @model_validator(mode="before")
    @classmethod
    def _choose_use_case(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.get("use_cases"):
            return values
        cases, chosen = values["use_cases"], values.get("use_case")
        if "cost" in values:
            raise ValueError("both 'cost' and 'use_cases' are given: give one of them")
        if chosen not in cases:
            raise ValueError(f"'use_case' is '{chosen}': choose one of {', '.join(cases)}")
        return {**values, "cost": cases[chosen]}


@dataclass(frozen=True)
class OperatingPoint(Result):
    """The common threshold, chosen on the validation people, and its error rates on the test people."""

    threshold: float
    validation_cost: float
    unit: str
    fmr: Rate
    fnmr: Rate


@dataclass(frozen=True)
class HeldOutAssessment(Result):
    """Everything that was measured of one model.

    ``tasks`` are keyed by task, ``by_source`` by source and task (identity apart: people are compared across sources,
    and a source has the tasks that it is labelled for); ``attributes`` is what ``countenance evaluate attributes``
    reports of the test faces; ``tar`` follows the configured FARs; ``calibrated`` are thresholds of the validation
    people, without one where their comparisons are too few for the FAR; ``money`` is what every threshold costs on
    them, and the cheapest one judged on the test people; ``calibrated_by`` is the model whose comparisons chose all of
    these. Templates have a report of their own, :mod:`countenance.assessment.template_report`.
    """

    model: str
    tasks: Mapping[str, Measurement]
    by_source: Mapping[str, Mapping[str, Measurement]]
    attributes: AttributeReport
    tar: tuple[TarAtFar, ...]
    calibrated_by: str
    calibrated: tuple[ThresholdAtFar, ...]
    operating: OperatingPoint
    money: ThresholdCost
    subjects: int
    faces: int


def join_outputs(manifest: pd.DataFrame, outputs: pd.DataFrame, split: str) -> pd.DataFrame:
    """The manifest rows of a split with what a model says of them, under ``said_`` names.

    Raises:
        AssessmentError: a column of the outputs is missing, or a face has no output.
    """
    missing = [column for column in OUTPUT_COLUMNS if column not in outputs.columns]
    if missing:
        raise AssessmentError(f"The model's outputs have no column '{missing[0]}': run the evaluation pipeline again.")
    rows = manifest[manifest["split"] == split]
    renamed = outputs.rename(columns={name: f"said_{name}" for name in OUTPUT_COLUMNS if name != "face_id"})
    joined = rows.merge(renamed, on="face_id", how="left", validate="one_to_one", indicator=True)
    silent = int((joined["_merge"] != "both").sum())
    if silent:
        raise AssessmentError(f"{silent} faces of split '{split}' have no output: run the evaluation pipeline again.")
    return joined.drop(columns="_merge")


def assess(
    model: str,
    manifest: pd.DataFrame,
    outputs: pd.DataFrame,
    configuration: AssessmentConfiguration,
    *,
    calibrated_on: pd.DataFrame | None = None,
    calibrated_by: str | None = None,
) -> HeldOutAssessment:
    """Assess one model on the validation and test rows of a manifest.

    Args:
        model: its name in the report.
        manifest: every row, with ``landmarks_5`` [10] beside the manifest's own columns.
        outputs: :data:`OUTPUT_COLUMNS` of every validation and test row.
        configuration: rates, prices and resampling.
        calibrated_on: outputs that the thresholds are chosen on; None takes the model's own.
        calibrated_by: the model that they are of; None: this one.

    Raises:
        AssessmentError: outputs are missing, or a split has no mated or no non-mated comparison.
    """
    test = join_outputs(manifest, outputs, "test")
    chosen_on = outputs if calibrated_on is None else calibrated_on
    calibration = compare(join_outputs(manifest, chosen_on, "validation"), configuration)
    scores = compare(test, configuration)
    headline = measure_tar_at_far(scores, configuration.headline_far, configuration.resampling)
    named = test[test["is_face"] & test["subject_id"].notna()]
    return HeldOutAssessment(
        model=model,
        tasks={**attribute_tasks(test, configuration.resampling), "identity": headline},
        by_source=tasks_by_source(test, configuration.resampling),
        attributes=_attributes(model, manifest, outputs, configuration),
        tar=tar_at_far(scores.mated, scores.non_mated, configuration.fars),
        calibrated_by=calibrated_by or model,
        calibrated=tuple(threshold_at_far(calibration.non_mated, far) for far in configuration.fars),
        operating=operating_point(calibration, scores, configuration.cost, configuration.operating_far),
        money=threshold_cost(calibration, scores, configuration.cost, configuration.resampling),
        subjects=int(named["subject_id"].nunique()),
        faces=int(test["is_face"].sum()),
    )


def _attributes(
    model: str, manifest: pd.DataFrame, outputs: pd.DataFrame, configuration: AssessmentConfiguration
) -> AttributeReport:
    """The test faces' attributes as the field reports them."""
    labels = manifest[manifest["split"] == "test"]
    return report_attributes(
        outputs[outputs["face_id"].isin(labels["face_id"])],
        labels,
        model=model,
        protocol="manifest, test",
        configuration=AttributeConfiguration(resampling=configuration.resampling),
    )


def compare(rows: pd.DataFrame, configuration: AssessmentConfiguration) -> ComparisonScores:
    """Compare named faces with one another; the same comparisons for every model on the same rows.

    Args:
        rows: as :func:`join_outputs` gives them.
        configuration: limit and seed.
    """
    named = compared_faces(rows, configuration)
    pairs = ComparisonPairs.enumerate(
        named["subject_id"].to_numpy(),
        limit=configuration.non_mated_limit,
        generator=configuration.resampling.generator(),
    )
    return pairs.score(embeddings_of(named))


def compared_faces(rows: pd.DataFrame, configuration: AssessmentConfiguration) -> pd.DataFrame:
    """The named faces that are compared with one another: at most so many of each person.

    Raises:
        AssessmentError: there are none.
    """
    named = rows[rows["is_face"] & rows["subject_id"].notna()]
    if named.empty:
        raise AssessmentError("No face of this split has a subject: identity cannot be assessed on it.")
    # Face ids are hashes, so their order is as good as chance and the same for every model.
    turn = named.sort_values("face_id").groupby("subject_id").cumcount()
    return named[turn.reindex(named.index) < configuration.faces_per_subject]


def embeddings_of(rows: pd.DataFrame) -> FloatArray:
    """[N, D] float32 unit embeddings of joined rows.

    Raises:
        AssessmentError: the model has no embedding for some of them.
    """
    silent = int(rows["said_embedding"].isna().sum())
    if silent:
        raise AssessmentError(
            f"{silent} named faces have no embedding: a face needs landmarks, and so an aligned crop, to be compared."
        )
    return np.stack([np.asarray(value, dtype=np.float32) for value in rows["said_embedding"]])


def operating_point(
    calibration: ComparisonScores, test: ComparisonScores, cost: CostModel, far: float | None = None
) -> OperatingPoint:
    """Choose a threshold on ``calibration`` and measure its error rates on ``test``.

    Args:
        calibration: comparisons of the validation people.
        test: comparisons of the test people.
        cost: prices.
        far: decide at this false accept rate; None decides at the threshold of least expected cost.

    Raises:
        AssessmentError: there are too few comparisons to measure ``far``.
    """
    threshold = cost_optimal_threshold(calibration.mated, calibration.non_mated, cost).threshold
    if far is not None:
        calibrated = threshold_at_far(calibration.non_mated, far)
        if calibrated.threshold is None:
            raise AssessmentError(
                f"A false accept rate of {far:g} is not measurable on {calibrated.non_mated} comparisons of the "
                "validation people: raise 'operating_far' or the validation split."
            )
        threshold = calibrated.threshold
    missed = float((~accepted(calibration.mated, threshold)).mean())
    let_in = float(accepted(calibration.non_mated, threshold).mean())
    return OperatingPoint(
        threshold=threshold,
        validation_cost=float(cost.expected_cost(np.array([let_in]), np.array([missed]))[0]),
        unit=cost.unit,
        fmr=false_match_rate(test, threshold),
        fnmr=false_non_match_rate(test, threshold),
    )


def attribute_tasks(rows: pd.DataFrame, resampling: Resampling) -> dict[str, Measurement]:
    """Measure the six tasks beside identity on joined rows.

    A task without labels reads "not labelled"; a task that the model does not do is left out.
    """
    return {task: scored.measure(resampling) for task, scored in task_scores(rows).items()}


def tasks_by_source(rows: pd.DataFrame, resampling: Resampling) -> dict[str, dict[str, Measurement]]:
    """:func:`attribute_tasks` for each source's rows alone, with the tasks that the source is labelled for."""
    measured = {str(source): attribute_tasks(own, resampling) for source, own in rows.groupby("source", sort=True)}
    return {
        source: {task: found for task, found in tasks.items() if found.value is not None}
        for source, tasks in measured.items()
    }


def measured_of(assessments: Mapping[str, Any], model: str) -> dict[str, Measurement]:
    """The task measurements of a model, read back from a report's JSON."""
    return {task: Measurement.from_dict(values) for task, values in assessments[model]["tasks"].items()}
