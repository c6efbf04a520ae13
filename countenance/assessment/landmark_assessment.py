"""Landmarks of two joined tables measured: by scheme, by what errors are divided by, by yaw, and as a curve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countenance.assessment.arrays import AnyArray, FloatArray
from countenance.assessment.attribute_tables import lists, not_predicted, numbers, says, schemes_of
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.intervals import Resampling
from countenance.assessment.landmark_curves import (
    CUT_OFFS,
    YAW_BANDS_DEG,
    area_under_error_curve,
    cumulative_error_curve,
    errors_by_yaw_band,
    failure_rate,
)
from countenance.assessment.landmark_scales import (
    INTER_OCULAR,
    UNITS,
    LandmarkScale,
    five_of_landmarks,
    normalised_landmark_errors,
)
from countenance.assessment.row_scores import RowScores
from countenance.configuration import Configuration


class LandmarkConfiguration(Configuration):
    """How landmarks are measured; ``cut_offs`` are of the cumulative curve, in the unit of the errors."""

    resampling: Resampling = Resampling()
    cut_offs: tuple[float, ...] = CUT_OFFS
    yaw_bands_deg: tuple[tuple[float, float], ...] = YAW_BANDS_DEG


def assess_landmarks(rows: pd.DataFrame, subjects: AnyArray, configuration: LandmarkConfiguration) -> dict[str, Any]:
    """Measure landmarks: in the labels' own scheme where the model says it, and the five points of every scheme.

    Args:
        rows: as :func:`countenance.assessment.attribute_tables.joined_by_face` gives them.
        subjects: of each row, [N]; null where nobody is named.
        configuration: resampling, cut-offs and bands.

    Returns:
        By number of points ("5", "21", "68"), then by what the errors are divided by: ``error``, ``by_yaw``, ``curve``
        (None where nothing is labelled) and ``cut_offs``.
    """
    schemes, present = schemes_of(rows)
    if not (says(rows, "landmarks") or says(rows, "landmarks_5")):
        scale = INTER_OCULAR[5]
        return {"5": {scale: {"error": not_predicted(UNITS[scale], higher_is_better=False)}}}
    report: dict[str, Any] = {}
    five, five_seen = np.full((len(rows), 5, 2), np.nan), np.full((len(rows), 5), np.nan)
    for scheme in present:
        count, of_scheme = int(scheme), schemes == scheme
        truth = lists(rows, "landmarks", 2 * count, where=of_scheme).reshape(-1, count, 2)
        seen = lists(rows, "visibility", count, where=of_scheme)
        if says(rows, "landmarks"):
            said = lists(rows, "said_landmarks", 2 * count, where=of_scheme).reshape(-1, count, 2)
            report[scheme] = _scales(rows, truth, said, seen, subjects, configuration)
        reduced, reduced_seen = five_of_landmarks(truth, seen)
        five[of_scheme], five_seen[of_scheme] = reduced[of_scheme], reduced_seen[of_scheme]
    if says(rows, "landmarks_5") or not report:
        said = lists(rows, "said_landmarks_5", 10).reshape(-1, 5, 2)
        report["5"] = _scales(rows, five, said, five_seen, subjects, configuration)
    return report


def _scales(
    rows: pd.DataFrame,
    truth: FloatArray,
    said: FloatArray,
    seen: FloatArray,
    subjects: AnyArray,
    configuration: LandmarkConfiguration,
) -> dict[str, Any]:
    """By what the errors are divided by: the distance of the eyes, the box, and what all 68 points span."""
    scales: list[LandmarkScale] = [INTER_OCULAR[truth.shape[1]], "box_size"]
    if truth.shape[1] == 68:
        scales.append("landmark_extent")
    boxes, yaw = lists(rows, "box_xywh", 4), numbers(rows, "yaw_deg")
    return {
        scale: _measured_landmarks(
            normalised_landmark_errors(truth, said, scale, boxes_xywh=boxes, visibility=seen),
            yaw,
            subjects,
            configuration,
        )
        for scale in scales
    }


def _measured_landmarks(
    scores: RowScores, yaw: FloatArray, subjects: AnyArray, configuration: LandmarkConfiguration
) -> dict[str, Any]:
    resampling = configuration.resampling
    by_yaw = errors_by_yaw_band(
        scores, yaw, bands_deg=configuration.yaw_bands_deg, subjects=subjects, resampling=resampling
    )
    return {
        "error": mean_over_subjects(scores, subjects, resampling=resampling),
        "by_yaw": by_yaw,
        "curve": cumulative_error_curve(scores),
        "cut_offs": [
            {
                "cut_off": cut_off,
                "area_under_curve": area_under_error_curve(scores, cut_off, subjects=subjects, resampling=resampling),
                "failure_rate": failure_rate(scores, cut_off, subjects=subjects, resampling=resampling),
            }
            for cut_off in configuration.cut_offs
        ],
    }
