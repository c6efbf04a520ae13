"""How sure a TAR of templates is: intervals over subjects, as far as a list of pairs tells who they are.

Two chances are in a TAR at a FAR: which mated comparisons were made, and where the threshold fell. Over millions of
pairs a bootstrap would take minutes, so both are told by formula, and put together by their squares (Zou and Donner,
"Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008):

- the rate of the mated comparisons at the threshold as it is, by
  :func:`countenance.assessment.intervals.rate_over_subjects`;
- how many false accepts there might have been at the right threshold: k +- z sqrt(k D), with D the design effect of the
  false accepts, which those of one subject share. The TAR at the two thresholds with so many false accepts is the
  other part. Where k is so small that even no false accept at all might be right, nothing bounds the threshold from
  above, and the TAR has no lower end.

All of it is counted in float64, as the TAR itself is.

What it covers: another draw of subjects like these. It doesn't cover another protocol, other cameras or wrong labels.
Who is the same subject is known for mated pairs only: templates that mated pairs join are one subject, all others are
one each. A subject whose templates no mated pair joins therefore counts as several, and the interval is then too
narrow for its non-mated comparisons; give ``subjects`` where they are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse, stats
from scipy.sparse import csgraph

from countenance.assessment.arrays import FloatArray, IntArray, cluster_codes, same_length
from countenance.assessment.intervals import DEFAULT_LEVEL, rate_over_subjects
from countenance.assessment.results import Result
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_scores import counts_of
from countenance.assessment.template_verification import counts_allowing
from countenance.assessment.verification import TarAtFar

_UNBOUNDED: Final = "no lower end, as so few false accepts don't bound the threshold from above"


@dataclass(frozen=True)
class TarInterval(Result):
    """The interval of a TAR at a FAR.

    Attributes:
        low: lower end; None where there is no interval, or no end to it.
        high: upper end; None where there is no interval.
        subjects: distinct subjects in mated comparisons, as far as they are known.
        non_mated_design_effect: variance of the FAR over that of independent pairs, at least 1; None as above.
        note: why there is no interval, or what it lacks; empty where there is nothing to say.
    """

    low: float | None
    high: float | None
    subjects: int
    non_mated_design_effect: float | None
    note: str = ""


def joined_subjects(count: int, first: IntArray, second: IntArray) -> IntArray:
    """Return a subject code of each of ``count`` templates, [T]: those that mated pairs join have the same.

    Args:
        count: T, templates.
        first: row of one template of each mated pair, [M].
        second: row of the other, [M].
    """
    joined = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return np.asarray(csgraph.connected_components(joined, directed=False)[1], dtype=np.int64)


def tar_intervals(
    scores: SortedScores,
    points: Sequence[TarAtFar],
    *,
    subjects: ArrayLike | None = None,
    level: float = DEFAULT_LEVEL,
) -> tuple[TarInterval, ...]:
    """Return the interval of each TAR.

    Args:
        scores: of all pairs.
        points: what was measured on them, by the threshold rule.
        subjects: of each template, [T], null where unknown; None takes what the mated pairs tell.
        level: e.g. 0.95.
    """
    pairs = scores.pairs
    mated = np.flatnonzero(pairs.mated)
    count = len(pairs.templates.ids)
    if subjects is None:
        codes = joined_subjects(count, pairs.first[mated], pairs.second[mated])
    else:
        codes = cluster_codes(subjects, count)
        same_length(subjects=len(codes), templates=count)
    made = np.zeros(int(codes.max(initial=-1)) + 1)  # non-mated comparisons of each subject
    for side in (pairs.first, pairs.second):
        made += np.bincount(codes, counts_of(side, count), len(made)) - np.bincount(codes[side[mated]], None, len(made))
    return tuple(_interval(scores, point, mated, codes, made, level) for point in points)


def _interval(
    scores: SortedScores, point: TarAtFar, mated: IntArray, codes: IntArray, made: FloatArray, level: float
) -> TarInterval:
    subject = codes[scores.pairs.first[mated]]
    known, threshold, false_accepts = len(np.unique(subject)), point.at.threshold, point.at.false_accepts
    if threshold is None or false_accepts is None:
        return TarInterval(None, None, known, None, point.at.note)
    if point.tar is None:
        return TarInterval(None, None, known, None, "not measurable: no mated comparisons")
    above = scores.pairs_above(threshold)
    missed = np.ones(len(scores.pairs.mated), dtype=np.bool_)
    missed[above] = False
    fixed = rate_over_subjects(missed[mated], subject, level=level)
    if fixed.low is None or fixed.high is None:
        return TarInterval(None, None, known, None, "no interval: mated comparisons of one subject only")
    wrong = above[~scores.pairs.mated[above]]
    effect = _design_effect([codes[side[wrong]] for side in (scores.pairs.first, scores.pairs.second)], made)
    strict, lax = _tars_beside(scores, point, effect, level)
    high = min(1.0, point.tar + math.hypot((1.0 - fixed.low) - point.tar, lax - point.tar))
    if strict is None:
        return TarInterval(None, high, known, effect, _UNBOUNDED)
    low = max(0.0, point.tar - math.hypot(point.tar - (1.0 - fixed.high), point.tar - strict))
    return TarInterval(low, high, known, effect)


def _tars_beside(scores: SortedScores, point: TarAtFar, effect: float, level: float) -> tuple[float | None, float]:
    """TAR at the strictest and at the laxest threshold that may be the right one; None where even none is accepted."""
    count, allowed = len(scores.non_mated), max(1, point.at.false_accepts or 0)
    spread = float(stats.norm.isf((1.0 - level) / 2.0)) * math.sqrt(allowed * effect)
    fewest, most = math.floor(allowed - spread), min(count - 1, math.ceil(allowed + spread))
    lax = _tar_allowing(scores, most)
    return (None if fewest < 0 else _tar_allowing(scores, fewest)), max(lax, point.tar or 0.0)


def _tar_allowing(scores: SortedScores, false_accepts: int) -> float:
    _, accepted, _ = counts_allowing(scores, false_accepts)
    return accepted / len(scores.mated)


def _design_effect(wrong: Sequence[IntArray], made: FloatArray) -> float:
    """Dyadic variance of the FAR over that of independent pairs (Fogliato, Patil and Perona, IJCV 2024); at least 1.

    As :func:`countenance.assessment.intervals.dyadic_variance` with each pair a dyad of its own: pairs of the same two
    subjects then count among those that share a subject, twice, which takes their variance rather too high.

    Args:
        wrong: subjects of the falsely accepted pairs, first and second, [E] each.
        made: non-mated comparisons of each subject, [S].
    """
    total, errors = made.sum() / 2.0, len(wrong[0])
    if errors == 0 or errors == total:
        return 1.0
    rate = errors / total
    of_subject = np.zeros(len(made))
    for side in wrong:
        of_subject += np.bincount(side, minlength=len(made))
    alone = total * rate * (1.0 - rate)
    return max(1.0, float(np.square(of_subject - rate * made).sum()) / float(alone) - 1.0)
