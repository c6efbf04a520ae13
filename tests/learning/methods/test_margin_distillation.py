import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countenance.errors import ModelError
from countenance.learning.methods.margin_distillation import MarginDistillation, MarginDistillationHeader, penalised
from countenance.network.margin import MarginConfiguration, margin_logits


def circle(*degrees):
    return torch.tensor([[math.cos(math.radians(at)), math.sin(math.radians(at))] for at in degrees])


def header(**settings):
    """Centres at 0 and 90 degrees."""
    return MarginDistillationHeader(torch.tensor([[2.0, 0.0], [0.0, 5.0]]), MarginDistillation(**settings))


def test_the_centres_are_the_class_means_of_the_teacher_and_are_kept():
    torch.testing.assert_close(header().state_dict()["centres"], circle(0, 90), atol=1e-6, rtol=0)


def test_the_margin_follows_the_teachers_angle_from_the_smallest_to_the_largest():
    margins = header(smallest_margin=0.2, largest_margin=0.5).margins_of(torch.tensor([0.8, 0.4, 0.0, -0.5]))
    torch.testing.assert_close(margins, torch.tensor([0.5, 0.35, 0.2, 0.2]))


def test_the_loss_worked_by_hand():
    ours = header(scale=2.0)
    # The teacher says 60 degrees of a photo of class 0 (cos .5) and 90 of one of class 1 (cos 1).
    loss = ours(3 * circle(30, 120), torch.tensor([0, 1]), circle(60, 90))
    margins = (0.2 + 0.3 * 0.5, 0.5)
    rows = [(30, 60, margins[0]), (30, 120, margins[1])]
    losses = []
    for own, other, margin in rows:
        right = 2 * math.cos(math.radians(own) + margin)
        wrong = 2 * math.cos(math.radians(other))
        losses.append(math.log(math.exp(right) + math.exp(wrong)) - right)
    assert loss.item() == pytest.approx(sum(losses) / 2, rel=1e-5)
    assert ours.curves["margin"] == pytest.approx(sum(margins) / 2)
    assert ours.curves["teacher_agreement"] == pytest.approx(math.cos(math.radians(30)), rel=1e-5)
    assert ours.curves["centre_agreement"] == pytest.approx(math.cos(math.radians(30)), rel=1e-5)


@given(st.floats(-1.0, 1.0), st.floats(0.0, 1.4))
def test_a_margin_of_its_own_for_each_row_is_the_one_margin_of_the_others(cosine, margin):
    cosines = torch.tensor([[cosine, 0.1]], dtype=torch.float64)
    usual = margin_logits(cosines, torch.tensor([0]), MarginConfiguration(margin=margin, scale=1.0))
    ours = penalised(cosines[:, 0], torch.tensor([margin], dtype=torch.float64))
    assert ours.item() == pytest.approx(usual[0, 0].item(), abs=1e-9)


@given(st.integers(0, 10_000))
def test_margins_stay_between_their_ends_and_the_surest_has_the_largest(seed):
    cosines = 2 * torch.rand(6, generator=torch.Generator().manual_seed(seed)) - 1
    margins = header().margins_of(cosines)
    assert (margins >= 0.2 - 1e-6).all() and (margins <= 0.5 + 1e-6).all()
    if cosines.max() > 0:
        assert margins[cosines.argmax()].item() == pytest.approx(0.5)


def test_one_photo_a_class_has_the_teachers_feature_as_its_centre_and_the_largest_margin():
    ours = MarginDistillationHeader(circle(0, 100, 200), MarginDistillation())
    loss = ours(circle(5, 90, 180), torch.arange(3), circle(0, 100, 200))
    assert torch.isfinite(loss) and ours.curves["margin"] == pytest.approx(0.5)
    alone = ours(circle(5), torch.tensor([0]), circle(0))
    assert torch.isfinite(alone)


def test_only_the_student_has_a_gradient_and_the_centres_stay():
    ours, student = header(), circle(30, 120).requires_grad_()
    before = ours.centres.clone()
    ours(student, torch.tensor([0, 1]), circle(60, 90)).backward()
    assert torch.isfinite(student.grad).all() and student.grad.abs().sum() > 0
    assert torch.equal(ours.centres, before) and not list(ours.parameters())


def test_what_it_cannot_do_it_refuses():
    with pytest.raises(ModelError, match="no teacher features"):
        header()(circle(0), torch.tensor([0]), None)
    assert header()(circle(0), torch.tensor([-1]), None) is None
    with pytest.raises(ValidationError, match="must not be above"):
        MarginDistillation(smallest_margin=0.6, largest_margin=0.5)
