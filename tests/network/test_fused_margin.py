import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from countenance.network import fused_margin
from countenance.network.fused_margin import fused_margin_softmax, margin_softmax
from countenance.network.margin import MarginConfiguration, margin_logits

KINDS = [MarginConfiguration(kind="arcface", margin=0.45), MarginConfiguration(kind="cosface", margin=0.35)]


@pytest.fixture(autouse=True)
def blocks_of_four_classes(monkeypatch):
    """So that small cases have several blocks, too, and a last one that isn't full."""
    monkeypatch.setattr(fused_margin, "CLASSES_A_BLOCK", 4)


def readable(student, centres, labels, configuration):
    return F.cross_entropy(margin_logits(student @ centres.T, labels, configuration), labels)


def units(*shape, seed=0, dtype=torch.float64):
    return F.normalize(torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)), dim=-1)


def loss_and_gradients(function, student, centres, *rest):
    student, centres = student.clone().requires_grad_(), centres.clone().requires_grad_()
    loss = function(student, centres, *rest)
    return loss.detach(), *torch.autograd.grad(3.0 * loss, (student, centres))


def test_one_row_of_two_classes_by_hand():
    student, centres = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [0.8, 0.6]])
    loss = fused_margin_softmax(
        student, centres, torch.tensor([0]), MarginConfiguration(kind="cosface", margin=0.1, scale=2.0)
    )
    assert loss.item() == pytest.approx(math.log(1.0 + math.exp(2.0 * 0.8 - 2.0 * 0.5)))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.integers(1, 14), st.integers(0, 99), st.sampled_from(KINDS), st.sampled_from([1.0, 64.0]))
def test_loss_and_gradients_are_those_of_the_readable_form(rows, classes, seed, kind, scale):
    configuration = kind.model_copy(update={"scale": scale})
    labels = torch.randint(0, classes, (rows,), generator=torch.Generator().manual_seed(seed))
    given_ = (units(rows, 5, seed=seed), units(classes, 5, seed=seed + 1), labels, configuration)
    for ours, plain in zip(
        loss_and_gradients(fused_margin_softmax, *given_), loss_and_gradients(readable, *given_), strict=True
    ):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("configuration", KINDS)
def test_in_float32_a_thousand_classes_agree_to_five_digits(configuration, monkeypatch):
    monkeypatch.setattr(fused_margin, "CLASSES_A_BLOCK", 128)
    student, centres = units(16, 64, dtype=torch.float32), units(1000, 64, seed=1, dtype=torch.float32)
    labels = torch.arange(16) * 61
    student = F.normalize(student + centres[labels])  # as good as in the middle of a training
    exact = loss_and_gradients(readable, student.double(), centres.double(), labels, configuration)
    ours = loss_and_gradients(fused_margin_softmax, student, centres, labels, configuration)
    assert ours[0].item() == pytest.approx(exact[0].item(), rel=1e-5)
    for gradient, true in zip(ours[1:], exact[1:], strict=True):
        assert (gradient - true).norm() <= 2e-4 * true.norm()


@pytest.mark.parametrize("configuration", KINDS)
@pytest.mark.parametrize("cosine", [1.0, -1.0, math.cos(3.0)])
def test_rows_that_hit_their_centre_or_point_away_from_it_follow_the_same_rule(configuration, cosine):
    student = torch.tensor([[cosine, math.sqrt(1.0 - cosine**2), 0.0]], dtype=torch.float64)
    given_ = (student, torch.eye(3, dtype=torch.float64), torch.tensor([0]), configuration)
    for ours, plain in zip(
        loss_and_gradients(fused_margin_softmax, *given_), loss_and_gradients(readable, *given_), strict=True
    ):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours, plain)


def test_a_single_class_leaves_nothing_to_learn():
    loss, to_student, to_centres = loss_and_gradients(
        fused_margin_softmax, units(2, 3), units(1, 3), torch.tensor([0, 0]), KINDS[0]
    )
    assert loss.item() == 0.0
    assert not to_student.any()
    assert not to_centres.any()


def test_a_certain_row_keeps_the_digits_of_its_tiny_loss():
    student, centres = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    configuration = MarginConfiguration(kind="cosface", margin=0.0, scale=20.0)
    loss = fused_margin_softmax(student, centres, torch.tensor([0]), configuration)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-40.0)))  # 4e-18, which 1 + 4e-18 doesn't hold


