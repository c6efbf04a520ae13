import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.methods.relational import (
    RelationalDistillation,
    RelationalHeader,
    angle_loss,
    distance_loss,
)


def circle(*degrees):
    return torch.tensor([[math.cos(math.radians(at)), math.sin(math.radians(at))] for at in degrees])


def chord(degrees):
    return 2 * math.sin(math.radians(degrees) / 2)


def test_distances_are_compared_over_their_mean():
    # Students at 0, 60, 120 degrees; teachers at 0, 90, 180.
    student, teacher = circle(0, 60, 120), circle(0, 90, 180)
    of_student = [chord(60), chord(120), chord(60)]
    of_teacher = [chord(90), chord(180), chord(90)]
    means = sum(of_student) / 3, sum(of_teacher) / 3
    expected = sum((s / means[0] - t / means[1]) ** 2 / 2 for s, t in zip(of_student, of_teacher, strict=True)) / 3
    assert distance_loss(student, teacher).item() == pytest.approx(expected, rel=1e-4)


def test_angles_are_those_of_the_triangles_that_three_rows_make():
    # An angle in a circle is half of the arc it looks at: 30, 120, 30 degrees; of the teacher 45, 90, 45.
    student, teacher = circle(0, 60, 120), circle(0, 90, 180)
    pairs = [(30, 45), (120, 90), (30, 45)]
    expected = sum((math.cos(math.radians(s)) - math.cos(math.radians(t))) ** 2 / 2 for s, t in pairs) / 3
    assert angle_loss(student, teacher).item() == pytest.approx(expected, rel=1e-4)


def test_beyond_a_difference_of_one_huber_is_a_line():
    # cos 180 = -1 at the middle one against cos 60 = .5: 1.5 apart, so 1.5 - .5.
    student = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    teacher = circle(0, 120, 240)
    at_the_ends = (1.0 - 0.5) ** 2 / 2
    assert angle_loss(student, teacher).item() == pytest.approx((1.0 + 2 * at_the_ends) / 3, rel=1e-4)


@given(st.integers(0, 10_000), st.integers(3, 8))
def test_turning_and_mirroring_the_students_space_changes_nothing(seed, count):
    generator = torch.Generator().manual_seed(seed)
    student = F.normalize(torch.randn(count, 5, generator=generator, dtype=torch.float64))
    teacher = F.normalize(torch.randn(count, 9, generator=generator, dtype=torch.float64))
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))
    for loss in (distance_loss, angle_loss):
        assert loss(student @ turn, teacher).item() == pytest.approx(loss(student, teacher).item(), rel=1e-6, abs=1e-9)
        assert loss(student @ turn, student).item() == pytest.approx(0.0, abs=1e-9)
        assert loss(student, teacher).item() > 0.0


def test_too_few_rows_have_no_relations():
    one, two = circle(0), circle(0, 90)
    assert distance_loss(one, one).item() == 0.0
    assert angle_loss(two, circle(0, 45)).item() == 0.0
    assert distance_loss(two, circle(0, 45)).item() == pytest.approx(0.0, abs=1e-12)


def test_equal_rows_give_finite_gradients():
    student = circle(0, 0, 0, 90).requires_grad_()
    (distance_loss(student, circle(0, 90, 180, 270)) + angle_loss(student, circle(0, 90, 180, 270))).backward()
    assert torch.isfinite(student.grad).all()
    same = circle(0, 0, 0).requires_grad_()
    (distance_loss(same, same.detach()) + angle_loss(same, same.detach())).backward()
    assert torch.isfinite(same.grad).all()


def header(classes=3, **settings):
    return RelationalHeader(classes, 2, RelationalDistillation(**settings), torch.Generator().manual_seed(0))


def test_the_loss_is_the_softmax_of_named_people_plus_both_terms_of_every_face():
    student, teacher = 5 * circle(0, 60, 120), circle(0, 90, 180)
    ours = header(classes=2, distance_weight=2.0, angle_weight=3.0)
    loss = ours(student, torch.tensor([0, 1, 2]), teacher)
    softmax = ours.softmax(student[:2], torch.tensor([0, 1]), None)
    unit = circle(0, 60, 120)
    expected = softmax + 2.0 * distance_loss(unit, teacher) + 3.0 * angle_loss(unit, teacher)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert set(ours.curves) == {"distillation_term", "classification_term", "centre_agreement"}


def test_of_a_large_batch_only_the_first_rows_are_held_against_one_another():
    student, teacher = circle(0, 60, 120, 200), circle(0, 90, 180, 10)
    labels = torch.arange(4)
    few = header(classes=0, relations=3)(student, labels, teacher)
    assert few.item() == pytest.approx(header(classes=0)(student[:3], labels[:3], teacher[:3]).item(), rel=1e-6)


def test_the_teacher_may_be_of_another_dimension_but_not_missing_or_damaged():
    ours, labels = header(), torch.arange(3)
    assert torch.isfinite(ours(circle(0, 60, 120), labels, F.normalize(torch.randn(3, 7))))
    with pytest.raises(ModelError, match="no teacher features"):
        ours(circle(0, 60, 120), labels, None)
    with pytest.raises(ModelError, match="zero or not finite"):
        ours(circle(0, 60, 120), labels, torch.full((3, 7), math.nan))
    assert ours(circle(0, 60, 120), torch.full((3,), -1), None) is None
