import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.analysis.refinement import LocatedFaces, boxes_towards
from countenance.analysis.suppression import merge_faces, same_face
from countenance.data.alignment import intersection_over_union
from tests.analysis.oracle import points_in

OVERLAP = 0.4


def faces(boxes: list[tuple[float, ...]], probability: list[float], photo: list[int] | None = None) -> LocatedFaces:
    box = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    count = len(box)
    return LocatedFaces(
        photo=np.array(photo if photo is not None else [0] * count, dtype=np.int64),
        box_xywh=box,
        probability=np.array(probability, dtype=np.float32),
        landmarks=np.stack([points_in(each) for each in box]) if count else np.empty((0, 5, 2), dtype=np.float32),
        visibility=np.arange(5 * count, dtype=np.float32).reshape(count, 5),
        pose_deg=np.zeros((count, 3), dtype=np.float32),
        smile_probability=np.full(count, 0.5, dtype=np.float32),
        male_probability=np.full(count, 0.5, dtype=np.float32),
        age_years=np.full(count, 40.0, dtype=np.float32),
    )


def merged(given_faces: LocatedFaces) -> LocatedFaces:
    return merge_faces(given_faces, scheme="5", overlap=OVERLAP)


def test_three_readings_of_a_face_become_one_with_their_median_landmarks():
    # Shifts of 0, 2 and 8 px: the median is 2.
    result = merged(faces([(0, 0, 72, 100), (2, 2, 72, 100), (8, 8, 72, 100)], [0.9, 0.8, 0.7]))
    assert len(result) == 1
    assert result.probability[0] == np.float32(0.9)
    np.testing.assert_allclose(result.landmarks[0], points_in(np.array([2, 2, 72, 100])), atol=1e-4)
    assert result.box_xywh[0, :2] == pytest.approx([2, 2], abs=1.5)


def test_only_the_best_five_have_a_say():
    boxes = [(0.0, 0.0, 72.0, 100.0)] * 5 + [(15.0, 0.0, 72.0, 100.0)] * 9
    result = merged(faces(boxes, [0.9] * 5 + [0.8] * 9))
    np.testing.assert_allclose(result.landmarks[0], points_in(np.array([0, 0, 72, 100])), atol=1e-4)


def test_two_people_side_by_side_stay_two():
    assert len(merged(faces([(0, 0, 72, 100), (50, 0, 72, 100)], [0.9, 0.8]))) == 2


def test_a_nose_within_a_face_is_no_other_face():
    assert len(merged(faces([(0, 0, 72, 100), (25, 40, 20, 25)], [0.7, 0.9]))) == 1


def test_what_was_read_in_a_part_of_the_face_goes_without_a_say():
    whole = (0.0, 0.0, 72.0, 100.0)
    result = merged(faces([whole, (10, 40, 40, 55), (15, 45, 36, 50)], [0.9, 0.8, 0.7]))
    assert len(result) == 1
    np.testing.assert_allclose(result.box_xywh[0], whole, atol=1e-4)
    np.testing.assert_allclose(result.landmarks[0], points_in(np.array(whole)), atol=1e-4)


def test_faces_of_two_photos_at_one_place_stay_two():
    result = merged(faces([(0, 0, 72, 100), (0, 0, 72, 100)], [0.7, 0.9], [1, 0]))
    assert result.photo.tolist() == [0, 1]


def test_no_faces_merge_to_none():
    assert len(merged(faces([], []))) == 0


def test_overlap_by_hand():
    box = np.array([0, 0, 10, 10], dtype=np.float32)
    others = [[5, 0, 10, 10], [2, 0, 10, 10], [4, 4, 2, 2], [9, 9, 4, 4], [2, 6, 7, 7], [2, 7, 7, 7]]
    # 50 / 150; 80 / 120; within; 1 / 115; 28 of the lesser's 49; 21 of 49
    same = same_face(box, np.array(others, dtype=np.float32), overlap=OVERLAP)
    assert same.tolist() == [False, True, True, False, True, False]


many_faces = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 120), st.integers(0, 120), st.integers(20, 60), st.integers(1, 9)),
    max_size=14,
)


def built(rows: list[tuple[int, int, int, int, int]]) -> LocatedFaces:
    boxes = [(float(x), float(y), 0.73 * side, float(side)) for _, x, y, side, _ in rows]
    return faces(boxes, [row[4] / 10 for row in rows], [row[0] for row in rows])


@settings(max_examples=150)
@given(many_faces)
def test_merging_again_changes_nothing_and_nothing_overlaps(rows: list[tuple[int, int, int, int, int]]):
    once = merged(built(rows))
    again = merged(once)
    for name in ("photo", "box_xywh", "probability", "landmarks", "visibility"):
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))
    for photo in set(once.photo.tolist()):
        boxes = once.box_xywh[once.photo == photo]
        for row in range(len(boxes) - 1):
            assert intersection_over_union(boxes[row], boxes[row + 1 :]).max() <= OVERLAP


@settings(max_examples=150)
@given(many_faces, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(rows: list[tuple[int, int, int, int, int]], random):
    unique = list(dict.fromkeys(rows))
    shuffled = unique.copy()
    random.shuffle(shuffled)
    one, other = merged(built(unique)), merged(built(shuffled))
    for name in ("photo", "box_xywh", "probability", "landmarks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_box_that_landmarks_ask_for_is_taken_when_it_is_near():
    before = np.array([[10, 10, 80, 100]], dtype=np.float32)
    asked = np.array([[20, 5, 90, 110]], dtype=np.float32)
    np.testing.assert_allclose(boxes_towards(asked, before), asked)


def test_a_box_does_not_collapse_explode_or_jump():
    before = np.repeat(np.array([[0, 0, 100, 100]], dtype=np.float32), 4, axis=0)
    asked = np.array([[49, 49, 2, 2], [-400, -400, 900, 900], [300, 0, 100, 100], [45, 0, 10, 100]], dtype=np.float32)
    moved = boxes_towards(asked, before)
    np.testing.assert_allclose(
        moved, [[25, 25, 50, 50], [-50, -50, 200, 200], [50, 0, 100, 100], [33.333, 0, 33.333, 100]], atol=1e-2
    )
    assert (boxes_towards(np.zeros((4, 4), dtype=np.float32), before)[:, 2:] > 10).all()