def test_centres_of_any_length_count_by_their_direction():
    student, centres, labels = units(6, 5), units(11, 5, seed=1), torch.tensor([0, 3, 4, 4, 10, 7])
    lengths = torch.linspace(0.01, 3.0, 11, dtype=torch.float64)
    by_length = margin_softmax(
        student.requires_grad_(), centres * lengths[:, None], labels, KINDS[0], inverse_lengths=1.0 / lengths
    )
    plain = margin_softmax(student, centres, labels, KINDS[0])
    torch.testing.assert_close(by_length, plain)
    for loss in (by_length.loss, plain.loss):
        loss.backward()
    torch.testing.assert_close(by_length.own_cosines, (student * centres[labels]).sum(dim=1).detach())


def test_fixed_centres_get_no_gradient_and_leave_nothing_of_the_size_of_the_logits_behind():
    student, centres = units(3, 5).requires_grad_(), units(9, 5, seed=1)
    loss = fused_margin_softmax(student, centres, torch.tensor([0, 1, 2]), KINDS[0])
    assert all(tensor.numel() <= student.numel() for tensor in loss.grad_fn.saved_tensors)
    loss.backward()
    assert centres.grad is None


def test_the_same_gradient_comes_twice_from_a_graph_that_is_kept():
    student, centres = units(3, 5).requires_grad_(), units(9, 5, seed=1).requires_grad_()
    loss = fused_margin_softmax(student, centres, torch.tensor([0, 1, 2]), KINDS[0])
    first = torch.autograd.grad(loss, (student, centres), retain_graph=True)
    assert all(torch.equal(*pair) for pair in zip(first, torch.autograd.grad(loss, (student, centres)), strict=True))


def test_what_isnt_a_number_stays_none():
    student = units(2, 5)
    student[1, 0] = math.nan
    assert fused_margin_softmax(student, units(9, 5), torch.tensor([0, 1]), KINDS[0]).isnan()


@pytest.mark.parametrize("edges", [(0, 3, 9), (0, 0, 1, 9), (0, 9, 9, 9, 9)])
@pytest.mark.parametrize("configuration", KINDS)
def test_classes_in_several_hands_give_every_hand_the_loss_and_gradient_of_all(edges, configuration):
    student, centres, labels = units(7, 5), units(9, 5, seed=1), torch.tensor([0, 8, 3, 3, 2, 1, 5])
    whole = loss_and_gradients(fused_margin_softmax, student, centres, labels, configuration)
    hands = [range(first, end) for first, end in itertools.pairwise(edges)]
    told = []

    def in_hand(hand, gather):
        rows = torch.tensor([label - hand.start if label in hand else -1 for label in labels.tolist()])
        part = centres[hand.start : hand.stop]
        return loss_and_gradients(
            lambda s, c: margin_softmax(s, c, rows, configuration, gather=gather).loss, student, part
        )

    for hand in hands:  # what a hand tells doesn't depend on what it is told
        in_hand(hand, lambda packed: [told.append(packed.detach()) or packed])
    for hand in hands:
        loss, to_student, to_centres = in_hand(hand, lambda _: told)
        torch.testing.assert_close(loss, whole[0])
        torch.testing.assert_close(to_student, whole[1])
        torch.testing.assert_close(to_centres, whole[2][hand.start : hand.stop])


@pytest.mark.parametrize("configuration", KINDS)
def test_both_gradients_are_those_of_finite_differences(configuration):
    rest = (torch.tensor([0, 8, 3, 3]), configuration.model_copy(update={"scale": 4.0}))
    given_ = (units(4, 5).requires_grad_(), units(9, 5, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(lambda student, centres: fused_margin_softmax(student, centres, *rest), given_)


def test_centres_that_learn_and_come_with_lengths_are_refused():
    student, centres = units(3, 5), units(9, 5).requires_grad_()
    with pytest.raises(ValueError, match="can't come with inverse_lengths"):
        margin_softmax(student, centres, torch.tensor([0, 1, 2]), KINDS[0], inverse_lengths=torch.ones(9))
