"""A network's pairs are fused for a while, and nobody can tell but by the clock."""

import pytest
import torch
from torch import nn

from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.fused_activation import FusedActivation
from countenance.network.fused_normalisation import AppliedActivation, FusedNormalisation
from countenance.network.layers import ParametricReLU

SMALL = {"embedding_dimension": 8, "fused_width": 4, "local_width": 8, "global_width": 8}
NETWORKS = {
    "residual": NetworkConfiguration(input_size=32, widths=(4, 6, 8, 12), depths=(0, 1, 1, 1), **SMALL),
    "mobilefacenet": NetworkConfiguration(trunk="mobilefacenet", input_size=32, width_multiplier=0.125, **SMALL),
    "iresnet18": NetworkConfiguration(trunk="iresnet18", input_size=32, **SMALL),
    "allinone": NetworkConfiguration(trunk="allinone", input_size=65, width_multiplier=0.05, **SMALL),
}


def network_of(name):
    torch.manual_seed(0)
    return AllInOneNetwork(NETWORKS[name]).to(memory_format=torch.channels_last).train()


def images_of(name, count=4):
    side = NETWORKS[name].input_size
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(3)) * 2.0 - 1.0


@pytest.mark.parametrize("name", NETWORKS)
def test_every_trunk_computes_and_learns_the_same_fused(name):
    seen = []
    for enabled in (False, True):
        network = network_of(name)
        with accelerated(network, enabled=enabled):
            outputs = network(images_of(name))
            torch.cat([output.flatten(1) for output in outputs if output.dim() > 1], dim=1).square().mean().backward()
            names = list(network.state_dict())
        gradients = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
        seen.append((outputs, gradients, network.state_dict(), names))
    (plain, gradients, state, names), (fused, fused_gradients, fused_state, fused_names) = seen
    assert names == fused_names
    for left, right in zip(plain, fused, strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-3)
    assert gradients.keys() == fused_gradients.keys()
    for each, gradient in gradients.items():
        length = max(float(gradient.norm()), 1e-3)
        assert float((gradient - fused_gradients[each]).norm()) <= 1e-2 * length, each
    for each, values in state.items():
        torch.testing.assert_close(values, fused_state[each], atol=1e-5, rtol=1e-4, msg=each)


@pytest.mark.parametrize(
    ("name", "left"), [("residual", {"after"}), ("mobilefacenet", set()), ("iresnet18", set()), ("allinone", set())]
)
def test_all_activations_are_fused_and_with_them_the_normalisations_right_in_front(name, left):
    network = network_of(name)
    pairs = sum(isinstance(module, ParametricReLU) and module.slope.dim() == 3 for module in network.modules())
    with accelerated(network):
        assert not any(isinstance(module, ParametricReLU) and module.slope.dim() == 3 for module in network.modules())
        alone = [name for name, module in network.named_modules() if isinstance(module, FusedActivation)]
        assert {name.rpartition(".")[2] for name in alone} == left
        applied = sum(isinstance(module, AppliedActivation) for module in network.modules())
        fused = sum(isinstance(module, FusedNormalisation) for module in network.modules())
        assert applied == fused == pairs - len(alone)


def test_afterwards_it_is_as_it_was_and_in_the_mode_that_it_was_left_in():
    network = network_of("residual")
    modules = dict(network.named_modules())
    with accelerated(network):
        network(images_of("residual"))
        network.eval()
    assert dict(network.named_modules()) == modules
    assert not any(module.training for module in modules.values())
    assert int(network.trunk.stem[1].num_batches_tracked) == 1


def test_it_is_undone_after_an_error_too():
    network = network_of("residual")
    with pytest.raises(KeyError), accelerated(network):
        raise KeyError
    assert not any(isinstance(module, FusedNormalisation) for module in network.modules())


def test_a_normalisation_without_weights_or_statistics_stays_and_so_does_one_alone():
    norms = [nn.BatchNorm2d(2, affine=False), nn.BatchNorm2d(2, track_running_stats=False)]
    network = nn.Sequential(norms[0], nn.PReLU(2), norms[1], nn.PReLU(2), nn.BatchNorm2d(2), nn.ReLU())
    modules = list(network)
    with accelerated(network):
        assert [list(network)[place] is modules[place] for place in range(6)] == [True, False, True, False, True, True]


def test_a_published_activation_with_one_slope_is_fused():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.PReLU())
    images = torch.randn(2, 1, 6, 6)
    expected = network(images)
    with accelerated(network):
        assert isinstance(network[2], AppliedActivation)
        torch.testing.assert_close(network(images), expected)


def test_a_loaded_state_reaches_the_network():
    network, other = network_of("residual"), network_of("residual")
    with torch.no_grad():
        for values in other.parameters():
            values.add_(1.0)
    with accelerated(network):
        network.load_state_dict(other.state_dict())
    for name, values in other.state_dict().items():
        assert torch.equal(network.state_dict()[name], values), name
