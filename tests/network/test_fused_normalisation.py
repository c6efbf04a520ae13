"""Batch normalisation and PReLU as one operation: PyTorch's two modules are the reference."""

import copy

import pytest
import torch
from torch import nn

from countenance.network.fused_normalisation import FusedNormalisation, NormaliseAndActivate
from countenance.network.layers import ParametricReLU

FORMATS = [torch.channels_last, torch.contiguous_format]
SHAPES = [(4, 5, 6, 3), (1, 3, 4, 4), (7, 8, 1, 1), (3, 1, 5, 2), (2, 2, 1, 1), (2, 17, 40, 56)]


def modules(channels, activation="ours", *, seed=0):
    """A normalisation and an activation whose weights are all different."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(channels)
    behind = {"ours": ParametricReLU(channels), "torch": nn.PReLU(channels), "one slope": nn.PReLU()}
    with torch.no_grad():
        for parameter in (*norm.parameters(), *behind[activation].parameters()):
            parameter.uniform_(-0.5, 1.5)
    return norm.train(), behind[activation]


def features_of(shape, memory_format=torch.contiguous_format, *, seed=1):
    generator = torch.Generator().manual_seed(seed)
    values = 3.0 + 2.0 * torch.randn(shape, generator=generator)
    return values.contiguous(memory_format=memory_format).requires_grad_()


def both(shape, activation, memory_format):
    """What the two modules and what the one compute from the same: outputs, gradients by name, statistics."""
    results = []
    push = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    for fused in (False, True):
        norm, behind = modules(shape[1], activation)
        features = features_of(shape, memory_format)
        if fused:
            layer = FusedNormalisation(norm, behind)
            output = layer(features)
        else:
            layer, output = norm, behind(norm(features))
        (output * push).sum().backward()
        gradients = {"features": features.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
        gradients["slope"] = next(behind.parameters()).grad
        results.append((output.detach(), gradients, layer.state_dict()))
    return results


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("activation", ["ours", "torch", "one slope"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_gradients_and_running_statistics_are_those_of_the_two_modules(shape, activation, memory_format):
    (theirs, their_gradients, their_state), (ours, gradients, state) = both(shape, activation, memory_format)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert ours.is_contiguous(memory_format=memory_format)
    assert gradients.keys() == their_gradients.keys()
    for name, gradient in their_gradients.items():
        assert gradients[name].shape == gradient.shape
        torch.testing.assert_close(gradients[name], gradient, atol=1e-4, rtol=1e-4, msg=name)
    assert list(state) == list(their_state)
    for name, values in their_state.items():
        torch.testing.assert_close(state[name], values, msg=name)


def test_a_channel_worked_by_hand():
    # Mean 2, variance 4: unit values -1, 1; with weight 2 and bias 1 z is -1, 3; the slope of 1/2 halves the first.
    norm, behind = nn.BatchNorm2d(1, eps=0.0, momentum=0.5).train(), ParametricReLU(1)
    with torch.no_grad():
        norm.weight.fill_(2.0)
        norm.bias.fill_(1.0)
        behind.slope.fill_(0.5)
    features = torch.tensor([0.0, 4.0, 0.0, 4.0]).view(2, 1, 1, 2).requires_grad_()
    layer = FusedNormalisation(norm, behind)
    output = layer(features)
    assert output.flatten().tolist() == [-0.5, 3.0, -0.5, 3.0]
    assert layer.running_mean.tolist() == [1.0]  # half way from 0 to 2
    assert layer.running_var.tolist() == [pytest.approx(0.5 * 1.0 + 0.5 * 16.0 / 3.0)]  # without bias: 16 / (4 - 1)
    assert int(layer.num_batches_tracked) == 1
    output.backward(torch.tensor([1.0, 1.0, 0.0, 0.0]).view(2, 1, 1, 2))
    # dz = .5, 1, 0, 0 has the mean 3/8, and 1/8 times the unit values; weight / std = 1, so dx = dz - 3/8 - unit / 8.
    assert behind.slope.grad.item() == -1.0
    assert norm.bias.grad.item() == 1.5
    assert norm.weight.grad.item() == 0.5
    torch.testing.assert_close(features.grad.flatten(), torch.tensor([0.25, 0.5, -0.25, -0.5]))


@pytest.mark.slow
@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_gradients_are_those_of_finite_differences(memory_format):
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    features = random(3, 2, 2, 3).contiguous(memory_format=memory_format).requires_grad_()
    weight, bias, slope = (random(2).requires_grad_() for _ in range(3))

    def layer(features, weight, bias, slope):
        from countenance.network.fused_normalisation import WHOLE_BATCH

        with torch.no_grad():
            mean, variance = features.mean((0, 2, 3)), features.var((0, 2, 3), correction=0)
        return NormaliseAndActivate.apply(
            features, weight, bias, slope, mean, torch.rsqrt(variance + 1e-5), 18.0, WHOLE_BATCH
        )

    assert torch.autograd.gradcheck(layer, (features, weight, bias, slope))


def test_a_mean_far_from_zero_costs_no_digits():
    norm, behind = modules(3)
    features = (1000.0 + torch.randn(8, 3, 16, 16)).requires_grad_()
    exactly = copy.deepcopy(norm).double(), copy.deepcopy(behind).double()
    expected = exactly[1](exactly[0](features.detach().double()))
    torch.testing.assert_close(FusedNormalisation(norm, behind)(features).double(), expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_bits_are_the_same_again_and_with_any_number_of_threads(memory_format):
    before = torch.get_num_threads()
    seen = []
    try:
        for threads in (1, 2, 3, 2):
            torch.set_num_threads(threads)
            norm, behind = modules(6)
            features = features_of((9, 6, 31, 33), memory_format)
            output = FusedNormalisation(norm, behind)(features)
            output.square().sum().backward()
            seen.append([output, features.grad, norm.weight.grad, norm.bias.grad, behind.slope.grad, norm.running_var])
    finally:
        torch.set_num_threads(before)
    for other in seen[1:]:
        assert all(torch.equal(left, right) for left, right in zip(seen[0], other, strict=True))


def test_features_that_are_dense_in_neither_format_are_taken_as_well():
    norm, behind = modules(4)
    again = copy.deepcopy((norm, behind))
    whole = torch.randn(3, 8, 5, 10)
    left, right = whole.clone().requires_grad_(), whole.clone().requires_grad_()
    FusedNormalisation(norm, behind)(left[:, ::2, :, ::2]).square().sum().backward()
    again[1](again[0](right[:, ::2, :, ::2])).square().sum().backward()
    torch.testing.assert_close(left.grad, right.grad, atol=1e-4, rtol=1e-4)


def test_a_gradient_in_the_other_format_is_taken_as_well():
    norm, behind = modules(4)
    features = features_of((3, 4, 5, 6), torch.channels_last)
    output = FusedNormalisation(norm, behind)(features)
    push = torch.randn(3, 4, 5, 6)
    wanted = torch.autograd.grad(
        output, features, push.contiguous(memory_format=torch.channels_last), retain_graph=True
    )
    assert torch.equal(torch.autograd.grad(output, features, push)[0], wanted[0])


def test_one_value_a_channel_has_no_variance_and_is_refused_as_torch_does():
    norm, behind = modules(3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        FusedNormalisation(norm, behind)(torch.randn(1, 3, 1, 1))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_in_evaluation_without_gradients_one_pass_says_what_the_two_modules_say(memory_format):
    norm, behind = modules(3)
    features = features_of((4, 3, 5, 5), memory_format).detach()
    layer = FusedNormalisation(norm, behind)
    layer(features)
    layer.eval()
    with torch.no_grad():
        seen = layer(features)
        torch.testing.assert_close(seen, behind(norm.eval()(features)), atol=1e-6, rtol=1e-6)
    assert seen.is_contiguous(memory_format=memory_format)
    for parameter in (*norm.parameters(), *behind.parameters()):
        parameter.requires_grad_(False)
    assert torch.equal(layer(features), seen)
    assert int(norm.num_batches_tracked) == 1


def test_in_evaluation_and_in_other_precisions_the_two_modules_do_the_work():
    norm, behind = modules(3)
    features = features_of((4, 3, 5, 5)).detach()
    layer = FusedNormalisation(norm, behind)
    layer(features)
    assert torch.equal(layer.eval()(features), behind(norm.eval()(features)))
    layer.train()
    assert layer(features.bfloat16()).dtype == torch.bfloat16
    assert int(norm.num_batches_tracked) == 2


def test_a_momentum_of_none_takes_the_mean_of_all_batches():
    plain, fused = (nn.BatchNorm2d(3, momentum=None).train() for _ in range(2))
    layer = FusedNormalisation(fused, ParametricReLU(3))
    for seed in range(3):
        features = features_of((4, 3, 5, 5), seed=seed).detach()
        plain(features)
        layer(features)
    torch.testing.assert_close(layer.running_mean, plain.running_mean)
    torch.testing.assert_close(layer.running_var, plain.running_var)


def test_what_is_not_a_number_comes_through():
    norm, behind = modules(2)
    features = torch.ones(2, 2, 3, 3)
    features[0, 0, 0, 0] = float("nan")
    output = FusedNormalisation(norm, behind)(features)
    assert bool(output[:, 0].isnan().all())
    assert not bool(output[:, 1].isnan().any())


def test_an_output_that_no_loss_asks_for_gives_no_gradient():
    norm, behind = modules(2)
    features = features_of((2, 2, 3, 3))
    FusedNormalisation(norm, behind)(features)
    features.sum().backward()
    assert norm.weight.grad is None


def test_a_process_without_rows_takes_part_with_nothing():
    class OthersHaveRows:
        def moments(self, own):
            assert own[2] == 0.0
            return torch.zeros(3, dtype=torch.float64), torch.full((3,), 5.0, dtype=torch.float64), 5.0

        def sums(self, own):
            assert not own.any()
            return own

    norm, behind = modules(3)
    features = torch.zeros(0, 3, 4, 4, requires_grad=True)
    FusedNormalisation(norm, behind, batch=OthersHaveRows())(features).sum().backward()
    assert features.grad.shape == (0, 3, 4, 4)
    torch.testing.assert_close(norm.running_var, torch.tensor(0.9 + 0.1 * 5.0 / 4.0).expand(3))
