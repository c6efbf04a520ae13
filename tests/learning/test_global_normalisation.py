import pytest
import torch
from torch import distributed, nn

from countenance.learning.global_normalisation import (
    BATCH_OF_ALL_PROCESSES,
    BatchOfAllProcesses,
    GlobalBatchNorm,
    normalised_over_processes,
)
from countenance.network.acceleration import accelerated
from countenance.network.fused_normalisation import FusedNormalisation
from countenance.network.layers import ParametricReLU
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


def test_fused_normalisations_stay_fused_and_share_their_statistics(group_of_one):
    network = fresh_network()
    modules = dict(network.named_modules())
    images = torch.randn(4, 3, 32, 32)
    expected = network.train()(images)
    with accelerated(network), normalised_over_processes(network, world=2):
        shared = [module for module in network.modules() if isinstance(module, FusedNormalisation)]
        assert shared
        assert all(module._batch is BATCH_OF_ALL_PROCESSES for module in shared)
        torch.testing.assert_close(network(images), expected, atol=1e-4, rtol=1e-4)
        network.eval()
    assert dict(network.named_modules()) == modules
    assert int(network.trunk.stem[1].num_batches_tracked) == 2


def test_the_statistics_of_a_share_are_those_of_all_rows():
    """Two shares, by hand: means 1 and 4, of 2 and 1 values."""

    class TwoProcesses(BatchOfAllProcesses):
        def gathered(self, own):
            return [own, torch.tensor([4.0, 0.0, 1.0], dtype=torch.float64)]

    mean, square, count = TwoProcesses().moments((torch.tensor([1.0]), torch.tensor([2.0]), 2.0))
    assert (mean.item(), square.item(), count) == (2.0, 8.0, 3.0)  # of 0, 2 and 4: 4 + 0 + 4


def test_the_fused_gradient_over_processes_is_the_ordinary_one(group_of_one):
    results = []
    for fused in (False, True):
        norm, _ = pair(nn.BatchNorm2d(3))
        torch.manual_seed(4)
        network = nn.Sequential(nn.Conv2d(2, 3, 3), norm.train(), ParametricReLU(3))
        images = torch.randn(3, 2, 6, 7, requires_grad=True)
        with accelerated(network, enabled=fused), normalised_over_processes(network, world=2):
            network(images).square().mean().backward()
        results.append([images.grad, *(weight.grad for weight in network.parameters())])
    for left, right in zip(*results, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)
