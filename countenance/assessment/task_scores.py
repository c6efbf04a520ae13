"""How each face fared on each task beside identity, from the manifest's labels and what a model said of its faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from countenance.assessment.arrays import AnyArray, FloatArray
from countenance.assessment.attributes import GENDERS, YES_NO, mean_over_subjects
from countenance.assessment.intervals import Resampling
from countenance.assessment.results import Measurement
from countenance.assessment.row_scores import (
    RowScores,
    absolute_errors,
    landmark_array,
    landmark_errors,
    pose_errors,
    right_decisions,
    yaw_class_decisions,
)


@dataclass(frozen=True, eq=False)
class TaskScores:
    """The scores of one task.

    Attributes:
        scores: one a row, [N]; NaN = not labelled. The mean is the metric.
        subjects: of each row, [N]; null where nobody is named.
    """

    scores: RowScores
    subjects: AnyArray

    def measure(self, resampling: Resampling) -> Measurement:
        """The mean with its interval over subjects; "not labelled" where no row is."""
        return mean_over_subjects(self.scores, self.subjects, resampling=resampling)


def task_scores(rows: pd.DataFrame) -> dict[str, TaskScores]:
    """Score the six tasks beside identity; a task that the model doesn't do is left out.

    Equal rows give equal places: the scores of two models on the same rows can be compared one by one.

    Args:
        rows: as :func:`countenance.assessment.held_out.join_outputs` gives them.
    """
    # Without a row the column may be of any kind.
    faces = rows[rows["is_face"].astype(bool)]
    boxed = rows[rows["box_xywh"].notna()]
    found: dict[str, tuple[pd.DataFrame, RowScores]] = {}
    if _says(rows, "face_probability"):
        says_face = _numbers(boxed, "said_face_probability") > 0.5
        found["face"] = boxed, right_decisions(_objects(boxed, "is_face"), says_face, YES_NO)
    if _says(faces, "landmarks_5"):
        found["landmarks"] = faces, _landmarks(faces)
    if _says(faces, "yaw_deg"):
        found["pose"] = faces, _pose(faces)
    if _says(faces, "male_probability"):
        says_gender = np.where(_numbers(faces, "said_male_probability") > 0.5, "male", "female")
        found["gender"] = faces, right_decisions(_objects(faces, "gender"), says_gender, GENDERS)
    if _says(faces, "smile_probability"):
        says_smile = _numbers(faces, "said_smile_probability") > 0.5
        found["smile"] = faces, right_decisions(_objects(faces, "smiling"), says_smile, YES_NO)
    if _says(faces, "age_years"):
        years, said = _numbers(faces, "age_years"), _numbers(faces, "said_age_years")
        found["age"] = faces, absolute_errors(years, said, unit="years")
    return {task: TaskScores(scores, _objects(of, "subject_id")) for task, (of, scores) in found.items()}


def _says(rows: pd.DataFrame, name: str) -> bool:
    return bool(rows[f"said_{name}"].notna().any())


def _objects(rows: pd.DataFrame, column: str) -> AnyArray:
    return rows[column].to_numpy(dtype=object)


def _numbers(rows: pd.DataFrame, column: str) -> FloatArray:
    return rows[column].to_numpy(dtype=np.float64)


def _landmarks(faces: pd.DataFrame) -> RowScores:
    labels, said = (landmark_array(faces[name].tolist(), 5) for name in ("landmarks_5", "said_landmarks_5"))
    return landmark_errors(labels, said)


def _pose(faces: pd.DataFrame) -> RowScores:
    """The error of the angles; where no angle is labelled but coarse ranges of the yaw are, their classes."""
    angles = ["yaw_deg", "pitch_deg", "roll_deg"]
    labelled = faces[angles].to_numpy(dtype=np.float64)
    ranges = [None if bounds is None else (float(bounds[0]), float(bounds[1])) for bounds in faces["yaw_range"]]
    classes = sorted({bounds for bounds in ranges if bounds is not None})
    if classes and np.isnan(labelled).all():
        return yaw_class_decisions(ranges, _numbers(faces, "said_yaw_deg"), classes)
    return pose_errors(labelled, faces[[f"said_{angle}" for angle in angles]].to_numpy(dtype=np.float64))
