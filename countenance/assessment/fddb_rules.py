"""Faces found, by FDDB's rules: the discrete and the continuous true positive rate at a number of false faces.

Source: Jain and Learned-Miller, "FDDB: A Benchmark for Face Detection in Unconstrained Settings", UMass Amherst
technical report UM-CS-2010-009, and its published evaluation code:

- at every threshold on the score, the found regions of a photo are matched one to one with its labelled ellipses so
  that the sum of their intersections over union is greatest (a maximum-weight bipartite matching);
- discrete score: a matched region counts 1 if it overlaps by more than 0.5; continuous score: it counts its overlap;
- the rate is the sum of scores over all labelled faces. Every region that doesn't count in the discrete score is a
  false face, in both curves.

The published code draws regions with whole-pixel centres and radii and counts pixels within the photo; areas here are
exact (:mod:`countenance.assessment.ellipse_overlaps`), within the photo where its size is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from countenance.assessment.arrays import FloatArray, IntArray, cluster_codes, refuse_rows, same_length
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.ellipse_overlaps import ellipse_overlaps
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

Score = Literal["discrete", "continuous"]

FALSE_FACES: Final = (100, 500, 1000)


@dataclass(frozen=True, eq=False)
class ThresholdSteps:
    """What a photo's matching gains when the threshold falls to one of its scores; all photos' steps together.

    Attributes:
        photo: [K].
        threshold: [K].
        shown: regions with exactly this score, [K].
        discrete: change of the discrete score, [K]; may be negative, as the matching is made anew.
        continuous: change of the continuous score, [K].
        faces: labelled faces of each photo, [P].
    """

    photo: IntArray
    threshold: FloatArray
    shown: IntArray
    discrete: IntArray
    continuous: FloatArray
    faces: IntArray


@dataclass(frozen=True)
class FoundCurve(Result):
    """What each threshold gives, strictest first; accept from the threshold on.

    Attributes:
        threshold: distinct scores.
        false_faces: regions that don't count in the discrete score, over all photos.
        discrete: the discrete true positive rate.
        continuous: the continuous true positive rate.
        faces: labelled faces.
    """

    threshold: tuple[float, ...]
    false_faces: tuple[int, ...]
    discrete: tuple[float, ...]
    continuous: tuple[float, ...]
    faces: int


@dataclass(frozen=True)
class RateAtFalseFaces(Result):
    """A true positive rate at a number of false faces.

    Attributes:
        allowed: the false faces allowed over all photos.
        rate: the highest rate of the thresholds with at most so many.
        threshold: where it is reached; None where even the strictest threshold has more, and the rate is then 0.
        false_faces: at that threshold.
        true_positives: sum of the scores there, a count for the discrete score.
        faces: labelled faces.
    """

    allowed: int
    rate: Measurement
    threshold: float | None
    false_faces: int
    true_positives: float
    faces: int


def match_ellipses(
    ellipses: Sequence[ArrayLike],
    found: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    *,
    photo_sizes: Sequence[tuple[float, float]] | None = None,
) -> ThresholdSteps:
    """Match found regions with labelled ellipses at every threshold.

    Args:
        ellipses: for each photo, [F, 5]: major and minor radius, angle in radians, centre x and y.
        found: for each photo, boxes [D, 4] (x, y, width, height) or ellipses [D, 5].
        scores: for each photo, [D].
        photo_sizes: width and height of each photo; only what lies within counts, as in the published code. None: all.

    Raises:
        AssessmentError: lengths differ, a region has no area, or a number isn't finite.
    """
    same_length(ellipses=len(ellipses), found=len(found), scores=len(scores))
    sizes = [None] * len(ellipses) if photo_sizes is None else list(photo_sizes)
    same_length(ellipses=len(ellipses), photo_sizes=len(sizes))
    steps, faces = [], []
    for labels, regions, score, size in zip(ellipses, found, scores, sizes, strict=True):
        shared = ellipse_overlaps(np.asarray(labels), np.asarray(regions), photo_size=size)
        steps.append(_steps_of_photo(shared, np.asarray(score, dtype=np.float64).reshape(-1)))
        faces.append(shared.shape[0])
    lengths = [len(threshold) for threshold, _, _, _ in steps]
    threshold, shown, discrete, continuous = (
        np.concatenate([np.empty(0), *(step[column] for step in steps)]) for column in range(4)
    )
    return ThresholdSteps(
        photo=np.repeat(np.arange(len(steps)), lengths),
        threshold=threshold,
        shown=shown.astype(np.int64),
        discrete=discrete.astype(np.int64),
        continuous=continuous,
        faces=np.array(faces, dtype=np.int64),
    )


def found_curve(steps: ThresholdSteps) -> FoundCurve:
    """Return both rates and the false faces at every distinct score.

    Raises:
        AssessmentError: there is no labelled face.
    """
    faces = int(steps.faces.sum())
    if not faces:
        raise AssessmentError("A curve of found faces was asked for without a labelled face: give labelled photos.")
    threshold, shown, discrete, continuous = _totals(steps)
    return FoundCurve(
        threshold=tuple(threshold.tolist()),
        false_faces=tuple((shown - discrete).tolist()),
        discrete=tuple((discrete / faces).tolist()),
        continuous=tuple((continuous / faces).tolist()),
        faces=faces,
    )


def rate_at_false_faces(
    steps: ThresholdSteps,
    allowed: int,
    *,
    score: Score = "discrete",
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> RateAtFalseFaces:
    """Return the highest true positive rate with at most ``allowed`` false faces over all photos.

    The interval is that of the rate at this threshold; that it was chosen on these photos isn't in it.

    Args:
        steps: by :func:`match_ellipses`.
        allowed: 0 or more, e.g. 100, 500 or 1,000.
        score: which of the two rates.
        subjects: of each photo, [P], or None; a photo without one stands for itself.
        resampling: seed, resamples and level.
    """
    if score not in ("discrete", "continuous"):
        raise AssessmentError(f"The score '{score}' is unknown: use 'discrete' or 'continuous'.")
    threshold, shown, discrete, continuous = _totals(steps)
    false = shown - discrete
    gained = discrete if score == "discrete" else continuous
    places = np.flatnonzero(false <= allowed)
    place = int(places[gained[places].argmax()]) if len(places) else None
    limit = np.inf if place is None else float(threshold[place])
    rate = _rate(steps, limit, score, subjects, resampling)
    most = int(false.max(initial=0))
    if rate.value is not None and most < allowed:
        note = f"the curve ends at {most:,} false faces" + (f"; {rate.note}" if rate.note else "")
        rate = Measurement(rate.value, rate.low, rate.high, rate.count, rate.unit, rate.higher_is_better, note)
    return RateAtFalseFaces(
        allowed=allowed,
        rate=rate,
        threshold=None if place is None else limit,
        false_faces=0 if place is None else int(false[place]),
        true_positives=0.0 if place is None else float(gained[place]),
        faces=int(steps.faces.sum()),
    )


def _rate(
    steps: ThresholdSteps, threshold: float, score: Score, subjects: ArrayLike | None, resampling: Resampling
) -> Measurement:
    accepted = steps.threshold >= threshold
    gains = steps.discrete if score == "discrete" else steps.continuous
    of_photo = np.bincount(steps.photo[accepted], gains[accepted], len(steps.faces))
    photo = np.repeat(np.arange(len(steps.faces)), steps.faces)
    if score == "continuous":
        values = (of_photo / np.maximum(steps.faces, 1))[photo]
        unit = "continuous score a face"
    else:
        # Which of a photo's faces were found is no matter: they share their photo's weight.
        turn = np.arange(len(photo)) - np.repeat(np.cumsum(steps.faces) - steps.faces, steps.faces)
        values = (turn < of_photo[photo]).astype(np.float64)
        unit = "proportion"
    scores = RowScores(values, unit, higher_is_better=True, proportion=score == "discrete")
    return mean_over_subjects(scores, cluster_codes(subjects, len(steps.faces))[photo], resampling=resampling)


def _steps_of_photo(shared: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Distinct scores of a photo, best first, regions with each, and changes of both scores."""
    same_length(found=shared.shape[1], scores=len(score))
    refuse_rows(~np.isfinite(score), "the score of a found region is not finite")
    ascending, shown = np.unique(score, return_counts=True)
    threshold = ascending[::-1]
    discrete, continuous = np.zeros(len(threshold)), np.zeros(len(threshold))
    touches = np.asarray((shared > 0).any(axis=0))
    for place, limit in enumerate(threshold):
        # Regions that touch no face don't change the matching.
        if place and not touches[score == limit].any():
            discrete[place], continuous[place] = discrete[place - 1], continuous[place - 1]
            continue
        candidates = shared[:, touches & (score >= limit)]
        rows, columns = linear_sum_assignment(candidates, maximize=True)
        matched = candidates[rows, columns]
        discrete[place], continuous[place] = (matched > 0.5).sum(), matched.sum()
    return threshold, shown[::-1].astype(np.float64), np.diff(discrete, prepend=0.0), np.diff(continuous, prepend=0.0)


def _totals(steps: ThresholdSteps) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """Distinct scores of all photos, best first, and the running totals there."""
    order = np.argsort(-steps.threshold, kind="stable")
    threshold = steps.threshold[order]
    if not len(order):
        return threshold, steps.shown, steps.discrete, steps.continuous
    ends = np.append(np.flatnonzero(np.diff(threshold)), len(order) - 1)
    shown, discrete, continuous = (
        np.cumsum(column[order])[ends] for column in (steps.shown, steps.discrete, steps.continuous)
    )
    return threshold[ends], shown, discrete, continuous
