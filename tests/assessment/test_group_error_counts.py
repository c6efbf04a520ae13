import numpy as np
import pytest

from countenance.assessment.group_error_counts import GroupErrorCounts
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import subject_weights
from tests.assessment.populations import two_groups


def test_group_rates_under_weights_equal_those_of_the_comparisons_written_out_as_often():
    scores, groups = two_groups(16)
    counts = GroupErrorCounts(scores, groups, 0.4, GroupSizes(minimum=2))
    assert counts.names == ("even", "odd")
    pairs = scores.pairs
    (weights,) = subject_weights(16, 10, np.random.default_rng(0))
    fmr, fnmr = counts.fmr(weights), counts.fnmr(weights)
    for column, name in enumerate(counts.names):
        member = np.array([groups[subject] == name for subject in pairs.subjects])
        inside = member[pairs.non_mated_subject_first] & member[pairs.non_mated_subject_second]
        own = member[pairs.mated_subject]
        for row, weight in enumerate(weights):
            times = (weight[pairs.non_mated_subject_first] * weight[pairs.non_mated_subject_second])[inside]
            assert fmr[row, column] == pytest.approx((scores.non_mated[inside] > 0.4) @ times / times.sum())
            mated = weight[pairs.mated_subject][own]
            assert fnmr[row, column] == pytest.approx((scores.mated[own] <= 0.4) @ mated / mated.sum())
    assert counts.non_mated == [8 * 7 // 2 * 9] * 2
    assert counts.mated == [8 * 3] * 2
