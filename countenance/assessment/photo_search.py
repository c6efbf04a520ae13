"""Faces found in held-out photos: how many, how many false, and what is said of those that were found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from countenance.assessment.detection import (
    SAME_FACE,
    MatchedFaces,
    box_overlaps,
    detection_average_precision,
    detection_curve,
    face_recall,
    false_faces_per_photo,
    match_faces,
)
from countenance.assessment.held_out import attribute_tasks
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

CURVE_POINTS = 60
_SAID = ("yaw_deg", "pitch_deg", "roll_deg", "smile_probability", "male_probability", "age_years", "landmarks_5")
_TASKS = ("landmarks", "pose", "gender", "smile", "age")


def assess_photo_search(
    manifest: pd.DataFrame,
    found: pd.DataFrame,
    resampling: Resampling,
    *,
    false_per_photo: float = 0.1,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Measure what an analyzer found in held-out photos, source by source.

    The threshold is the most lenient one at which the validation photos of all sources together show, with
    ``confidence``, that there are at most ``false_per_photo`` false faces a photo. Where they are too few to show it at
    all, it is the most lenient one with so few false faces on them, and ``confidence`` is None. What the sources show
    is measured on test photos at that threshold.

    Args:
        manifest: every row, with ``landmarks_5``.
        found: ``photo_sha256``, ``box_xywh``, ``face_probability`` and what was said of each face; a photo without a
            face has one row of nulls.
        resampling: of the intervals.
        false_per_photo: how many false faces a photo are allowed.
        confidence: with which the threshold keeps to it.

    Returns:
        ``threshold``, ``confidence``, ``curve`` (points of ``false_faces_per_photo`` and ``recall`` on the test
        photos) and, for each of the ``sources``, ``recall``, ``false_faces_per_photo``, ``average_precision``, counts,
        and ``tasks``: the tasks of the faces that were found, read as found and not from labelled boxes.

    Raises:
        AssessmentError: no validation photo or no test photo was searched.
    """
    faces = manifest[manifest["is_face"] & manifest["photo_sha256"].isin(found["photo_sha256"])]
    validation, test = (faces[faces["split"] == split] for split in ("validation", "test"))
    for split, rows in (("validation", validation), ("test", test)):
        if rows.empty:
            raise AssessmentError(f"No {split} photo was searched for faces: store scenes, or leave detection out.")
    threshold, shown = _threshold(_matched(validation, found), false_per_photo, confidence)
    limit = float("inf") if threshold is None else threshold
    return {
        "threshold": threshold,
        "confidence": shown,
        "false_faces_allowed": false_per_photo,
        "curve": _curve(_matched(test, found)),
        "sources": {
            str(source): _source(rows, found, limit, resampling) for source, rows in test.groupby("source", sort=True)
        },
    }


def most_false_faces(photos: int, false_per_photo: float, confidence: float) -> int | None:
    """The most false faces in so many photos that show a rate of at most ``false_per_photo``; None if not even 0 does.

    The upper bound of a Poisson rate from a count k is chi2(confidence, 2 k + 2) / 2 (Garwood, Biometrika 1936).
    """
    counts = np.arange(int(false_per_photo * photos) + 1)
    shown = counts[chi2.ppf(confidence, 2 * counts + 2) / 2 <= false_per_photo * photos]
    return int(shown[-1]) if len(shown) else None


def _threshold(
    validation: MatchedFaces, false_per_photo: float, confidence: float
) -> tuple[float | None, float | None]:
    # The threshold, and the confidence with which it keeps to the limit.
    curve = detection_curve(validation)
    most = most_false_faces(validation.photos, false_per_photo, confidence)
    if most is None:
        return curve.threshold_for(false_per_photo), None
    return curve.threshold_for(most / validation.photos), confidence


def _matched(faces: pd.DataFrame, found: pd.DataFrame) -> MatchedFaces:
    labelled = faces.groupby("photo_sha256", sort=True)["box_xywh"].agg(list)
    boxes = found[found["photo_sha256"].isin(labelled.index)].groupby("photo_sha256", sort=True)
    # Where no photo of a table shows a face, its nulls come back from Parquet as NaN.
    said = [[box for box in values if isinstance(box, np.ndarray)] for _, values in boxes["box_xywh"]]
    scores = [values.dropna().to_numpy() for _, values in boxes["face_probability"]]
    return match_faces(
        [np.stack(each) for each in labelled],
        [np.stack(each) if each else np.empty((0, 4)) for each in said],
        scores,
    )


def _source(faces: pd.DataFrame, found: pd.DataFrame, threshold: float, resampling: Resampling) -> dict[str, Any]:
    matched = _matched(faces, found)
    tasks = attribute_tasks(_read_as_found(faces, found, threshold), resampling)
    return {
        "photos": matched.photos,
        "faces": len(matched.face_photo),
        "recall": face_recall(matched, threshold=threshold, resampling=resampling).to_dict(),
        "false_faces_per_photo": false_faces_per_photo(matched, threshold=threshold, resampling=resampling).to_dict(),
        "average_precision": detection_average_precision(matched, resampling=resampling).to_dict(),
        "tasks": {
            task: measured.to_dict()
            for task, measured in tasks.items()
            if task in _TASKS and measured.value is not None
        },
    }


def _read_as_found(faces: pd.DataFrame, found: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The labelled faces that were found, with what was said of the found face that overlaps each most."""
    accepted = found[found["face_probability"] >= threshold]
    by_photo = dict(list(accepted.groupby("photo_sha256")))
    rows = []
    for _, face in faces.iterrows():
        candidates = by_photo.get(face["photo_sha256"])
        if candidates is None or face["box_xywh"] is None:
            continue
        overlap = box_overlaps(np.stack(candidates["box_xywh"].tolist()), np.asarray(face["box_xywh"])[None])[:, 0]
        if overlap.max() >= SAME_FACE:
            best = candidates.iloc[int(overlap.argmax())]
            rows.append({**face, **{f"said_{name}": best[name] for name in _SAID}})
    columns = [*faces.columns, *(f"said_{name}" for name in _SAID)]
    return pd.DataFrame(rows, columns=columns).assign(said_face_probability=np.nan)


def _curve(matched: MatchedFaces) -> list[dict[str, float]]:
    curve = detection_curve(matched)
    places = np.unique(np.linspace(0, len(curve.recall) - 1, min(CURVE_POINTS, len(curve.recall))).astype(int))
    return [{"false_faces_per_photo": curve.false_per_photo[place], "recall": curve.recall[place]} for place in places]
