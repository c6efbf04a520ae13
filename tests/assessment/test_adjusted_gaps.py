import numpy as np
import pytest

from countenance.assessment.adjusted_gaps import adjusted_gap
from countenance.assessment.groups import GroupSizes, gap_between_groups
from countenance.assessment.intervals import Resampling
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

SMALL = GroupSizes(minimum=2, sufficient=3)
QUICK = Resampling(resamples=200)


def errors(values) -> RowScores:
    return RowScores(np.asarray(values, dtype=float), "years", higher_is_better=False, proportion=False)


def two_groups(photos: int, *, treated_worse: float, seed: int = 0):
    """Errors grow with the yaw; b is photographed further turned, and wrong by so much more at the same yaw."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(["a", "b"], photos)
    yaw = np.concatenate([generator.uniform(0, 30, photos), generator.uniform(15, 45, photos)])
    values = 2.0 + 0.1 * yaw + treated_worse * (groups == "b") + generator.normal(scale=0.5, size=2 * photos)
    return errors(values), groups, yaw


def test_a_gap_that_is_all_due_to_pose_goes_away():
    scores, groups, yaw = two_groups(400, treated_worse=0.0)
    raw = gap_between_groups(scores, groups, sizes=SMALL, resampling=QUICK)
    found = adjusted_gap(scores, groups, {"yaw": yaw}, sizes=SMALL, resampling=QUICK)
    assert raw.low > 1.2  # 15 degrees further, 0.1 a degree
    assert found.gap.value < 0.2
    assert found.covariates == ("yaw",)
    assert found.gap.note == "between 2 groups, yaw held equal"


def test_a_gap_at_equal_pose_stays():
    scores, groups, yaw = two_groups(400, treated_worse=1.0)
    found = adjusted_gap(scores, groups, {"yaw": yaw}, sizes=SMALL, resampling=QUICK)
    assert found.gap.low < 1.0 < found.gap.high
    assert found.gap.value == pytest.approx(found.means["b"] - found.means["a"])


def test_by_hand_both_groups_at_the_yaw_of_all_photos():
    # a: yaw 0 and 10, errors 1 and 2; b: yaw 10 and 20, errors 4 and 5. Slope 0.1, a at 10: 2, b at 10: 4.
    found = adjusted_gap(
        errors([1.0, 2.0, 4.0, 5.0]), ["a", "a", "b", "b"], {"yaw": [0.0, 10.0, 10.0, 20.0]}, sizes=SMALL
    )
    assert found.means == pytest.approx({"a": 2.0, "b": 4.0})


def test_covariates_that_are_alike_everywhere_change_nothing():
    scores, groups, _ = two_groups(50, treated_worse=1.0)
    raw = gap_between_groups(scores, groups, sizes=SMALL, resampling=QUICK)
    same = adjusted_gap(scores, groups, {"size": np.full(100, 80.0)}, sizes=SMALL, resampling=QUICK)
    assert same.gap.value == pytest.approx(raw.value)
    assert same.gap.low == pytest.approx(raw.low)
    yes_no = adjusted_gap(scores, groups, {"glasses": np.tile([0.0, 1.0], 50)}, sizes=SMALL, resampling=QUICK)
    assert yes_no.gap.value == pytest.approx(raw.value, abs=0.1)


def test_the_unit_of_a_covariate_does_not_matter():
    scores, groups, yaw = two_groups(60, treated_worse=1.0)
    in_degrees, in_turns = (
        adjusted_gap(scores, groups, {"yaw": yaw / unit}, sizes=SMALL, resampling=QUICK).gap for unit in (1.0, 360.0)
    )
    assert in_degrees.value == pytest.approx(in_turns.value)
    assert in_degrees.high == pytest.approx(in_turns.high)


def test_photos_without_a_covariate_and_small_groups_are_left_out():
    scores, groups, yaw = two_groups(20, treated_worse=1.0)
    yaw = np.where(np.arange(40) < 5, np.nan, yaw)
    labels = np.where(np.arange(40) == 39, "rare", groups)
    found = adjusted_gap(scores, labels, {"yaw": yaw}, sizes=SMALL, resampling=QUICK)
    assert found.gap.count == 34
    assert set(found.means) == {"a", "b"}
    nobody = adjusted_gap(scores, labels, {"yaw": np.full(40, np.nan)}, sizes=SMALL, resampling=QUICK)
    assert (nobody.gap.value, nobody.means) == (None, {})


def test_a_covariate_that_stands_for_the_group_leaves_nothing_to_tell():
    scores, groups, _ = two_groups(20, treated_worse=1.0)
    found = adjusted_gap(scores, groups, {"is b": (groups == "b").astype(float)}, sizes=SMALL, resampling=QUICK)
    assert found.gap.value is None
    assert "tell the groups apart" in found.gap.note


def test_a_ratio_of_adjusted_means():
    scores, groups, yaw = two_groups(200, treated_worse=1.0)
    found = adjusted_gap(scores, groups, {"yaw": yaw}, sizes=SMALL, resampling=QUICK, ratio=True)
    assert found.gap.value == pytest.approx(found.means["b"] / found.means["a"])
    assert found.gap.unit == "ratio"


def test_without_a_covariate_there_is_nothing_to_adjust():
    with pytest.raises(AssessmentError, match="without a covariate"):
        adjusted_gap(errors([1.0, 2.0]), ["a", "b"], {})
