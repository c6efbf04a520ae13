"""Average precision by WIDER FACE's rules, for each of its subsets (easy, medium, hard).

Source: Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016, and its published evaluation code:

- a found box goes to the labelled face that it overlaps most, if their intersection over union is at least 0.5;
- the subset names the faces that count. A box that goes to any other face is neither right nor false;
- of the boxes that go to a face of the subset, the one with the highest score is right and the others are false, as is
  a box that goes to no face;
- sizes are whole pixels, both ends included: a box of width w covers w + 1;
- a photo without a labelled face is left out, and what is found in it;
- average precision is the area under precision against recall, precision made monotone (Everingham et al., IJCV 2010).

The published code reads the curve at 1,000 thresholds, after scores are stretched to 0..1 over all photos
(``thresholds="one_thousand"``). Detectors crowd their scores near 0 and 1, where so few thresholds miss points of the
curve; ``"every_score"``, the default, reads it at every distinct score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, cluster_codes, refuse_rows, same_length
from countenance.assessment.detection import SAME_FACE, box_overlaps
from countenance.assessment.intervals import DEFAULT_RESAMPLING, WEIGHT_CELLS, Resampling, bootstrap_over_subjects
from countenance.assessment.results import NOT_LABELLED, Measurement
from countenance.errors import AssessmentError

Thresholds = Literal["every_score", "one_thousand"]

UNIT: Final = "average precision"
_THRESHOLDS: Final = 1000


@dataclass(frozen=True, eq=False)
class SubsetMatches:
    """What every found box is to the faces of a subset.

    Attributes:
        score: of every found box, [D].
        photo: its photo, [D].
        right: it is the best-scored box of a face of the subset, [D].
        false: it is a second box of such a face, or of none, [D]; a box that is neither doesn't count.
        faces: faces of the subset in each photo, [P].
    """

    score: FloatArray
    photo: IntArray
    right: BoolArray
    false: BoolArray
    faces: IntArray


def match_subset(
    labelled_xywh: Sequence[ArrayLike],
    in_subset: Sequence[ArrayLike],
    found_xywh: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    *,
    overlap: float = SAME_FACE,
    whole_pixels: bool = True,
) -> SubsetMatches:
    """Match found boxes to labelled faces of which only some count.

    Args:
        labelled_xywh: for each photo, all its labelled faces, [F, 4].
        in_subset: for each photo, which of them count, [F] bool.
        found_xywh: for each photo, [D, 4].
        scores: for each photo, [D].
        overlap: intersection over union that is enough.
        whole_pixels: a box covers its last pixel, too, as in the published code; False: sizes are lengths.

    Raises:
        AssessmentError: lengths differ, or a box or a score isn't finite.
    """
    same_length(labelled=len(labelled_xywh), in_subset=len(in_subset), found=len(found_xywh), scores=len(scores))
    every = [
        _match_photo(
            _boxes(labels, whole_pixels), _flags(counted), _boxes(found, whole_pixels), _scores(score), overlap
        )
        for labels, counted, found, score in zip(labelled_xywh, in_subset, found_xywh, scores, strict=True)
    ]
    found_counts = [len(right) for right, _ in every]
    return SubsetMatches(
        score=np.concatenate([np.empty(0), *(_scores(score) for score in scores)]),
        photo=np.repeat(np.arange(len(every)), found_counts),
        right=np.concatenate([np.empty(0, dtype=np.bool_), *(right for right, _ in every)]),
        false=np.concatenate([np.empty(0, dtype=np.bool_), *(false for _, false in every)]),
        faces=np.array([int(_flags(counted).sum()) for counted in in_subset], dtype=np.int64),
    )


def subset_average_precision(
    matches: SubsetMatches,
    *,
    thresholds: Thresholds = "every_score",
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the average precision with its interval over photos.

    Args:
        matches: by :func:`match_subset`.
        thresholds: where the curve is read.
        subjects: of each photo, [P], or None; a photo without one stands for itself.
        resampling: seed, resamples and level.

    Returns:
        ``count`` are the subset's faces; the note has the counts at the most lenient threshold.
    """
    faces = int(matches.faces.sum())
    if not faces:
        return Measurement.missing(UNIT, higher_is_better=True, note=NOT_LABELLED)
    _, cluster = np.unique(cluster_codes(subjects, len(matches.faces)), return_inverse=True)
    found, wrong = _gains(matches, cluster, thresholds)
    faces_of = np.bincount(cluster, matches.faces)

    def statistic(weights: IntArray) -> FloatArray:
        # A few resamples at a time: each gives a whole curve.
        parts = np.array_split(weights, max(1, -(-weights.shape[0] * found.shape[0] // WEIGHT_CELLS)))
        return np.concatenate([_average_precisions(part, found, wrong, part @ faces_of) for part in parts])

    drawn = bootstrap_over_subjects(statistic, int(cluster.max()) + 1, resampling)
    note = f"{int(matches.right.sum()):,} of {faces:,} faces found with {int(matches.false.sum()):,} false boxes"
    note = f"{note}; {drawn.note}" if drawn.note else note
    return Measurement(drawn.value, drawn.low, drawn.high, faces, UNIT, True, note)


def precision_and_recall(matches: SubsetMatches) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the curve at every distinct score, strictest first: threshold, precision and recall, [K] each.

    Precision is as it is, not made monotone, and 0 where nothing that counts was found.

    Raises:
        AssessmentError: the subset has no face.
    """
    faces = int(matches.faces.sum())
    if not faces:
        raise AssessmentError("A curve of precision was asked for without a labelled face: give labelled photos.")
    order = np.argsort(-matches.score, kind="stable")
    ends = _counts_at(matches.score[order], "every_score") - 1
    right, false = (np.cumsum(flags[order])[ends].astype(np.float64) for flags in (matches.right, matches.false))
    precision = np.divide(right, right + false, out=np.zeros_like(right), where=right + false > 0)
    return matches.score[order][ends], precision, right / faces


def measure_subsets(
    labelled_xywh: Sequence[ArrayLike],
    subsets: Mapping[str, Sequence[ArrayLike]],
    found_xywh: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    *,
    thresholds: Thresholds = "every_score",
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> dict[str, Measurement]:
    """Return the average precision of each subset by name, e.g. "easy", "medium", "hard".

    Args:
        labelled_xywh: for each photo, [F, 4].
        subsets: by name, for each photo, which faces count, [F] bool.
        found_xywh: for each photo, [D, 4].
        scores: for each photo, [D].
        thresholds: where the curve is read.
        resampling: seed, resamples and level.
    """
    return {
        name: subset_average_precision(
            match_subset(labelled_xywh, in_subset, found_xywh, scores), thresholds=thresholds, resampling=resampling
        )
        for name, in_subset in subsets.items()
    }


def _boxes(boxes: ArrayLike, whole_pixels: bool) -> FloatArray:
    values = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    refuse_rows(~np.isfinite(values).all(axis=1), "a box is not finite")
    return values + np.array([0.0, 0.0, 1.0, 1.0]) if whole_pixels else values


def _flags(in_subset: ArrayLike) -> BoolArray:
    flags = np.asarray(in_subset)
    if flags.size and flags.dtype != np.bool_:
        raise AssessmentError(f"The faces of a subset are given as {flags.dtype}: give True or False for each face.")
    return flags.astype(np.bool_).reshape(-1)


def _scores(scores: ArrayLike) -> FloatArray:
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    refuse_rows(~np.isfinite(values), "the score of a found box is not finite")
    return values


def _match_photo(
    labelled: FloatArray, counted: BoolArray, found: FloatArray, score: FloatArray, overlap: float
) -> tuple[BoolArray, BoolArray]:
    """Whether each found box is right, and whether it is false, [D] each."""
    same_length(labelled=len(labelled), in_subset=len(counted))
    same_length(found=len(found), scores=len(score))
    nothing = np.zeros(len(found), dtype=np.bool_)
    if not len(labelled) or not len(found):
        return nothing, nothing
    shared = box_overlaps(found, labelled)
    face = shared.argmax(axis=1)
    meets = shared[np.arange(len(found)), face] >= overlap
    of_subset = meets & counted[face]
    best_first = np.argsort(-score, kind="stable")
    candidates = best_first[of_subset[best_first]]
    _, firsts = np.unique(face[candidates], return_index=True)
    right = nothing.copy()
    right[candidates[firsts]] = True
    return right, ~right & (of_subset | ~meets)


def _counts_at(descending: FloatArray, thresholds: Thresholds) -> IntArray:
    """How many boxes score at least each threshold, strictest first."""
    if thresholds == "every_score" or not len(descending):
        ends = np.flatnonzero(np.diff(descending))
        return np.append(ends, len(descending) - 1) + 1 if len(descending) else ends
    if thresholds != "one_thousand":
        raise AssessmentError(f"Thresholds '{thresholds}' are unknown: use 'every_score' or 'one_thousand'.")
    span = descending[0] - descending[-1]
    stretched = (descending - descending[-1]) / span if span > 0 else np.ones_like(descending)
    levels = 1.0 - np.arange(1, _THRESHOLDS + 1) / _THRESHOLDS
    return np.searchsorted(-stretched, -levels, side="right")


def _gains(
    matches: SubsetMatches, cluster: IntArray, thresholds: Thresholds
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Right and false boxes that each point of the curve adds, by resampling unit, [S, C] each, strictest point first.

    Points without a new right box are left out: they gain no recall, and the point before them has more precision.
    """
    order = np.argsort(-matches.score, kind="stable")
    right, false, unit = matches.right[order], matches.false[order], cluster[matches.photo[order]]
    counts = np.unique(np.append(0, _counts_at(matches.score[order], thresholds)))
    found = np.append(0, np.cumsum(right))[counts]
    ends = counts[1:][np.diff(found) > 0]
    point = np.searchsorted(ends, np.arange(len(order)), side="right")
    shape = (len(ends), int(cluster.max()) + 1)

    def by_unit(flags: BoolArray) -> sparse.csr_array:
        kept = flags & (point < len(ends))
        return sparse.csr_array((np.ones(int(kept.sum())), (point[kept], unit[kept])), shape=shape)

    return by_unit(right), by_unit(false)


def _average_precisions(
    weights: IntArray, right: sparse.csr_array, false: sparse.csr_array, faces: IntArray
) -> FloatArray:
    """[B], from weights [B, C] of resampling units and what each point of the curve adds, [S, C]."""
    drawn = weights.T.astype(np.float64)
    gain = right @ drawn
    found = np.cumsum(gain, axis=0)
    shown = found + np.cumsum(false @ drawn, axis=0)
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    averages = np.full(len(weights), np.nan)
    np.divide((envelope * gain).sum(axis=0), faces, out=averages, where=faces > 0)
    return averages
