import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from countenance.network.margin import SMALLEST_SINE, MarginConfiguration, margin_logits, slope_with_margin, with_margin

ARC = MarginConfiguration(kind="arcface", margin=0.5, scale=10.0)


def test_arcface_adds_its_margin_to_the_angle_of_the_own_class_only():
    cosines = torch.tensor([[math.cos(1.0), 0.3]])
    logits = margin_logits(cosines, torch.tensor([0]), ARC)
    assert logits[0, 0].item() == pytest.approx(10 * math.cos(1.5), abs=1e-5)
    assert logits[0, 1].item() == pytest.approx(3.0)


def test_cosface_takes_its_margin_from_the_cosine():
    logits = margin_logits(
        torch.tensor([[0.2, 0.9]]), torch.tensor([1]), MarginConfiguration(kind="cosface", margin=0.35, scale=64)
    )
    assert logits.tolist() == [pytest.approx([64 * 0.2, 64 * 0.55])]


def test_an_angle_whose_margin_goes_beyond_half_a_turn_falls_back_to_a_line():
    cosine = math.cos(3.0)
    logits = margin_logits(torch.tensor([[cosine, 0.0]]), torch.tensor([0]), ARC)
    assert logits[0, 0].item() == pytest.approx(10 * (cosine - math.sin(math.pi - 0.5) * 0.5), abs=1e-5)


@given(st.floats(0.0, 3.0), st.floats(0.01, 0.14))
def test_a_larger_angle_never_scores_higher(angle, further):
    cosines = torch.tensor([[math.cos(angle), 0.0], [math.cos(angle + further), 0.0]], dtype=torch.float64)
    near, far = margin_logits(cosines, torch.tensor([0, 0]), ARC)[:, 0]
    assert near >= far


@pytest.mark.parametrize("kind", ["arcface", "cosface"])
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_gradients_are_finite_at_the_ends(kind, cosine):
    cosines = torch.tensor([[cosine, 0.5]], requires_grad=True)
    logits = margin_logits(cosines, torch.tensor([0]), MarginConfiguration(kind=kind))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(cosines.grad).all()


def test_the_arcface_gradient_is_that_of_the_formula():
    cosines = torch.tensor([[0.3, -0.2]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: margin_logits(c, torch.tensor([1]), ARC), cosines)


@given(st.floats(-1.0, 1.0), st.sampled_from(["arcface", "cosface"]), st.floats(0.0, 1.5))
def test_the_slope_is_the_derivative_of_what_the_margin_makes_of_a_cosine(cosine, kind, margin):
    configuration = MarginConfiguration(kind=kind, margin=margin)
    own = torch.tensor([cosine], dtype=torch.float64, requires_grad=True)
    (derivative,) = torch.autograd.grad(with_margin(own, configuration).sum(), own)
    assert slope_with_margin(own.detach(), configuration).item() == pytest.approx(derivative.item(), rel=1e-9)


def test_the_slope_of_arcface_by_hand():
    cosine = torch.tensor([math.cos(1.0), 1.0, math.cos(3.0)], dtype=torch.float64)
    # d cos(theta + m) / d cos(theta) = sin(theta + m) / sin(theta); held at the end; a line beyond half a turn.
    expected = [math.sin(1.5) / math.sin(1.0), math.cos(0.5), 1.0]
    assert slope_with_margin(cosine, ARC).tolist() == pytest.approx(expected)


@given(st.floats(0.0, math.pi), st.sampled_from([0.0, 0.45, 1.5]))
def test_arcface_is_exact_at_every_angle_the_smallest_and_the_largest_included(angle, margin):
    expected = math.cos(angle + margin) if angle + margin <= math.pi else math.cos(angle) - margin * math.sin(margin)
    assume(abs(angle + margin - math.pi) > 1e-6)  # where the line begins, rounding chooses
    own = torch.tensor([math.cos(angle)], dtype=torch.float64)
    found = with_margin(own, MarginConfiguration(margin=margin)).item()
    assert found == pytest.approx(expected, abs=1e-7)  # what an angle of 1e-8 loses in its cosine


@given(
    st.floats(-1.0 - 2.0**-20, 1.0 + 2.0**-20, width=32), st.sampled_from(["arcface", "cosface"]), st.floats(0.0, 1.5)
)
def test_logits_and_slopes_are_finite_for_cosines_that_rounding_carried_beyond_one(cosine, kind, margin):
    configuration = MarginConfiguration(kind=kind, margin=margin)
    own = torch.tensor([cosine], requires_grad=True)
    value = with_margin(own, configuration)
    (slope,) = torch.autograd.grad(value.sum(), own)
    assert math.isfinite(value.item())
    assert abs(slope.item()) <= 1.0 + 1.0 / SMALLEST_SINE
    assert slope_with_margin(own.detach(), configuration).item() == pytest.approx(slope.item(), rel=1e-5)
