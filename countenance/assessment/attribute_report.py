"""Attributes of one model on one set of labelled faces, as a report: ``evaluate attributes`` and the evaluation room.

Its figures have flat names, so that reports of several models can stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from countenance.assessment.attribute_assessment import LABELS, AttributeConfiguration, assess_attributes
from countenance.assessment.landmark_curves import ErrorCurve
from countenance.assessment.results import Measurement, Result

TITLES: Final = {
    "face.accuracy": "face or no face, accuracy",
    "face.average_precision": "face or no face, average precision",
    "gender.accuracy": "gender, accuracy",
    "smile.accuracy": "smile, accuracy",
    "age.mean_absolute_error": "age, mean absolute error",
    "age.epsilon_error": "apparent age, epsilon-error",
    "pose.yaw": "yaw, mean absolute error",
    "pose.pitch": "pitch, mean absolute error",
    "pose.roll": "roll, mean absolute error",
    "pose.mean": "pose, mean of the three",
    "pose.yaw_class": "coarse yaw, accuracy",
}
"""Titles of the figures that are always named alike; :func:`figure_title` knows the others, too."""


@dataclass(frozen=True, kw_only=True)
class AttributeReport(Result):
    """What was measured of a model's attributes.

    Attributes:
        model: its name, or None.
        protocol: ``name``, ``faces``, ``subjects`` and how many faces carry each label (``labelled``): alike for every
            model on the same faces.
        options: how it was measured.
        failures: ``faces`` that were labelled and about which nothing was said since they weren't found; in no figure.
        figures: by name, e.g. ``gender.accuracy``, ``landmarks.5.eye_centres.error``.
        curves: cumulative errors by landmark scheme and what errors are divided by, e.g. ``5.eye_centres``.
    """

    kind: Literal["attributes"] = "attributes"
    version: Literal[1] = 1
    model: str | None
    protocol: Mapping[str, Any]
    options: Mapping[str, Any]
    failures: Mapping[str, int]
    figures: Mapping[str, Measurement]
    curves: Mapping[str, ErrorCurve] = field(default_factory=dict)


def report_attributes(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    model: str | None,
    protocol: str,
    configuration: AttributeConfiguration,
    options: Mapping[str, Any] | None = None,
    not_found: int = 0,
) -> AttributeReport:
    """Measure a model's attributes and report them.

    Args:
        predictions: as :func:`countenance.assessment.attribute_assessment.assess_attributes` takes them.
        labels: likewise; the same faces.
        model: its name, or None.
        protocol: the name of the faces' set.
        configuration: resampling, cut-offs and bands.
        options: more to be told of how it was measured.
        not_found: labelled faces that are in neither table since they weren't found.

    Raises:
        AssessmentError: as ``assess_attributes`` does.
    """
    measured = assess_attributes(predictions, labels, configuration=configuration)
    figures = {name: Measurement.from_dict(values) for name, values in _figures(measured)}
    return AttributeReport(
        model=model,
        protocol={
            "name": protocol,
            "faces": measured["faces"],
            "subjects": measured["subjects"],
            "labelled": _labelled(labels),
        },
        options={**_options(configuration), **(options or {})},
        failures={"faces": not_found},
        figures=figures,
        curves={name: ErrorCurve.from_dict(values) for name, values in _curves(measured["landmarks"])},
    )


def figure_title(name: str) -> tuple[str, str]:
    """A figure's name in words: the heading that it stands under, and what it is."""
    if name in TITLES:
        return "", TITLES[name]
    first, _, rest = name.partition(".")
    if first == "pose":
        return "", f"yaw off by at most {rest.removeprefix('yaw_within_')} degrees"
    scheme, scale, what = rest.split(".", 2)
    return curve_title(f"{scheme}.{scale}"), _landmark_title(what)


_POINTS: Final = {"5": "five points", "21": "21 points", "68": "68 points"}
_SCALES: Final = {
    "eye_centres": "the distance of the eyes",
    "outer_eye_corners": "the distance of the outer eye corners",
    "box_size": "the box's size",
    "landmark_extent": "the points' extent",
}


def curve_title(name: str) -> str:
    """A curve's name in words."""
    scheme, scale = name.split(".", 1)
    return f"{_POINTS[scheme]} over {_SCALES[scale]}"


_YAW, _AREA, _FAILURES = "yaw_", "area_to_", "failures_beyond_"


def _landmark_title(what: str) -> str:
    if what == "error":
        return "mean error"
    if what == "yaw_balanced":
        return "mean of the yaw bands"
    if what.startswith(_YAW):
        return f"|yaw| {what.removeprefix(_YAW).replace('_', ' to ')}"
    if what.startswith(_AREA):
        return f"area under the curve to {what.removeprefix(_AREA)}"
    return f"failures beyond {what.removeprefix(_FAILURES)}"


def _labelled(labels: pd.DataFrame) -> dict[str, int]:
    """How many faces carry each label that any does; of the labels alone, whatever a model says."""
    not_a_face = labels["is_face"].eq(False).fillna(False) if "is_face" in labels.columns else False
    faces = labels[~np.broadcast_to(np.asarray(not_a_face, dtype=np.bool_), len(labels))]
    counts = {name: int(faces[name].notna().sum()) for name in LABELS if name in faces.columns}
    return {name: count for name, count in counts.items() if count and name != "box_xywh"}


def _options(configuration: AttributeConfiguration) -> dict[str, Any]:
    return {
        "cut_offs": list(configuration.cut_offs),
        "yaw_bands_deg": [list(band) for band in configuration.yaw_bands_deg],
        "leave_out_beyond_deg": configuration.leave_out_beyond_deg,
        "unanswered_ages_count_as_one": configuration.unanswered_count_as_one,
        "resamples": configuration.resampling.resamples,
        "seed": configuration.resampling.seed,
        "level": configuration.resampling.level,
    }


def _figures(measured: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for task in ("face", "gender", "smile", "age"):
        yield from ((f"{task}.{name}", values) for name, values in measured.get(task, {}).items())
    pose = measured["pose"]
    yield from ((f"pose.{name}", pose[name]) for name in ("yaw", "pitch", "roll", "mean"))
    yield f"pose.yaw_within_{pose['within_deg']:g}", pose["yaw_within"]
    yield "pose.yaw_class", pose["yaw_class"]
    for scheme, scales in measured["landmarks"].items():
        for scale, found in scales.items():
            yield from ((f"landmarks.{scheme}.{scale}.{name}", values) for name, values in _landmark_figures(found))


def _landmark_figures(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "error", found["error"]
    if "by_yaw" not in found:
        return
    for band in found["by_yaw"]["bands"]:
        yield f"{_YAW}{band['low_deg']:g}_{band['high_deg']:g}", band["error"]
    yield f"{_YAW}balanced", found["by_yaw"]["balanced"]
    for at in found["cut_offs"]:
        yield f"{_AREA}{at['cut_off']:.2f}", at["area_under_curve"]
        yield f"{_FAILURES}{at['cut_off']:.2f}", at["failure_rate"]


def _curves(landmarks: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for scheme, scales in landmarks.items():
        for scale, found in scales.items():
            if found.get("curve") is not None:
                yield f"{scheme}.{scale}", found["curve"]
