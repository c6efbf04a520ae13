"""One model by group: identity at the common threshold in rates and in money, and every attribute task with its gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.assessment.arrays import AnyArray
from countenance.assessment.cost_report import CostReport, cost_report
from countenance.assessment.differential import Differential, error_rates_by_group
from countenance.assessment.groups import GroupSizes, gap_between_groups
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.intervals import Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import (
    RowScores,
    absolute_errors,
    landmark_array,
    landmark_errors,
    right_decisions,
)
from countenance.configuration import Configuration


class WorstGroupLimits(Configuration):
    """By how much distillation may change the worst group's error rates; beyond it, it makes the worst group worse.

    Attributes:
        fnmr_increase: of the FNMR (proportion).
        fmr_ratio: the FMR over that of the student alone.
    """

    fnmr_increase: float = Field(default=0.01, ge=0.0)
    fmr_ratio: float = Field(default=1.25, ge=1.0)


class FairnessConfiguration(Configuration):
    """Which protected attributes are looked at, and how large a group must be.

    ``identity_attribute`` is the one whose groups carry the cost and the bias index; ``attributes`` are those by which
    the attribute tasks are compared; ``distillation`` says what distillation may do to the worst group.
    """

    identity_attribute: str
    attributes: tuple[str, ...]
    sizes: GroupSizes = GroupSizes()
    distillation: WorstGroupLimits = WorstGroupLimits()


@dataclass(frozen=True)
class FairnessAssessment(Result):
    """What was measured of one model by group.

    ``gaps`` are keyed ``<task> by <attribute>``; ``means`` hold the mean of each group behind a gap.
    """

    model: str
    identity_attribute: str
    differential: Differential
    cost: CostReport
    gaps: Mapping[str, Measurement]
    means: Mapping[str, Mapping[str, float]]


def assess_by_group(
    model: str,
    manifest: pd.DataFrame,
    outputs: pd.DataFrame,
    groups: Mapping[str, pd.Series[Any]],
    threshold: float,
    assessment: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> FairnessAssessment:
    """Assess one model by group on the test people.

    Args:
        model: its name in the report.
        manifest: every row, with ``landmarks_5``.
        outputs: what the model says, as in :mod:`countenance.assessment.held_out`.
        groups: for each attribute, the group of every manifest row (null where it is not known), by ``face_id``.
        threshold: the common threshold at which the model decides.
        assessment: prices, limits and resampling.
        fairness: attributes and group sizes.
    """
    rows = join_outputs(manifest, outputs, "test")
    scores = compare(rows, assessment)
    people = group_of_subjects(rows, groups[fairness.identity_attribute])
    sizes, resampling = fairness.sizes, assessment.resampling
    gaps: dict[str, Measurement] = {}
    means: dict[str, dict[str, float]] = {}
    for attribute in fairness.attributes:
        for task, (faces, task_scores) in attribute_scores(rows).items():
            column = faces["face_id"].map(groups[attribute]).to_numpy(dtype=object)
            name = f"{task} by {attribute}"
            gaps[name] = _gap(task, task_scores, column, faces, sizes, resampling)
            means[name] = _means(task_scores, column, _objects(faces, "subject_id"), sizes)
    return FairnessAssessment(
        model=model,
        identity_attribute=fairness.identity_attribute,
        differential=error_rates_by_group(scores, people, threshold, sizes=sizes, resampling=resampling),
        cost=cost_report(scores, people, threshold, assessment.cost, sizes=sizes, resampling=resampling),
        gaps=gaps,
        means=means,
    )


def group_of_subjects(rows: pd.DataFrame, groups: pd.Series[Any]) -> dict[str, str]:
    """The group of every named subject among joined rows; a subject without a known group is left out."""
    named = rows[rows["is_face"] & rows["subject_id"].notna()]
    known = named.assign(group=named["face_id"].map(groups)).dropna(subset=["group"])
    return {str(subject): str(group) for subject, group in known.groupby("subject_id")["group"].first().items()}


def attribute_scores(rows: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, RowScores]]:
    """Scores of each attribute task that the model does, with the faces they belong to."""
    faces = rows[rows["is_face"]]
    scores: dict[str, tuple[pd.DataFrame, RowScores]] = {}
    if faces["said_male_probability"].notna().any():
        said = np.where(faces["said_male_probability"] > 0.5, "male", "female")
        scores["gender"] = (faces, right_decisions(_objects(faces, "gender"), said, ("male", "female")))
    if faces["said_smile_probability"].notna().any():
        smiles = (faces["said_smile_probability"] > 0.5).to_numpy()
        scores["smile"] = (faces, right_decisions(_objects(faces, "smiling"), smiles, (True, False)))
    if faces["said_age_years"].notna().any():
        ages = faces["said_age_years"].to_numpy(dtype=np.float64)
        truth = faces["age_years"].to_numpy(dtype=np.float64)
        scores["age"] = (faces, absolute_errors(truth, ages, unit="years"))
    marked = faces[faces["landmarks_5"].notna() & faces["said_landmarks_5"].notna()]
    if len(marked):
        points = landmark_array(marked["landmarks_5"].tolist(), 5)
        said_points = landmark_array(marked["said_landmarks_5"].tolist(), 5)
        scores["landmarks"] = (marked, landmark_errors(points, said_points))
    return scores


def _gap(
    task: str, scores: RowScores, column: AnyArray, faces: pd.DataFrame, sizes: GroupSizes, resampling: Resampling
) -> Measurement:
    people = _objects(faces, "subject_id")
    ratio = task == "landmarks"
    return gap_between_groups(scores, column, subjects=people, sizes=sizes, resampling=resampling, ratio=ratio)


def _means(scores: RowScores, column: AnyArray, subjects: AnyArray, sizes: GroupSizes) -> dict[str, float]:
    """Mean of each group that is large enough to be shown; an unnamed face counts as a person of its own."""
    people = pd.Series(subjects, dtype="object")
    people = people.where(people.notna(), "face " + people.index.astype(str).to_series(index=people.index))
    frame = pd.DataFrame({"group": column, "person": people.to_numpy(), "value": scores.values}).dropna()
    return {
        str(group): float(rows["value"].mean())
        for group, rows in frame.groupby("group")
        if sizes.status(int(rows["person"].nunique())) != "suppressed"
    }


def _objects(rows: pd.DataFrame, column: str) -> AnyArray:
    return rows[column].to_numpy(dtype=object)
