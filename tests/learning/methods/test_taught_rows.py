import math

import pytest
import torch

from countenance.errors import ModelError
from countenance.learning.methods.taught_rows import agreement, taught_rows

EMBEDDING = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0]])
TEACHER = torch.tensor([[0.0, 5.0], [9.0, 9.0], [2.0, 0.0]])


def test_only_rows_with_a_class_are_taught_and_both_sides_are_made_unit_norm():
    rows = taught_rows(EMBEDDING, torch.tensor([1, -1, 0]), TEACHER)
    assert rows is not None
    assert rows.labels.tolist() == [1, 0]
    torch.testing.assert_close(rows.embedding, EMBEDDING[[0, 2]])
    torch.testing.assert_close(rows.student, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    torch.testing.assert_close(rows.teacher, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert agreement(rows.student, rows.teacher) == pytest.approx(0.4)


def test_a_batch_without_a_class_teaches_nothing_even_without_a_teacher():
    assert taught_rows(EMBEDDING, torch.tensor([-1, -1, -1]), None) is None


def test_a_missing_or_damaged_teacher_or_one_of_another_length_is_refused():
    labels = torch.tensor([0, 1, -1])
    with pytest.raises(ModelError, match="no teacher features"):
        taught_rows(EMBEDDING, labels, None)
    with pytest.raises(ModelError, match="have 3 numbers but the student's embeddings have 2"):
        taught_rows(EMBEDDING, labels, torch.ones(3, 3))
    assert taught_rows(EMBEDDING, labels, torch.ones(3, 3), same_space=False) is not None
    for value in (math.nan, math.inf, 0.0):
        damaged = TEACHER.clone()
        damaged[1] = value
        with pytest.raises(ModelError, match="features of 1 of 2 faces of a batch are zero or not finite"):
            taught_rows(EMBEDDING, labels, damaged)


def test_a_damaged_feature_of_a_face_that_is_not_taught_does_no_harm():
    damaged = TEACHER.clone()
    damaged[2, 0] = math.nan
    assert taught_rows(EMBEDDING, torch.tensor([0, 1, -1]), damaged) is not None
