import numpy as np
import pytest

from countenance.assessment.found_faces import found_of_labelled
from countenance.errors import AssessmentError


def boxes(*values):
    column = np.full(len(values), None, dtype=object)
    for row, value in enumerate(values):
        column[row] = None if value is None else np.array(value, dtype=np.float64)
    return column


def test_each_labelled_face_takes_the_found_one_of_its_photo_that_overlaps_most():
    labelled = boxes((0, 0, 10, 10), (50, 0, 10, 10), (0, 0, 10, 10), (0, 0, 10, 10))
    found = boxes((0, 2, 10, 10), (0, 1, 10, 10), (100, 0, 10, 10), None, (0, 0, 10, 10))
    match = found_of_labelled(["p", "p", "q", "r"], labelled, ["p", "p", "p", "q", "s"], found)
    # q was looked through and nothing found; r wasn't looked through; s has no label.
    assert match.found.tolist() == [1, -1, -1, -1]
    assert match.searched.tolist() == [True, True, True, False]


def test_an_overlap_of_a_half_is_enough_and_less_is_not():
    labelled = boxes((0, 0, 10, 10), (0, 0, 10, 10))
    found = boxes((0, 0, 10, 5), (0, 0, 10, 4.9))
    assert found_of_labelled(["p", "q"], labelled, ["p", "q"], found).found.tolist() == [0, -1]


def test_a_photo_that_the_labels_do_not_know_is_no_matter_even_without_a_name():
    match = found_of_labelled(["p"], boxes((0, 0, 1, 1)), [None, "x"], boxes((0, 0, 1, 1), (0, 0, 1, 1)))
    assert (match.found.tolist(), match.searched.tolist()) == ([-1], [False])


def test_a_labelled_face_without_a_box_is_refused():
    with pytest.raises(AssessmentError, match="In row 1 a labelled face has no box"):
        found_of_labelled(["p", "p"], boxes((0, 0, 1, 1), None), ["p"], boxes((0, 0, 1, 1)))
