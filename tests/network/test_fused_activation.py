"""PReLU by our kernels: PyTorch's is the reference."""

import copy

import pytest
import torch
from torch import nn

from countenance.network.fused_activation import FusedActivation
from countenance.network.layers import ParametricReLU

ACTIVATIONS = {"ours": ParametricReLU(5), "torch": nn.PReLU(5), "one slope": nn.PReLU()}


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (1, 5, 1, 1), (2, 5, 33, 40)])
def test_values_and_gradients_are_those_of_the_module(shape, name, memory_format):
    theirs = copy.deepcopy(ACTIVATIONS[name])
    with torch.no_grad():
        next(theirs.parameters()).uniform_(-0.5, 1.5)
    ours = copy.deepcopy(theirs)
    push = torch.randn(shape)
    left = torch.randn(shape).contiguous(memory_format=memory_format).requires_grad_()
    right = left.detach().clone().requires_grad_()
    layer = FusedActivation(ours)
    assert list(layer.state_dict()) == list(theirs.state_dict())
    output, expected = layer(left), theirs(right)
    assert torch.equal(output, expected)
    assert output.is_contiguous(memory_format=memory_format)
    (output * push).sum().backward()
    (expected * push).sum().backward()
    torch.testing.assert_close(left.grad, right.grad)
    (grad,), (wanted,) = ([weight.grad for weight in module.parameters()] for module in (ours, theirs))
    torch.testing.assert_close(grad, wanted, atol=1e-4, rtol=1e-4)


def test_values_worked_by_hand():
    module = nn.PReLU(2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.5, 2.0]))
    features = torch.tensor([[-4.0, 3.0], [-1.0, 0.0]]).view(2, 2, 1, 1).requires_grad_()
    output = FusedActivation(module)(features)
    assert output.flatten().tolist() == [-2.0, 3.0, -0.5, 0.0]
    output.sum().backward()
    assert features.grad.flatten().tolist() == [0.5, 1.0, 0.5, 2.0]
    assert module.weight.grad.tolist() == [-5.0, 0.0]


def test_vectors_evaluation_and_other_precisions_are_left_to_the_module():
    module = nn.PReLU(3)
    layer = FusedActivation(module)
    vectors, maps = torch.randn(4, 3), torch.randn(4, 3, 2, 2)
    assert torch.equal(layer(vectors), module(vectors))
    assert torch.equal(layer.eval()(maps), module(maps))
    assert FusedActivation(ParametricReLU(3))(maps.bfloat16()).dtype == torch.bfloat16


@pytest.mark.slow
def test_the_gradients_are_those_of_finite_differences():
    from countenance.network.fused_activation import Activate

    features = torch.randn(3, 2, 2, 3, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    slope = torch.randn(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(Activate.apply, (features.requires_grad_(), slope.requires_grad_()))
