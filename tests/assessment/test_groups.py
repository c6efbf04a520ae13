import numpy as np
import pytest

from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.groups import GroupSizes, by_group, cross_groups, gap_between_groups
from countenance.assessment.intervals import Resampling
from countenance.assessment.row_scores import RowScores, right_decisions
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=200)
SMALL = GroupSizes(minimum=2, sufficient=4)


def decisions(values: list[float]) -> RowScores:
    return RowScores(np.array(values), "proportion", higher_is_better=True, proportion=True)


def test_any_metric_is_measured_overall_and_by_group():
    scores = decisions([1, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1])
    groups = ["a"] * 4 + ["b"] * 2 + ["c"] + [None] * 4
    found = by_group(lambda rows: mean_over_subjects(scores.take(rows)), groups, sizes=SMALL)
    assert found.overall.value == pytest.approx(8 / 11)
    assert [(item.group, item.status, item.subjects) for item in found.groups] == [
        ("a", "sufficient", 4),
        ("b", "insufficient", 2),
        ("c", "suppressed", None),
    ]
    assert [item.measurement and item.measurement.value for item in found.groups] == [0.75, 0.0, None]
    assert found.worst.group == "b"


def test_a_group_is_sized_by_its_subjects_and_not_by_its_photos():
    found = by_group(
        lambda rows: mean_over_subjects(decisions([1.0] * 50).take(rows)),
        ["a"] * 50,
        subjects=["s1", "s2", "s3"] * 16 + ["s1"] * 2,
        sizes=SMALL,
    )
    assert (found.groups[0].subjects, found.groups[0].status) == (3, "insufficient")


def test_the_metric_is_never_called_for_a_suppressed_group():
    asked: list[int] = []

    def metric(rows: np.ndarray):
        asked.append(len(rows))
        return mean_over_subjects(decisions([1.0] * 5).take(rows))

    found = by_group(metric, ["a"] * 4 + ["b"], sizes=SMALL)
    assert asked == [4, 5]
    assert found.to_dict()["groups"][1] == {
        "group": "b",
        "subjects": None,
        "status": "suppressed",
        "measurement": None,
    }


def test_the_worst_group_of_an_error_is_the_highest_and_none_without_values():
    errors = RowScores(np.array([1.0, 2.0, 5.0, 6.0]), "years", higher_is_better=False, proportion=False)
    found = by_group(lambda rows: mean_over_subjects(errors.take(rows)), ["a", "a", "b", "b"], sizes=SMALL)
    assert found.worst.group == "b"
    unlabelled = RowScores(np.full(4, np.nan), "years", higher_is_better=False, proportion=False)
    nothing = by_group(lambda rows: mean_over_subjects(unlabelled.take(rows)), ["a", "a", "b", "b"], sizes=SMALL)
    assert nothing.worst is None


def test_groups_cross_and_a_null_in_either_is_in_no_group():
    crossed = cross_groups(["f", "m", None], ["dark", "light", "dark"])
    assert crossed.tolist() == ["f | dark", "m | light", None]
    with pytest.raises(AssessmentError, match="column 1 has 1"):
        cross_groups(["f", "m"], ["dark"])


def test_a_gap_is_the_largest_less_the_smallest_mean_of_the_shown_groups():
    labels = ["male"] * 16
    guesses = ["male"] * 7 + ["female"] + ["male"] * 5 + ["female"] * 2 + ["female"]
    groups = ["a"] * 8 + ["b"] * 7 + ["c"]
    scores = right_decisions(labels, guesses, ("male", "female"))
    gap = gap_between_groups(scores, groups, sizes=SMALL, resampling=QUICK)
    assert gap.value == pytest.approx(7 / 8 - 5 / 7)
    assert gap.low <= gap.value <= gap.high
    assert gap.note == "between 2 groups"
    assert not gap.higher_is_better
    ratio = gap_between_groups(scores, groups, sizes=SMALL, resampling=QUICK, ratio=True)
    assert (ratio.value, ratio.unit) == (pytest.approx(7 / 8 / (5 / 7)), "ratio")


def test_a_gap_needs_two_groups():
    gap = gap_between_groups(decisions([1, 0, 1]), ["a", "a", "b"], sizes=SMALL, resampling=QUICK)
    assert (gap.value, gap.note) == (None, "not measurable: fewer than two groups are large enough")


def test_a_group_that_is_not_labelled_is_not_in_the_gap():
    scores = decisions([1, 0, 1, 1, np.nan, np.nan])
    gap = gap_between_groups(scores, list("aabbcc"), sizes=SMALL, resampling=QUICK)
    assert gap.value == 0.5
    assert gap.note.startswith("between 2 groups")


def test_groups_that_are_all_right_may_still_differ_as_far_as_their_own_intervals():
    flat = gap_between_groups(decisions([1] * 60), ["a"] * 40 + ["b"] * 20, sizes=SMALL, resampling=QUICK)
    assert (flat.value, flat.low) == (0.0, 0.0)
    assert flat.high == pytest.approx(12 / 20)  # the rule of three of the smaller group


def test_a_gap_of_errors_without_spread_has_no_interval_and_a_ratio_to_zero_no_value():
    errors = RowScores(np.array([2.0, 2.0, 3.0, 3.0]), "years", higher_is_better=False, proportion=False)
    flat = gap_between_groups(errors, list("aabb"), sizes=SMALL, resampling=Resampling(resamples=1))
    assert (flat.value, flat.low) == (1.0, None)
    assert "no interval" in flat.note
    ratio = gap_between_groups(decisions([1, 1, 0, 0]), list("aabb"), sizes=SMALL, resampling=QUICK, ratio=True)
    assert (ratio.value, ratio.note) == (None, "not measurable: a group's mean is zero")
