"""Every attribute that a table of labels allows to be measured, in one report: what ``evaluate attributes`` prints.

A face without a label is not in that metric; a metric without a labelled face, or that the model says nothing of, has
no value and a note that says so. Figures of different landmark schemes, or over different lengths, stay apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.assessment.apparent_age import UNIT as EPSILON_ERROR
from countenance.assessment.apparent_age import apparent_age_errors
from countenance.assessment.arrays import AnyArray, BoolArray, is_null
from countenance.assessment.attribute_tables import joined_by_face, lists, not_predicted, numbers, objects, says
from countenance.assessment.attributes import GENDERS, YES_NO, face_average_precision, mean_over_subjects
from countenance.assessment.intervals import Resampling
from countenance.assessment.landmark_assessment import LandmarkConfiguration, assess_landmarks
from countenance.assessment.pose_angles import ANGLES, measure_pose
from countenance.assessment.results import plain
from countenance.assessment.row_scores import RowScores, absolute_errors, right_decisions, yaw_class_decisions
from countenance.errors import AssessmentError

LABELS: Final = (
    "gender",
    "smiling",
    "age_years",
    "age_std",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "yaw_range",
    "landmarks",
    "box_xywh",
)
"""The columns of labels that a face's attributes are measured by."""


class AttributeConfiguration(LandmarkConfiguration):
    """How attributes are measured.

    ``leave_out_beyond_deg`` leaves faces with a larger labelled angle out of the pose (99 on AFLW2000-3D);
    ``unanswered_count_as_one`` gives a labelled face without an age the ε-error 1, as the ChaLearn challenge does, and
    leaves it out of the mean absolute error, where it is refused otherwise.
    """

    leave_out_beyond_deg: float | None = Field(default=None, gt=0)
    unanswered_count_as_one: bool = False


DEFAULT_CONFIGURATION: Final = AttributeConfiguration()


def assess_attributes(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    configuration: AttributeConfiguration = DEFAULT_CONFIGURATION,
) -> dict[str, Any]:
    """Measure every attribute that the labels allow.

    Args:
        predictions: one row a face: ``face_id`` and any of ``landmarks_5`` [10] (or ``landmarks`` in the labels'
            scheme), ``yaw_deg``, ``pitch_deg``, ``roll_deg``, ``male_probability``, ``smile_probability``,
            ``face_probability``, ``age_years``.
        labels: the same faces in any order: ``face_id`` and any of the manifest's columns ``subject_id``, ``is_face``,
            ``gender``, ``smiling``, ``age_years``, ``age_std``, ``yaw_deg``, ``pitch_deg``, ``roll_deg``,
            ``yaw_range``, ``landmarks`` with ``landmark_scheme`` and ``visibility``, ``box_xywh``.
        configuration: resampling, cut-offs and bands.

    Returns:
        Types that JSON can carry: ``faces``, ``subjects`` and, by task, measurements (value, interval, count, unit,
        note): ``gender``, ``smile``, ``age``, ``pose``, ``landmarks`` (by number of points, then by what errors are
        divided by) and, where the labels say what is a face, ``face`` (of those with a box).

    Raises:
        AssessmentError: the tables are not about the same faces, or a labelled face has no prediction while others
            have; one sentence with the row.
    """
    rows = joined_by_face(predictions, labels)
    subjects, resampling = objects(rows, "subject_id"), configuration.resampling
    is_face = _is_face(rows)
    faces = _without_labels(rows, ~is_face)
    measured = {
        "faces": int(is_face.sum()),
        "subjects": int(pd.Series(subjects[is_face]).nunique()),
        "gender": _task("gender", lambda: _gender(faces, subjects, resampling)),
        "smile": _task("smile", lambda: _smile(faces, subjects, resampling)),
        "age": _task("age", lambda: _age(faces, subjects, configuration)),
        "pose": _task("pose", lambda: _pose(faces, subjects, configuration)),
        "landmarks": _task("landmarks", lambda: assess_landmarks(faces, subjects, configuration)),
    }
    if "is_face" in rows.columns:
        measured["face"] = _task("face", lambda: _face(rows, subjects, resampling))
    report: dict[str, Any] = plain(measured)
    return report


