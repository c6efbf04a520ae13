import pytest
import torch
from torch import distributed, nn

from countenance.learning.global_normalisation import GlobalBatchNorm, normalised_over_processes
from tests.learning.test_training import fresh_network


@pytest.fixture
def group_of_one(tmp_path):
    """A real group of processes; this is the only one in it."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def pair(layer):
    torch.manual_seed(1)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
    other = type(layer)(layer.num_features)
    other.load_state_dict(layer.state_dict())
    return layer, GlobalBatchNorm(other)


@pytest.mark.parametrize(("layer", "shape"), [(nn.BatchNorm2d(3), (4, 3, 5, 2)), (nn.BatchNorm1d(3), (6, 3))])
def test_alone_it_is_ordinary_batch_normalisation_forwards_and_backwards(group_of_one, layer, shape):
    own, ours = pair(layer)
    features = (100.0 + 3.0 * torch.randn(shape)).requires_grad_()
    again = features.detach().clone().requires_grad_()
    push = torch.randn(shape)
    left, right = own(features), ours(again)
    torch.testing.assert_close(left, right, atol=2e-4, rtol=1e-4)
    (left * push).sum().backward()
    (right * push).sum().backward()
    torch.testing.assert_close(features.grad, again.grad, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(own.weight.grad, ours.weight.grad, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(own.bias.grad, ours.bias.grad)
    for name, value in own.state_dict().items():
        torch.testing.assert_close(value, ours.state_dict()[name], msg=name)
    torch.testing.assert_close(own.eval()(features), ours.eval()(again))


def test_a_network_is_as_it_was_afterwards_and_has_learned_the_statistics(group_of_one):
    network = fresh_network()
    layers = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    names, before = list(network.state_dict()), network.trunk.stem[1].running_mean.clone()
    with normalised_over_processes(network, world=2):
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
        assert list(network.state_dict()) == names
        network.train()(torch.randn(4, 3, 32, 32))
    assert all(network.get_submodule(name) is layer for name, layer in layers)
    assert not torch.equal(network.trunk.stem[1].running_mean, before)


def test_with_one_process_nothing_is_replaced():
    network = fresh_network()
    layers = list(network.modules())
    with normalised_over_processes(network, world=1):
        assert all(left is right for left, right in zip(layers, network.modules(), strict=True))


def test_the_memory_format_and_the_precision_are_kept(group_of_one):
    ours = GlobalBatchNorm(nn.BatchNorm2d(3))
    features = torch.randn(2, 3, 4, 4).to(torch.bfloat16).to(memory_format=torch.channels_last)
    assert ours(features).dtype == torch.bfloat16
    assert ours(features).is_contiguous(memory_format=torch.channels_last)


def test_an_output_that_no_loss_asks_for_gives_no_gradient(group_of_one):
    ours = GlobalBatchNorm(nn.BatchNorm1d(2))
    used = nn.Linear(2, 2)
    features = used(torch.randn(3, 2))
    ours(features)
    features.sum().backward()
    assert ours.weight.grad is None
