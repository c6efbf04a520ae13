import pytest
import torch
from torch.nn import functional as F

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import count_multiply_adds, count_parameters
from countenance.network.trunks.mobilefacenet import InvertedResidual, MobileFaceNetTrunk
from tests.network.published_layouts import adadistill_mobilefacenet, arcface_mobilefacenet

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def network_of(multiplier, **more):
    with torch.device("meta"):
        return AllInOneNetwork(
            NetworkConfiguration(
                trunk="mobilefacenet",
                input_size=112,
                embedding_dimension=512,
                width_multiplier=multiplier,
                **more,
            )
        )


def published_count(layout):
    return sum(torch.Size(shape).numel() for key, shape in layout if not key.endswith(BUFFERS))


def test_the_student_of_adadistill_has_its_published_number_of_parameters_and_multiply_adds():
    network = network_of(1.0)
    published = published_count(adadistill_mobilefacenet())
    assert published == 1_199_488
    # The closing gain and shift are ours.
    assert count_parameters(network.trunk) + count_parameters(network.identity) == published + 2 * 512
    recogniser = torch.nn.Sequential(Final(network.trunk), network.identity)
    assert round(count_multiply_adds(recogniser, 112) / 1e6) == 221


def test_twice_the_width_is_insightfaces_wide_one():
    network = network_of(2.0)
    ours = count_parameters(network.trunk) + count_parameters(network.identity)
    assert ours == published_count(arcface_mobilefacenet(scale=2))
    assert round(ours / 1e6, 2) == 2.06


@pytest.mark.parametrize("multiplier", [0.125, 0.35, 0.75, 1.5, 3.0])
def test_any_width_multiplier_builds_with_channels_in_multiples_of_8(multiplier):
    network = network_of(multiplier)
    channels = {layer.out_channels for layer in network.trunk.modules() if isinstance(layer, torch.nn.Conv2d)}
    assert all(count % 8 == 0 for count in channels)
    assert max(channels) <= max(512, 128 * multiplier)


def test_a_smaller_width_multiplier_shrinks_the_blocks_insides_too():
    assert count_parameters(network_of(0.5).trunk) < 0.35 * count_parameters(network_of(1.0).trunk)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_equals_its_layers_written_out(stride):
    torch.manual_seed(0)
    block = InvertedResidual(3, 6, 3, stride).train()
    for _ in range(3):
        block(torch.randn(4, 3, 6, 6))
    state = block.eval().state_dict()

    def layer(features, name, *, groups=1, stride=1, padding=0):
        raw = F.conv2d(features, state[f"{name}.0.weight"], stride=stride, padding=padding, groups=groups)
        mean, variance = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
        return F.batch_norm(raw, mean, variance, state[f"{name}.1.weight"], state[f"{name}.1.bias"])

    features = torch.randn(2, 3, 6, 6)
    inside = F.prelu(layer(features, "expand"), state["expand.2.slope"].flatten())
    inside = layer(inside, "depthwise", groups=6, stride=stride, padding=1)
    out = layer(F.prelu(inside, state["depthwise.2.slope"].flatten()), "project")
    torch.testing.assert_close(block(features), out + features if stride == 1 else out)


def test_the_last_shared_layer_is_the_widening_one():
    trunk = MobileFaceNetTrunk(NetworkConfiguration(trunk="mobilefacenet", width_multiplier=0.5)).eval()
    with torch.inference_mode():
        taps = trunk(torch.randn(1, 3, 64, 64))
        torch.testing.assert_close(taps.final, trunk.widen(taps.deep))


class Final(torch.nn.Module):
    """A trunk's last tap alone."""

    def __init__(self, trunk):
        super().__init__()
        self.trunk = trunk

    def forward(self, images):
        return self.trunk(images).final
