import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.attributes import (
    age_error,
    face_accuracy,
    face_average_precision,
    gender_accuracy,
    landmark_error,
    mean_over_subjects,
    pose_error,
    smile_accuracy,
    yaw_class_accuracy,
)
from countenance.assessment.intervals import Resampling, rate_over_subjects
from countenance.assessment.row_scores import RowScores

QUICK = Resampling(resamples=200)


def test_gender_smile_and_face_accuracy_by_hand():
    gender = gender_accuracy(["male", "female", None, "male"], ["male", "male", "male", "male"])
    assert (gender.value, gender.count, gender.unit) == (pytest.approx(2 / 3), 3, "proportion")
    assert gender.higher_is_better
    assert smile_accuracy([True, False], [True, True]).value == 0.5
    assert face_accuracy([True, False, None], [True, False, False]).count == 2


def test_age_landmarks_and_pose_by_hand():
    assert age_error([20.0, 30.0, None], [21.0, 33.0, 1.0], resampling=QUICK).value == 2.0
    assert pose_error([10.0, 20.0], [11.0, 24.0], resampling=QUICK).value == 2.5
    points = np.array([[[0, 0], [10, 0], [5, 5], [2, 8], [8, 8]]] * 2, dtype=float)
    moved = points.copy()
    moved[0] += [1, 0]
    assert landmark_error(points, moved, resampling=QUICK).value == pytest.approx(0.05)
    yaw = yaw_class_accuracy([[-30.0, 30.0], [30.0, 60.0]], [0.0, 0.0], [(-30.0, 30.0), (30.0, 60.0)])
    assert yaw.value == 0.5


@pytest.mark.parametrize(
    "measured",
    [
        gender_accuracy([None, None], ["male", "male"]),
        smile_accuracy([None], [None]),
        face_accuracy([], []),
        age_error([np.nan], [3.0]),
        landmark_error(np.full((2, 5, 2), np.nan), np.zeros((2, 5, 2))),
        pose_error([[np.nan, np.nan]], [[1.0, 2.0]]),
        yaw_class_accuracy([None], [1.0], [(-30.0, 30.0)]),
        face_average_precision([None], [0.5]),
    ],
)
def test_a_task_without_labels_has_no_value_and_says_so(measured):
    assert (measured.value, measured.low, measured.high, measured.count) == (None, None, None, 0)
    assert measured.note == "not labelled"


def test_a_proportion_has_the_interval_over_subjects():
    right = [True] * 8 + [False] * 2 + [True] * 10
    subjects = np.repeat(["a", "b", "c", "d"], 5)
    measured = smile_accuracy([True] * 20, right, subjects=subjects)
    rate = rate_over_subjects(np.array(right), np.repeat([0, 1, 2, 3], 5))
    assert (measured.low, measured.high) == (rate.low, rate.high)
    alone = smile_accuracy([True] * 20, right)
    assert alone.high - alone.low < measured.high - measured.low


def test_a_perfect_accuracy_is_still_in_doubt():
    measured = gender_accuracy(["male"] * 30, ["male"] * 30)
    assert measured.low == pytest.approx(1 - 12 / 30)


def test_an_interval_over_subjects_is_wider_than_one_over_photos_when_photos_of_a_subject_agree():
    generator = np.random.default_rng(0)
    ages = np.repeat(generator.normal(scale=5, size=20), 20)
    subjects = np.repeat(np.arange(20), 20)
    by_subject = age_error(np.zeros(400), ages, subjects=subjects, resampling=QUICK)
    by_photo = age_error(np.zeros(400), ages, resampling=QUICK)
    assert by_subject.value == by_photo.value
    assert by_subject.high - by_subject.low > 2 * (by_photo.high - by_photo.low)


def test_a_single_subject_or_no_spread_gives_no_interval_and_says_so():
    alone = age_error([1.0, 2.0], [1.0, 4.0], subjects=["a", "a"])
    assert (alone.value, alone.low, alone.note) == (1.0, None, "no interval: a single subject")
    flat = age_error([1.0, 2.0], [2.0, 3.0], resampling=QUICK)
    assert (flat.low, flat.note) == (None, "no interval: the resamples are all alike")


def test_too_many_undefined_resamples_give_no_interval_and_say_so():
    few = face_average_precision([True, False, False], [0.9, 0.5, 0.1], resampling=QUICK)
    assert few.low is None
    assert few.note.startswith("no interval: ")
    assert few.note.endswith("of 200 resamples undefined")


def test_average_precision_by_hand():
    # In order: face, no face, face, no face. Precision 1 at recall 1/2, 2/3 at recall 1: (1 + 2/3) / 2.
    measured = face_average_precision([True, False, True, False], [0.9, 0.8, 0.7, 0.1], resampling=QUICK)
    assert measured.value == pytest.approx((1 + 2 / 3) / 2)
    tied = face_average_precision([True, False], [0.5, 0.5], resampling=QUICK)
    assert tied.value == 0.5


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(row[0] for row in rows) < len(rows)
    )
)
def test_average_precision_is_precision_times_gain_in_recall_at_every_distinct_score(rows: list[tuple[bool, int]]):
    labels, scores = [row[0] for row in rows], [row[1] / 6 for row in rows]
    measured = face_average_precision(labels, scores, resampling=Resampling(resamples=3))
    total, recall = 0.0, 0.0
    for level in sorted(set(scores), reverse=True):
        shown = [label for label, score in zip(labels, scores, strict=True) if score >= level]
        total += sum(shown) / len(shown) * (sum(shown) / sum(labels) - recall)
        recall = sum(shown) / sum(labels)
    assert measured.value == pytest.approx(total)


def test_average_precision_of_faces_alone_is_not_measurable():
    measured = face_average_precision([True, True], [0.5, 0.6])
    assert measured.note == "not measurable: needs faces and non-faces"


def test_the_mean_over_subjects_ignores_the_order_of_photos():
    generator = np.random.default_rng(0)
    values, subjects = generator.normal(size=50), generator.integers(0, 9, 50)
    order = generator.permutation(50)
    first = mean_over_subjects(RowScores(values, "years", False, False), subjects, resampling=QUICK)
    again = mean_over_subjects(RowScores(values[order], "years", False, False), subjects[order], resampling=QUICK)
    assert again.value == pytest.approx(first.value)
    assert (again.low, again.high) == (pytest.approx(first.low), pytest.approx(first.high))


def test_average_precision_does_not_depend_on_how_many_resamples_are_weighed_at_a_time(monkeypatch):
    generator = np.random.default_rng(0)
    labels, scores = generator.random(80) < 0.5, generator.random(80)
    whole = face_average_precision(labels, scores, resampling=QUICK)
    monkeypatch.setattr("countenance.assessment.attributes.WEIGHT_CELLS", 500)
    assert face_average_precision(labels, scores, resampling=QUICK) == whole