def _task(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return measure()
    except AssessmentError as error:
        text = str(error)
        raise AssessmentError(f"The task '{name}' can't be measured: {text[:1].lower()}{text[1:]}") from error


def _is_face(rows: pd.DataFrame) -> BoolArray:
    """Rows that aren't labelled as no face, [N]."""
    labels = objects(rows, "is_face")
    labels[is_null(labels)] = True
    return labels.astype(np.bool_)


def _without_labels(rows: pd.DataFrame, left_out: BoolArray) -> pd.DataFrame:
    """The same rows in the same places, so that an error names the right one, with nulls where ``left_out``."""
    if not left_out.any():
        return rows
    kept = pd.Series(~left_out, index=rows.index)
    return rows.assign(**{name: rows[name].where(kept) for name in LABELS if name in rows.columns})


def _decided(rows: pd.DataFrame, column: str, yes: object, no: object) -> AnyArray:
    """A probability as a decision, [N] objects; None where the model says nothing."""
    probability = numbers(rows, f"said_{column}")
    decision = np.full(len(rows), None, dtype=object)
    decision[probability > 0.5] = yes
    decision[probability <= 0.5] = no
    return decision


def _gender(rows: pd.DataFrame, subjects: AnyArray, resampling: Resampling) -> dict[str, Any]:
    if not says(rows, "male_probability"):
        return {"accuracy": not_predicted("proportion", higher_is_better=True)}
    scores = right_decisions(objects(rows, "gender"), _decided(rows, "male_probability", *GENDERS), GENDERS)
    return {"accuracy": mean_over_subjects(scores, subjects, resampling=resampling)}


def _smile(rows: pd.DataFrame, subjects: AnyArray, resampling: Resampling) -> dict[str, Any]:
    if not says(rows, "smile_probability"):
        return {"accuracy": not_predicted("proportion", higher_is_better=True)}
    scores = right_decisions(objects(rows, "smiling"), _decided(rows, "smile_probability", *YES_NO), YES_NO)
    return {"accuracy": mean_over_subjects(scores, subjects, resampling=resampling)}


def _face(rows: pd.DataFrame, subjects: AnyArray, resampling: Resampling) -> dict[str, Any]:
    if not says(rows, "face_probability"):
        return {
            "accuracy": not_predicted("proportion", higher_is_better=True),
            "average_precision": not_predicted("average precision", higher_is_better=True),
        }
    labels = objects(rows, "is_face")
    if "box_xywh" in rows.columns:
        # A face that is only known by its landmarks has no box to be judged in.
        labels[is_null(objects(rows, "box_xywh"))] = None
    scores = right_decisions(labels, _decided(rows, "face_probability", *YES_NO), YES_NO)
    return {
        "accuracy": mean_over_subjects(scores, subjects, resampling=resampling),
        "average_precision": face_average_precision(
            labels, numbers(rows, "said_face_probability"), subjects=subjects, resampling=resampling
        ),
    }


def _age(rows: pd.DataFrame, subjects: AnyArray, configuration: AttributeConfiguration) -> dict[str, Any]:
    if not says(rows, "age_years"):
        return {
            "mean_absolute_error": not_predicted("years", higher_is_better=False),
            "epsilon_error": not_predicted(EPSILON_ERROR, higher_is_better=False),
        }
    labels, said = numbers(rows, "age_years"), numbers(rows, "said_age_years")
    unanswered = configuration.unanswered_count_as_one
    if unanswered:
        # The mean absolute error has no word for them.
        years = absolute_errors(np.where(np.isnan(said), np.nan, labels), said, unit="years")
    else:
        years = absolute_errors(labels, said, unit="years")
    apparent = apparent_age_errors(labels, numbers(rows, "age_std"), said, unanswered_count_as_one=unanswered)
    return {
        "mean_absolute_error": mean_over_subjects(years, subjects, resampling=configuration.resampling),
        "epsilon_error": mean_over_subjects(apparent, subjects, resampling=configuration.resampling),
    }


def _pose(rows: pd.DataFrame, subjects: AnyArray, configuration: AttributeConfiguration) -> dict[str, Any]:
    columns = [f"{angle}_deg" for angle in ANGLES]
    # An angle that the model never says is not measured; one that it says of some faces only is refused.
    unsaid = np.array([not says(rows, column) for column in columns])
    labels = np.stack([numbers(rows, column) for column in columns], axis=1)
    said = np.stack([numbers(rows, f"said_{column}") for column in columns], axis=1)
    errors = measure_pose(
        np.where(unsaid, np.nan, labels),
        said,
        leave_out_beyond_deg=configuration.leave_out_beyond_deg,
        subjects=subjects,
        resampling=configuration.resampling,
    )
    measured = errors.to_dict()
    for angle in np.array(ANGLES)[unsaid]:
        measured[str(angle)] = measured["mean"] = not_predicted("degrees", higher_is_better=False)
    measured["yaw_class"] = mean_over_subjects(_yaw_classes(rows), subjects, resampling=configuration.resampling)
    if unsaid[0]:
        measured["yaw_within"] = measured["yaw_class"] = not_predicted("proportion", higher_is_better=True)
    return measured


def _yaw_classes(rows: pd.DataFrame) -> RowScores:
    """Whether the yaw falls nearest to the labelled coarse range, of all ranges that are labelled."""
    bounds, said = lists(rows, "yaw_range", 2), numbers(rows, "said_yaw_deg")
    if np.isnan(said).all():
        bounds[:] = np.nan
    ranges = [None if np.isnan(pair).any() else (float(pair[0]), float(pair[1])) for pair in bounds]
    return yaw_class_decisions(ranges, said, sorted({pair for pair in ranges if pair is not None}))
