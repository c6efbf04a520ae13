from typing import get_args

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from countenance.learning.distillation import AdaDistillHeader
from countenance.learning.identity_header import MarginSoftmaxHeader
from countenance.learning.methods.choice import AdaDistill, DistillationMethod, TrainingClasses, method_header
from countenance.learning.methods.margin_distillation import MarginDistillationHeader

NAMES = [
    "alone", "feature_l2", "feature_cosine", "refo", "margin_distillation", "relational",
    "fixed_centres", "adaptive", "weighted",
]  # fmt: skip
METHOD = TypeAdapter(DistillationMethod)
CLASSES = TrainingClasses(named=3, every=5)


def means():
    return 3 * torch.eye(6)[:5]


def header(name, asked=means, **settings):
    method = METHOD.validate_python({"name": name, **settings})
    return method_header(method, CLASSES, 6, torch.Generator().manual_seed(0), class_means=asked)


def test_every_method_is_told_by_its_name():
    union = get_args(get_args(DistillationMethod)[0])
    told = [name for model in union for name in get_args(model.model_fields["name"].annotation)]
    assert sorted(told) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_gives_a_loss_that_moves_the_student_on_named_and_unnamed_faces(name):
    generator = torch.Generator().manual_seed(1)
    embedding = torch.randn(8, 6, generator=generator).requires_grad_()
    teacher = torch.randn(8, 6, generator=generator)
    most = CLASSES.named if name == "alone" else CLASSES.every
    labels = torch.arange(8) % (most + 1) - 1
    ours = header(name)
    loss = ours(embedding, labels, None if name == "alone" else teacher)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(embedding.grad).all()
    assert (embedding.grad[labels < 0] == 0).all()
    assert set(ours.curves) and all(isinstance(value, float) for value in ours.curves.values())
    assert ours(embedding.detach(), torch.full((8,), -1), None) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_is_enough(name):
    loss = header(name)(torch.ones(1, 6), torch.tensor([2]), None if name == "alone" else torch.ones(1, 6))
    assert torch.isfinite(loss)


@pytest.mark.parametrize(("name", "kind"), [("alone", MarginSoftmaxHeader), ("weighted", AdaDistillHeader)])
def test_an_own_softmax_is_over_named_people_and_the_teachers_centres_are_of_every_class(name, kind):
    ours = header(name)
    assert isinstance(ours, kind)
    rows = ours.weight if name == "alone" else ours.centres
    assert len(rows) == (3 if name == "alone" else 5)
    assert header("relational").softmax.weight.shape == (3, 6)
    assert header("margin_distillation").centres.shape == (5, 6)


def test_only_methods_with_the_teachers_class_means_ask_for_them():
    def refused():
        raise AssertionError("asked")

    for name in NAMES:
        if name in ("fixed_centres", "margin_distillation"):
            with pytest.raises(AssertionError, match="asked"):
                header(name, refused)
        else:
            header(name, refused)


def test_fixed_centres_are_the_class_means_and_are_not_moved():
    ours = header("fixed_centres")
    before = ours.centres.clone()
    torch.testing.assert_close(before, means())
    ours(torch.randn(4, 6), torch.arange(4), torch.randn(4, 6))
    assert torch.equal(ours.centres, before)
    assert isinstance(header("margin_distillation"), MarginDistillationHeader)


def test_only_fixed_centres_can_be_given():
    assert (
        METHOD.validate_python({"name": "fixed_centres", "centres": "header.parquet"}).centres.name == "header.parquet"
    )
    with pytest.raises(ValidationError, match="the centres of 'weighted' follow the teacher's features"):
        METHOD.validate_python({"name": "weighted", "centres": "header.parquet"})


def test_alpha_is_the_methods():
    assert header("adaptive").configuration.alpha == "plain"
    assert header("weighted").configuration.alpha == "weighted"
    assert AdaDistill().name == "weighted"


def test_an_unknown_method_or_a_setting_of_another_one_is_refused():
    with pytest.raises(ValidationError, match="name"):
        METHOD.validate_python({"name": "telepathy"})
    with pytest.raises(ValidationError, match="angle_weight"):
        METHOD.validate_python({"name": "weighted", "angle_weight": 2.0})
