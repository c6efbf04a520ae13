import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import ModelError
from countenance.learning.distillation import (
    AdaDistillConfiguration,
    AdaDistillHeader,
    MarginSoftmaxHeader,
    fold_weights,
)
from countenance.network.margin import MarginConfiguration


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def published_step_one_row_after_the_other(centres, student, teacher, labels, margin, scale):
    """AdaDistill in plain NumPy, written row by row from the formulas; returns the loss and moves ``centres``."""
    rows = [row for row in range(len(labels)) if labels[row] >= 0]
    before = centres.copy()
    for row in rows:
        s, t, w = unit(student[row]), unit(teacher[row]), unit(before[labels[row]])
        alpha = min(max((s @ t) * min(max(w @ t, 1e-6), 1.0), 1e-6), 1.0)
        centres[labels[row]] = alpha * centres[labels[row]] + (1 - alpha) * t
    losses = []
    for row in rows:
        logits = [float(unit(student[row]) @ unit(centre)) for centre in centres]
        own = logits[labels[row]]
        theta = math.acos(max(-1.0, min(1.0, own)))
        own = math.cos(theta + margin) if theta + margin <= math.pi else own - math.sin(math.pi - margin) * margin
        logits[labels[row]] = own
        scaled = np.array(logits) * scale
        losses.append(np.log(np.exp(scaled - scaled.max()).sum()) + scaled.max() - scaled[labels[row]])
    return float(np.mean(losses))


def header(classes=7, dimension=12, **settings):
    return AdaDistillHeader(classes, dimension, AdaDistillConfiguration(**settings), torch.Generator().manual_seed(0))


def test_twenty_steps_equal_the_formulas_in_plain_numpy_with_repeated_and_missing_labels():
    ours = header()
    centres = ours.centres.numpy().astype(np.float64)
    generator = np.random.default_rng(5)
    truth = generator.normal(size=(7, 12))
    for step in range(20):
        labels = generator.integers(-1, 7, 16)
        assert len(set(labels[labels >= 0])) < (labels >= 0).sum()
        teacher = truth[labels] + 0.5 * generator.normal(size=(16, 12))
        student = teacher + (2.0 - step / 10) * generator.normal(size=(16, 12))
        expected = published_step_one_row_after_the_other(centres, student, teacher, labels, 0.45, 64.0)
        loss = ours(
            torch.tensor(student, dtype=torch.float32),
            torch.tensor(labels),
            torch.tensor(teacher, dtype=torch.float32),
        )
        np.testing.assert_allclose(ours.centres.numpy(), centres, atol=1e-5)
        assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_at_the_first_visit_a_centre_becomes_the_teachers_feature():
    ours = header(classes=3, dimension=512)
    teacher = torch.nn.functional.normalize(torch.randn(1, 512, generator=torch.Generator().manual_seed(1)))
    student = -teacher  # disagrees, so alpha is at its floor
    ours(student, torch.tensor([1]), teacher)
    torch.testing.assert_close(ours.centres[1:2], teacher, atol=1e-5, rtol=0)


def test_a_student_that_agrees_with_teacher_and_centre_leaves_the_centre_where_it_is():
    ours = header(classes=2, dimension=4)
    ours.centres.copy_(torch.eye(4)[:2])
    one = torch.eye(4)[:1]
    ours(3.0 * one, torch.tensor([0]), 5.0 * one)
    torch.testing.assert_close(ours.centres, torch.eye(4)[:2])
    assert ours.curves == {"alpha": pytest.approx(1.0), "teacher_agreement": pytest.approx(1.0)}


def test_the_weighted_alpha_is_the_product_of_both_agreements_and_the_plain_one_only_the_students():
    student = torch.tensor([[0.8, 0.6]])
    teacher = torch.tensor([[1.0, 0.0]])
    for alpha, expected in (("weighted", 0.8 * 0.6), ("plain", 0.8)):
        ours = header(classes=1, dimension=2, alpha=alpha)
        ours.centres.copy_(torch.tensor([[0.6, 0.8]]))
        ours(student, torch.tensor([0]), teacher)
        assert ours.curves["alpha"] == pytest.approx(expected)
        moved = expected * torch.tensor([0.6, 0.8]) + (1 - expected) * teacher[0]
        torch.testing.assert_close(ours.centres[0], moved)


