import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import ModelError
from countenance.learning.methods.feature_regression import FeatureRegression, FeatureRegressionHeader

EMBEDDING = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
TEACHER = torch.tensor([[0.0, 1.0], [1.0, 0.0]])


def header(name, classes=2, weight=1.0, dimension=2):
    generator = torch.Generator().manual_seed(0)
    return FeatureRegressionHeader(classes, dimension, FeatureRegression(name=name, weight=weight), generator)


def term(name, embedding, teacher, weight=1.0):
    """The distance alone: nobody of the batch has a name."""
    ours = header(name, classes=0, weight=weight, dimension=embedding.shape[1])
    return ours(embedding, torch.arange(len(embedding)), teacher)


def test_the_squared_distance_is_to_the_teachers_direction_at_the_length_of_a_normalised_layer():
    # Targets (0, sqrt 2) and (sqrt 2, 0): squared distances 9 + (4 - sqrt 2)^2 and 2 + 1, over 2 rows of 2 numbers.
    expected = (9 + (4 - math.sqrt(2)) ** 2 + 3) / 4
    assert term("feature_l2", EMBEDDING, TEACHER).item() == pytest.approx(expected)


def test_the_cosine_distance_asks_nothing_of_the_length():
    # cos = 0.8 and 0: the mean of 0.2 and 1.
    assert term("feature_cosine", EMBEDDING, TEACHER).item() == pytest.approx(0.6)
    assert term("feature_cosine", 7 * EMBEDDING, TEACHER).item() == pytest.approx(0.6)
    assert term("feature_l2", 7 * EMBEDDING, TEACHER).item() != pytest.approx(
        term("feature_l2", EMBEDDING, TEACHER).item()
    )


@pytest.mark.parametrize("name", ["feature_l2", "feature_cosine"])
def test_the_loss_is_the_softmax_of_named_people_plus_the_weighted_distance(name):
    ours = header(name, weight=3.0)
    labels = torch.tensor([1, 0])
    loss = ours(EMBEDDING, labels, TEACHER)
    softmax = ours.softmax(EMBEDDING, labels, None)
    assert loss.item() == pytest.approx(softmax.item() + 3.0 * term(name, EMBEDDING, TEACHER).item(), rel=1e-6)
    assert ours.curves == {
        "distillation_term": pytest.approx(3.0 * term(name, EMBEDDING, TEACHER).item()),
        "classification_term": pytest.approx(softmax.item()),
        "centre_agreement": ours.softmax.curves["centre_agreement"],
        "teacher_agreement": pytest.approx(0.4),
    }


@pytest.mark.parametrize("name", ["feature_l2", "feature_cosine"])
def test_an_unnamed_face_is_in_the_distance_alone_and_one_without_a_class_in_nothing(name):
    ours = header(name, classes=1)
    embedding = torch.cat([EMBEDDING, torch.tensor([[5.0, -2.0]])])
    teacher = torch.cat([TEACHER, torch.full((1, 2), math.nan)])
    loss = ours(embedding, torch.tensor([0, 1, -1]), teacher)
    softmax = ours.softmax(EMBEDDING[:1], torch.tensor([0]), None)
    assert loss.item() == pytest.approx(softmax.item() + term(name, EMBEDDING, TEACHER).item(), rel=1e-6)
    assert ours(embedding, torch.tensor([-1, -1, -1]), None) is None


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_a_student_that_says_what_the_teacher_says_is_asked_nothing_more(seed, count):
    generator = torch.Generator().manual_seed(seed)
    teacher = torch.nn.functional.normalize(torch.randn(count, 8, generator=generator))
    student = math.sqrt(8) * teacher
    other = student + torch.randn(count, 8, generator=generator)
    for name in ("feature_l2", "feature_cosine"):
        assert term(name, student, teacher).item() == pytest.approx(0.0, abs=1e-6)
        assert term(name, other, teacher).item() > 0.0


def test_the_student_is_moved_and_the_teacher_is_not():
    embedding, teacher = EMBEDDING.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    ours = header("feature_l2")
    ours(embedding, torch.tensor([0, 1]), teacher.detach()).backward()
    assert embedding.grad is not None and embedding.grad.abs().sum() > 0
    assert teacher.grad is None
    assert ours.softmax.weight.grad is not None


def test_a_damaged_teacher_is_refused():
    with pytest.raises(ModelError, match="zero or not finite"):
        header("feature_l2")(EMBEDDING, torch.tensor([0, 1]), TEACHER * math.nan)
    with pytest.raises(ModelError, match="no teacher features"):
        header("feature_cosine")(EMBEDDING, torch.tensor([0, 1]), None)
