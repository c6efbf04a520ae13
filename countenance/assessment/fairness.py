"""One model by group: identity at the common threshold in rates and in money, and every attribute task with its gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from countenance.assessment.adjusted_gaps import AdjustedGap, adjusted_gap
from countenance.assessment.arrays import AnyArray, FloatArray
from countenance.assessment.bias_report import tasks_of_groups
from countenance.assessment.cost_report import CostReport
from countenance.assessment.differential import Differential, differential_of
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts
from countenance.assessment.group_optimum import GroupOptimum, cost_optimal_common_threshold
from countenance.assessment.groups import GroupedMeasurements, GroupSizes, cross_groups, gap_between_groups
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.identity_by_group import GroupCells, cost_by_group, crossed_people, group_cells, high_scores
from countenance.assessment.intervals import Resampling
from countenance.assessment.paired_groups import PairedGroups, pair_groups
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
    the attribute tasks are compared; ``crossed`` names pairs of them whose cells are looked at, too; ``distillation``
    says what distillation may do to the worst group; ``transactions`` are the identity groups' shares of the
    transactions, for the threshold that costs least (without them, their shares of the people).
    """

    identity_attribute: str
    attributes: tuple[str, ...]
    crossed: tuple[tuple[str, str], ...] = ()
    transactions: dict[str, float] | None = None
    sizes: GroupSizes = GroupSizes()
    distillation: WorstGroupLimits = WorstGroupLimits()

    @model_validator(mode="after")
    def _crosses_what_is_looked_up(self) -> FairnessConfiguration:
        known = {self.identity_attribute, *self.attributes}
        unknown = sorted({name for pair in self.crossed for name in pair} - known)
        if unknown:
            raise ValueError(
                f"'crossed' names '{unknown[0]}', which isn't among the attributes: {', '.join(sorted(known))}"
            )
        return self


@dataclass(frozen=True)
class FairnessAssessment(Result):
    """What was measured of one model by group.

    ``gaps`` are keyed ``<task> by <attribute>``, raw; ``adjusted`` are the same with head pose and face size held
    equal; ``tasks`` hold the measurement of each group behind a gap, ``means`` its value alone; ``cells`` are identity
    errors by each attribute and by two crossed (``<one> x <other>``); ``optimum`` is the cheapest common threshold on
    the validation people under the cap for each group, None where too few of them are in a group; ``beside_teacher``
    compares with the teacher, None where it wasn't handed in.
    """

    model: str
    identity_attribute: str
    differential: Differential
    cost: CostReport
    gaps: Mapping[str, Measurement]
    means: Mapping[str, Mapping[str, float]]
    adjusted: Mapping[str, AdjustedGap] = field(default_factory=dict)
    tasks: Mapping[str, GroupedMeasurements] = field(default_factory=dict)
    cells: Mapping[str, GroupCells] = field(default_factory=dict)
    optimum: GroupOptimum | None = None
    beside_teacher: PairedGroups | None = None


@dataclass(frozen=True)
class Reference:
    """What a model is compared with by group: another one's outputs and the threshold at which that one decides."""

    name: str
    outputs: pd.DataFrame
    threshold: float