def test_fixed_centres_are_the_teachers_class_means_and_never_move():
    ours = header(classes=2, dimension=3, alpha="fixed")
    features, labels = torch.randn(6, 3), torch.tensor([0, 1, 0, 1, 1, 1])
    with pytest.raises(ModelError, match="call fix_centres first"):
        ours(features, labels, features)
    ours.fix_centres(features, labels)
    mean = torch.nn.functional.normalize(torch.nn.functional.normalize(features[[0, 2]]).mean(0), dim=0)
    torch.testing.assert_close(torch.nn.functional.normalize(ours.centres[0], dim=0), mean)
    before = ours.centres.clone()
    ours(torch.randn(2, 3), torch.tensor([0, 1]), torch.randn(2, 3))
    assert torch.equal(ours.centres, before)
    with pytest.raises(ModelError, match="1 of 2 classes have no teacher feature"):
        ours.fix_centres(features, torch.zeros(6, dtype=torch.int64))


@given(st.lists(st.tuples(st.floats(1e-6, 1.0), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_fold_weights_of_a_class_sum_to_one(rows):
    alpha = torch.tensor([value for value, _ in rows], dtype=torch.float64)
    labels = torch.tensor([label for _, label in rows])
    keep, take = fold_weights(alpha, labels)
    for label in set(labels.tolist()):
        mine = labels == label
        assert (keep[mine][0] + take[mine].sum()).item() == pytest.approx(1.0)


def test_the_last_of_several_rows_weighs_what_it_would_weigh_alone():
    keep, take = fold_weights(torch.tensor([0.5, 0.25, 0.9]), torch.tensor([1, 1, 0]))
    torch.testing.assert_close(keep, torch.tensor([0.125, 0.125, 0.9]))
    torch.testing.assert_close(take, torch.tensor([0.5 * 0.25, 0.75, 0.1]))


def test_rows_without_a_class_touch_neither_centres_nor_loss():
    ours, alone = header(), header()
    embedding, teacher = torch.randn(4, 12), torch.randn(4, 12)
    loss = ours(embedding, torch.tensor([2, -1, 5, -1]), teacher)
    expected = alone(embedding[[0, 2]], torch.tensor([2, 5]), teacher[[0, 2]])
    assert torch.equal(loss, expected)
    assert torch.equal(ours.centres, alone.centres)
    before = ours.centres.clone()
    assert ours(embedding, torch.full((4,), -1), teacher) is None
    assert torch.equal(ours.centres, before)


def test_the_centres_are_no_parameter_and_only_the_student_gets_a_gradient():
    ours = header()
    embedding = torch.randn(3, 12, requires_grad=True)
    teacher = torch.randn(3, 12, requires_grad=True)
    ours(embedding, torch.tensor([0, 1, 1]), teacher).backward()
    assert list(ours.parameters()) == []
    assert "centres" in ours.state_dict()
    assert embedding.grad.abs().sum() > 0
    assert teacher.grad is None


def test_a_teacher_that_is_missing_or_of_another_length_is_refused():
    with pytest.raises(ModelError, match="no teacher features"):
        header()(torch.randn(1, 12), torch.tensor([0]), None)
    with pytest.raises(ModelError, match="set the student's embedding_dimension to 8"):
        header()(torch.randn(1, 12), torch.tensor([0]), torch.randn(1, 8))


def test_the_plain_margin_header_learns_its_weights_and_ignores_a_teacher():
    ours = MarginSoftmaxHeader(3, 4, MarginConfiguration(scale=8.0), torch.Generator().manual_seed(0))
    embedding = torch.randn(2, 4, requires_grad=True)
    loss = ours(embedding, torch.tensor([2, -1]), None)
    assert torch.equal(loss, ours(embedding, torch.tensor([2, -1]), torch.randn(2, 4)))
    loss.backward()
    assert ours.weight.grad.abs().sum() > 0
    assert embedding.grad[1].abs().sum() == 0
    assert ours(embedding, torch.tensor([-1, -1]), None) is None
