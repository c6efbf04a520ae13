"""FMR and FNMR of every group at one FAR over everybody, the threshold found again in every resample of people.

Two systems are comparable at one level of security only. A threshold that a few validation people give lets in twice as
many strangers of the test with one system as with the other, by chance; so the test people themselves give it here, and
its own doubt is in every interval. FMR of a group is over strangers within it, as in
:mod:`countenance.assessment.differential`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.group_error_counts import group_codes, members_and_shown
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.verification import ThresholdResampler

FNMR, FMR = 0, 1


class GroupErrorsAtFar:
    """Both error rates of each shown group as one statistic of subject weights.

    Args:
        scores: of one system.
        groups: subject -> group; a subject that is not in it is in no group, but counts for the threshold.
        far: of all non-mated comparisons, whatever the groups.
        sizes: subjects that a group needs to be shown.

    Attributes:
        all_names: of the groups, in order.
        members: subjects of each, [all groups].
        names: of the shown groups, [G].
        subjects: how many there are, S.
    """

    def __init__(
        self,
        scores: ComparisonScores,
        groups: Mapping[str, str],
        far: float,
        sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    ) -> None:
        of_subject, self.all_names = group_codes(scores, groups)
        self.members, shown = members_and_shown(of_subject, len(self.all_names), sizes)
        self.names = tuple(self.all_names[code] for code in shown)
        pairs = scores.pairs
        self.subjects = len(pairs.subjects)
        self._thresholds = ThresholdResampler(scores, far)
        first, second, same = pairs.non_mated_subject_first, pairs.non_mated_subject_second, pairs.mated_subject
        self._strangers, self._mated = [], []
        for code in shown:
            inside = (of_subject[first] == code) & (of_subject[second] == code)
            own = of_subject[same] == code
            self._strangers.append(_Comparisons.of(scores.non_mated[inside], first[inside], second[inside]))
            self._mated.append(_Comparisons.of(scores.mated[own], same[own]))

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return FNMR and FMR under each row of ``weights`` [B, S]: [B, 2, G].

        NaN where the FAR is not measurable, or the resample has no comparison of the group.
        """
        rates = np.full((len(weights), 2, len(self.names)), np.nan)
        for row, (weight, threshold) in enumerate(zip(weights, self._thresholds(weights), strict=True)):
            if np.isnan(threshold):
                continue
            for column, (mated, strangers) in enumerate(zip(self._mated, self._strangers, strict=True)):
                rates[row, FNMR, column] = 1.0 - mated.share_above(threshold, weight)
                rates[row, FMR, column] = strangers.share_above(threshold, weight)
        return rates


class _Comparisons(NamedTuple):
    """Comparisons of one group by falling score.

    Attributes:
        negated: [N] scores, negated.
        sides: subject codes of the one side, [N], or of both; a comparison counts as often as the product of theirs.
    """

    negated: FloatArray
    sides: tuple[IntArray, ...]

    @classmethod
    def of(cls, scores: FloatArray, *sides: IntArray) -> _Comparisons:
        falling = np.argsort(-scores, kind="stable")
        return cls(-scores[falling].astype(np.float64), tuple(side[falling] for side in sides))

    def share_above(self, threshold: float, weight: IntArray) -> float:
        """The share of the comparisons, each counted by its subjects' weights, whose score is above the threshold."""
        counted = np.prod([weight[side] for side in self.sides], axis=0)
        total = counted.sum()
        above = int(np.searchsorted(self.negated, -threshold, side="left"))
        return float(counted[:above].sum() / total) if total else np.nan
