"""Found faces of one model on one set of photos, as a report: what ``evaluate detection`` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray
from countenance.assessment.detection import (
    SAME_FACE,
    detection_average_precision,
    detection_curve,
    match_faces,
    recall_at_false_faces,
)
from countenance.assessment.fddb_rules import FALSE_FACES, RateAtFalseFaces, found_curve, match_ellipses
from countenance.assessment.fddb_rules import rate_at_false_faces as fddb_rate
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.wider_face_rules import (
    Thresholds,
    match_subset,
    precision_and_recall,
    subset_average_precision,
)

CURVE_POINTS: Final = 200
FALSE_FACES_PER_PHOTO: Final = (0.01, 0.1, 1.0)

Boxes = Sequence[ArrayLike]


@dataclass(frozen=True, kw_only=True)
class DetectionReport(Result):
    """What was measured of a detector.

    Attributes:
        model: its name, or None.
        protocol: ``name``, ``photos``, ``faces`` and the faces of each of the ``subsets``: alike for every model.
        options: ``rule`` and how it was measured.
        failures: ``photos`` that could not be looked through; what they show is not found.
        figures: by name: ``average_precision.easy``, ``discrete.1000``, ``recall.0.1`` ...
        rates: FDDB alone: thresholds and counts of the rates by score, ``discrete`` and ``continuous``.
        curves: by name, columns of equal length, thinned with both ends kept: ``threshold`` and, by the rule,
            ``recall`` and ``precision``, or ``false_faces``, ``discrete`` and ``continuous``, or ``false_per_photo``
            and ``recall``.
    """

    kind: Literal["detection"] = "detection"
    version: Literal[1] = 1
    model: str | None
    protocol: Mapping[str, Any]
    options: Mapping[str, Any]
    failures: Mapping[str, int]
    figures: Mapping[str, Measurement]
    rates: Mapping[str, tuple[RateAtFalseFaces, ...]] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)


def report_wider_face(
    labelled_xywh: Boxes,
    subsets: Mapping[str, Boxes],
    found_xywh: Boxes,
    scores: Boxes,
    *,
    model: str | None,
    thresholds: Thresholds = "every_score",
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> DetectionReport:
    """Report average precision and the precision-recall curve of each subset by WIDER FACE's rules.

    Args:
        labelled_xywh: for each photo, [F, 4].
        subsets: by name, for each photo, which faces count, [F] bool.
        found_xywh: for each photo, [D, 4].
        scores: for each photo, [D].
        model: its name, or None.
        thresholds: where the curve is read for the average precision.
        resampling: seed, resamples and level.
    """
    figures, curves, faces = {}, {}, {}
    for name, in_subset in subsets.items():
        matches = match_subset(labelled_xywh, in_subset, found_xywh, scores)
        faces[name] = int(matches.faces.sum())
        figures[f"average_precision.{name}"] = subset_average_precision(
            matches, thresholds=thresholds, resampling=resampling
        )
        if faces[name]:
            threshold, precision, recall = precision_and_recall(matches)
            curves[name] = _thinned(threshold=threshold, recall=recall, precision=precision)
    return DetectionReport(
        model=model,
        protocol=_protocol("WIDER FACE", labelled_xywh) | {"subsets": faces},
        options={"rule": "WIDER FACE", "overlap": SAME_FACE, "thresholds": thresholds} | _drawn(resampling),
        failures={"photos": 0},
        figures=figures,
        curves=curves,
    )


def report_fddb(
    ellipses: Boxes,
    found: Boxes,
    scores: Boxes,
    *,
    model: str | None,
    photo_sizes: Sequence[tuple[float, float]] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> DetectionReport:
    """Report the discrete and the continuous true positive rate at numbers of false faces by FDDB's rules.

    Args:
        ellipses: for each photo, [F, 5].
        found: for each photo, boxes [D, 4] or ellipses [D, 5].
        scores: for each photo, [D].
        model: its name, or None.
        photo_sizes: width and height of each photo; only what lies within counts. None: everything does.
        resampling: seed, resamples and level.
    """
    steps = match_ellipses(ellipses, found, scores, photo_sizes=photo_sizes)
    rates = {
        score: tuple(fddb_rate(steps, allowed, score=score, resampling=resampling) for allowed in FALSE_FACES)
        for score in ("discrete", "continuous")
    }
    curves = {}
    if steps.faces.sum():
        curve = found_curve(steps)
        columns = ("threshold", "false_faces", "discrete", "continuous")
        curves["all"] = _thinned(**{column: np.asarray(getattr(curve, column)) for column in columns})
    return DetectionReport(
        model=model,
        protocol=_protocol("FDDB", ellipses),
        options={"rule": "FDDB", "within_photo": photo_sizes is not None} | _drawn(resampling),
        failures={"photos": 0},
        figures={f"{score}.{at.allowed}": at.rate for score, rows in rates.items() for at in rows},
        rates=rates,
        curves=curves,
    )


def report_found_boxes(
    labelled_xywh: Boxes,
    found_xywh: Boxes,
    scores: Boxes,
    *,
    model: str | None,
    protocol: str,
    subjects: ArrayLike | None = None,
    unread: int = 0,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> DetectionReport:
    """Report average precision, and recall at numbers of false faces a photo, on any labelled photos.

    Args:
        labelled_xywh: for each photo, [F, 4]; all its faces.
        found_xywh: for each photo, [D, 4].
        scores: for each photo, [D].
        model: its name, or None.
        protocol: name of the set.
        subjects: of each photo, [P], or None.
        unread: photos that could not be looked through; among those above, with nothing found.
        resampling: seed, resamples and level.
    """
    matched = match_faces(labelled_xywh, found_xywh, scores)
    figures = {
        "average_precision.all": detection_average_precision(matched, subjects=subjects, resampling=resampling)
    } | {
        f"recall.{limit:g}": recall_at_false_faces(
            matched, false_per_photo=limit, subjects=subjects, resampling=resampling
        )
        for limit in FALSE_FACES_PER_PHOTO
    }
    curves = {}
    if len(matched.face_photo):
        curve = detection_curve(matched)
        columns = ("threshold", "false_per_photo", "recall")
        curves["all"] = _thinned(**{column: np.asarray(getattr(curve, column)) for column in columns})
    return DetectionReport(
        model=model,
        protocol=_protocol(protocol, labelled_xywh),
        options={"rule": "one to one, best score first", "overlap": SAME_FACE} | _drawn(resampling),
        failures={"photos": unread},
        figures=figures,
        curves=curves,
    )


def figure_title(name: str) -> str:
    """A figure's name in words."""
    what, _, of = name.partition(".")
    if what == "average_precision":
        return f"average precision, {of}" if of != "all" else "average precision"
    if what == "recall":
        return f"recall at {of} false faces a photo"
    return f"{what} rate at {int(of):,} false faces"


def _protocol(name: str, labelled: Boxes) -> dict[str, Any]:
    return {"name": name, "photos": len(labelled), "faces": sum(len(np.asarray(faces)) for faces in labelled)}


def _drawn(resampling: Resampling) -> dict[str, Any]:
    return {"resamples": resampling.resamples, "seed": resampling.seed, "level": resampling.level}


def _thinned(**columns: AnyArray) -> dict[str, tuple[float, ...]]:
    """At most so many points, both ends kept: half of them evenly spread over the thresholds' ranks, and half over the
    found faces, most of which come within the first few ranks."""
    length = len(next(iter(columns.values())))
    if length > CURVE_POINTS:
        gained = np.asarray(columns["recall"] if "recall" in columns else columns["discrete"], dtype=np.float64)
        steps = np.searchsorted(np.maximum.accumulate(gained), np.linspace(0, gained.max(), CURVE_POINTS // 2))
        ranks = np.linspace(0, length - 1, CURVE_POINTS // 2).round().astype(np.int64)
        places = np.union1d(ranks, steps)
    else:
        places = np.arange(length)
    return {name: tuple(np.asarray(values, dtype=np.float64)[places].tolist()) for name, values in columns.items()}
