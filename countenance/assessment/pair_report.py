"""The report on pairs of photos: accuracy over folds, TAR at FAR, a ROC curve, and error rates by group.

Accuracy is LFW's (Huang et al., UMass TR 07-49, 2007): the share of right decisions in each fold at the threshold that
is best on the other folds, and the mean of the folds; RFW (Wang et al., ICCV 2019) asks it of each race by itself. TAR
at FAR is by the threshold rule of :mod:`countenance.assessment.verification`. Groups are compared at the one threshold
that all pairs give, as BFW (Robinson et al., CVPRW 2020) shows to be the question that matters.

A photo without an embedding is a failure to acquire (ISO/IEC 19795-1): comparisons with it score minus infinity. Mated
ones are wrong, non-mated ones are never accepted, and all of them stay in the denominators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from countenance.assessment.arrays import FloatArray
from countenance.assessment.intervals import DEFAULT_LEVEL, Rate, Resampling, rate_over_subjects
from countenance.assessment.pair_accuracy import PairAccuracy, pair_accuracy
from countenance.assessment.pair_scores import Flip, PhotoPairScores, photo_features, photo_pair_scores, subject_codes
from countenance.assessment.pair_verification import comparison_scores, pair_roc, verification_rows
from countenance.assessment.results import Result
from countenance.assessment.template_verification import FARS, RocCurve
from countenance.assessment.verification import ThresholdAtFar, accepted, threshold_at_far
from countenance.assessment.verification_row import VerificationRow
from countenance.configuration import Configuration

COVERED: Final = (
    "Intervals cover another draw of subjects like these. They don't cover other cameras, other ways to choose pairs, "
    "or wrong labels."
)
_SUBJECTS_JOINED: Final = (
    " Who is the same subject is known of mated pairs only: photos that they join are one subject, all others one "
    "each, which makes intervals too narrow where a subject has several of these."
)


class PairOptions(Configuration):
    """How pairs are assessed.

    Attributes:
        flip: for rows of two embeddings, of the photo and of its mirror image: "sum" adds them, "first" takes the
            photo's alone.
        fars: false accept rates at which TAR is told.
        common_far: false accept rate over all pairs that sets the threshold at which groups are compared.
        level: of the intervals, e.g. 0.95.
        seed: of the bootstrap over subjects.
    """

    flip: Flip = "sum"
    fars: tuple[float, ...] = FARS
    common_far: float = Field(default=1e-3, gt=0.0, lt=1.0)
    level: float = Field(default=DEFAULT_LEVEL, gt=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0)


DEFAULT_OPTIONS: Final = PairOptions()


@dataclass(frozen=True)
class PairGroup(Result):
    """One group's pairs.

    Attributes:
        pairs: in the group.
        mated_pairs: of them.
        failed_pairs: of them, comparisons with a photo that has no embedding.
        accuracy: over folds, with thresholds of the group's own pairs.
        fmr: false match rate at the common threshold, with counts; None where there is no such threshold.
        fnmr: false non-match rate at the common threshold, with counts; None in the same case.
    """

    pairs: int
    mated_pairs: int
    failed_pairs: int
    accuracy: PairAccuracy
    fmr: Rate | None
    fnmr: Rate | None


@dataclass(frozen=True, kw_only=True)
class PairReport(Result):
    """What pairs of photos say of a model.

    Attributes:
        kind: "pairs".
        version: of this layout.
        model: its name, or None.
        protocol: name, pairs, mated_pairs, folds, photos, subjects (as far as they are known), and the digest sha256
            of the list, where there is one.
        options: how it was assessed.
        failures: photos without an embedding among those in the pairs, and the pairs with one.
        accuracy: over folds.
        verification: TAR at each FAR.
        roc: thinned for plotting; None without mated or without non-mated pairs that have a score.
        common_threshold: at which groups are compared; None without groups.
        groups: by name; empty where the list has no groups.
        note: what the intervals cover.
    """

    kind: str = "pairs"
    version: int = 1
    model: str | None
    protocol: dict[str, Any]
    options: dict[str, Any]
    failures: dict[str, int]
    accuracy: PairAccuracy
    verification: tuple[VerificationRow, ...]
    roc: RocCurve | None
    common_threshold: ThresholdAtFar | None
    groups: dict[str, PairGroup]
    note: str


def assess_pairs(
    embeddings: FloatArray,
    first: ArrayLike,
    second: ArrayLike,
    mated: ArrayLike,
    fold: ArrayLike,
    *,
    group: ArrayLike | None = None,
    subjects: ArrayLike | None = None,
    failed: ArrayLike | None = None,
    options: PairOptions = DEFAULT_OPTIONS,
    name: str = "pairs",
    sha256: str | None = None,
    model: str | None = None,
) -> PairReport:
    """Assess embeddings on pairs of photos.

    Args:
        embeddings: [N, D], or [N, 2, D] of photos and their mirror images, of any length.
        first: row of one photo of each pair, [P].
        second: row of the other, [P].
        mated: whether both show one person, [P].
        fold: the part of the list each pair is in, [P].
        group: of each pair, [P]; None where the list has no groups.
        subjects: of each photo, [N], null where unknown; None takes what the mated pairs tell.
        failed: which photos have no embedding, [N].
        options: how it is assessed.
        name: of the set.
        sha256: digest of the list of pairs, by which reports on the same list are known; None where there is no list.
        model: its name.

    Raises:
        AssessmentError: columns don't match, an embedding that isn't recorded as a failure is not finite or zero (its
            row is named), or no comparison has a score.
    """
    one, other = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    truth = np.asarray(mated, dtype=np.bool_)
    photos = photo_features(embeddings, np.concatenate([one, other]), failed=failed, flip=options.flip)
    codes = subject_codes(one, other, truth, subjects, len(embeddings))
    pairs = PhotoPairScores(
        scores=photo_pair_scores(photos, one, other),
        mated=truth,
        fold=np.asarray(fold, dtype=np.int64),
        first_subject=codes[one],
        second_subject=codes[other],
        group=None if group is None else np.asarray(group, dtype=np.object_),
    )
    return report_on_scores(
        pairs,
        options=options,
        protocol={"name": name, "photos": len(photos.rows), **({} if sha256 is None else {"sha256": sha256})},
        failed_photos=int(photos.failed.sum()),
        model=model,
        flip=options.flip if embeddings.ndim == 3 else None,
        subjects_are_known=subjects is not None,
    )


def report_on_scores(
    pairs: PhotoPairScores,
    *,
    options: PairOptions = DEFAULT_OPTIONS,
    protocol: Mapping[str, Any],
    failed_photos: int = 0,
    model: str | None = None,
    flip: Flip | None = None,
    subjects_are_known: bool = True,
) -> PairReport:
    """Assess pairs by their scores alone.

    Args:
        pairs: the scored pairs.
        options: how they are assessed.
        protocol: what is known of the set: name, photos.
        failed_photos: photos without an embedding.
        model: its name.
        flip: what was done with the mirror images; None where there were none.
        subjects_are_known: False where the subjects' codes come from mated pairs alone.
    """
    common = _common_threshold(pairs, options.common_far) if pairs.group is not None else None
    subjects = np.union1d(pairs.first_subject, pairs.second_subject)
    return PairReport(
        model=model,
        protocol={
            **protocol,
            "pairs": len(pairs),
            "mated_pairs": int(pairs.mated.sum()),
            "folds": len(np.unique(pairs.fold)),
            "subjects": len(subjects),
        },
        options={
            "flip": flip,
            "rule": "threshold",
            "common_far": options.common_far if common is not None else None,
            "level": options.level,
            "seed": options.seed,
        },
        failures={"photos": failed_photos, "pairs": int(pairs.failed.sum())},
        accuracy=pair_accuracy(pairs, level=options.level),
        verification=verification_rows(pairs, options.fars, Resampling(seed=options.seed, level=options.level)),
        roc=pair_roc(pairs),
        common_threshold=common,
        groups=_groups(pairs, common, options.level),
        note=COVERED + ("" if subjects_are_known else _SUBJECTS_JOINED),
    )


def _common_threshold(pairs: PhotoPairScores, far: float) -> ThresholdAtFar:
    return threshold_at_far(comparison_scores(pairs).non_mated, far)


def _groups(pairs: PhotoPairScores, common: ThresholdAtFar | None, level: float) -> dict[str, PairGroup]:
    if pairs.group is None or common is None:
        return {}
    names: Sequence[str] = sorted(set(pairs.group.tolist()))
    return {name: _of_group(pairs.take(pairs.group == name), common.threshold, level) for name in names}


def _of_group(pairs: PhotoPairScores, threshold: float | None, level: float) -> PairGroup:
    rates: dict[bool, Rate | None] = {True: None, False: None}
    if threshold is not None:
        wrong = accepted(pairs.scores, threshold) != pairs.mated
        for kind in rates:
            rows = pairs.mated == kind
            sides = pairs.first_subject[rows], pairs.second_subject[rows]
            rates[kind] = rate_over_subjects(wrong[rows], *sides, level=level)
    return PairGroup(
        pairs=len(pairs),
        mated_pairs=int(pairs.mated.sum()),
        failed_pairs=int(pairs.failed.sum()),
        accuracy=pair_accuracy(pairs, level=level),
        fmr=rates[False],
        fnmr=rates[True],
    )