def assess_by_group(
    model: str,
    manifest: pd.DataFrame,
    outputs: pd.DataFrame,
    groups: Mapping[str, pd.Series[Any]],
    threshold: float,
    assessment: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    teacher: Reference | None = None,
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
        teacher: what the model is compared with, or None.
    """
    rows = join_outputs(manifest, outputs, "test")
    sizes, resampling, attribute = fairness.sizes, assessment.resampling, fairness.identity_attribute
    people = {name: group_of_subjects(rows, column) for name, column in groups.items()}
    high = high_scores(rows, threshold, assessment)
    counts = ExhaustiveErrorCounts(high, people[attribute], threshold, sizes)
    tasks = _tasks_by_group(rows, groups, fairness, resampling)
    return FairnessAssessment(
        model=model,
        identity_attribute=attribute,
        differential=differential_of(counts, sizes=sizes, resampling=resampling),
        cost=cost_by_group(counts, assessment.cost, sizes=sizes, resampling=resampling),
        gaps=tasks.gaps,
        means=tasks.means,
        adjusted=tasks.adjusted,
        tasks=tasks.measured,
        cells={
            name: group_cells(high, cell, threshold, sizes=sizes, resampling=resampling)
            for name, cell in _cells(people, fairness).items()
            if cell
        },
        optimum=_optimum(manifest, outputs, groups[attribute], assessment, fairness),
        beside_teacher=None if teacher is None else _beside(counts, manifest, people, teacher, assessment, fairness),
    )


def _cells(people: Mapping[str, Mapping[str, str]], fairness: FairnessConfiguration) -> dict[str, Mapping[str, str]]:
    names = dict.fromkeys((fairness.identity_attribute, *fairness.attributes))
    single: dict[str, Mapping[str, str]] = {name: people[name] for name in names}
    return single | {f"{one} x {other}": crossed_people(people[one], people[other]) for one, other in fairness.crossed}


def _beside(
    counts: ExhaustiveErrorCounts,
    manifest: pd.DataFrame,
    people: Mapping[str, Mapping[str, str]],
    teacher: Reference,
    assessment: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> PairedGroups:
    theirs = ExhaustiveErrorCounts(
        high_scores(join_outputs(manifest, teacher.outputs, "test"), teacher.threshold, assessment),
        people[fairness.identity_attribute],
        teacher.threshold,
        fairness.sizes,
    )
    return pair_groups(counts, theirs, teacher.name, assessment.cost, assessment.resampling)


def _optimum(
    manifest: pd.DataFrame,
    outputs: pd.DataFrame,
    groups: pd.Series[Any],
    assessment: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> GroupOptimum | None:
    rows = join_outputs(manifest, outputs, "validation")
    people = group_of_subjects(rows, groups)
    members = pd.Series(people, dtype=object).value_counts()
    if not (members >= fairness.sizes.minimum).any():
        return None
    return cost_optimal_common_threshold(
        compare(rows, assessment),
        people,
        assessment.cost,
        weights=fairness.transactions,
        sizes=fairness.sizes,
        level=assessment.resampling.level,
    )


@dataclass(frozen=True)
class _TasksByGroup:
    """Attribute tasks, by ``<task> by <attribute>``."""

    gaps: dict[str, Measurement]
    means: dict[str, dict[str, float]]
    adjusted: dict[str, AdjustedGap]
    measured: dict[str, GroupedMeasurements]


def _tasks_by_group(
    rows: pd.DataFrame,
    groups: Mapping[str, pd.Series[Any]],
    fairness: FairnessConfiguration,
    resampling: Resampling,
) -> _TasksByGroup:
    found, sizes = _TasksByGroup({}, {}, {}, {}), fairness.sizes
    attributes = [*((name,) for name in fairness.attributes), *fairness.crossed]
    for attribute in attributes:
        for task, (faces, scores) in attribute_scores(rows).items():
            column, name = _column(faces, groups, attribute)
            people, key = _objects(faces, "subject_id"), f"{task} by {name}"
            ratio = task == "landmarks"
            found.gaps[key] = gap_between_groups(
                scores, column, subjects=people, sizes=sizes, resampling=resampling, ratio=ratio
            )
            covariates = photo_covariates(faces)
            if covariates:
                found.adjusted[key] = adjusted_gap(
                    scores, column, covariates, subjects=people, sizes=sizes, resampling=resampling, ratio=ratio
                )
            found.measured[key] = tasks_of_groups(scores, column, people, sizes, resampling)
            found.means[key] = {
                item.group: item.measurement.value
                for item in found.measured[key].groups
                if item.measurement is not None and item.measurement.value is not None
            }
    return found


def _column(
    faces: pd.DataFrame, groups: Mapping[str, pd.Series[Any]], attributes: Sequence[str]
) -> tuple[AnyArray, str]:
    """The group of each face by one attribute or several, and what that is called."""
    columns = [faces["face_id"].map(groups[name]).to_numpy(dtype=object) for name in attributes]
    return (columns[0] if len(columns) == 1 else cross_groups(*columns)), " x ".join(attributes)


def photo_covariates(faces: pd.DataFrame) -> dict[str, FloatArray]:
    """What photos differ in apart from who is on them: how far the head is turned, and how large the face is.

    The turn is |yaw| in degrees, as labelled, else as the model says; the size is the logarithm of the box's side in
    pixels. One that no face has is left out.
    """
    said = faces["said_yaw_deg"].to_numpy(dtype=np.float64, na_value=np.nan)
    yaw = faces["yaw_deg"].to_numpy(dtype=np.float64, na_value=np.nan)
    sides = [
        np.nan if box is None or len(box) != 4 else 0.5 * (np.log(box[2]) + np.log(box[3]))
        for box in (None if np.ndim(item) == 0 else item for item in faces["box_xywh"])
    ]
    found = {"head pose": np.abs(np.where(np.isnan(yaw), said, yaw)), "face size": np.asarray(sides, dtype=np.float64)}
    return {name: values for name, values in found.items() if not np.isnan(values).all()}


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


def _objects(rows: pd.DataFrame, column: str) -> AnyArray:
    return rows[column].to_numpy(dtype=object)
