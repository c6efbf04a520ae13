import pytest
import torch
from torch.nn import functional as F

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import count_parameters
from countenance.network.trunks import build_trunk
from countenance.network.trunks.iresnet import IResNetBlock
from tests.network.published_layouts import iresnet


@pytest.mark.parametrize(("name", "millions"), [("iresnet18", 24.0), ("iresnet50", 43.6), ("iresnet100", 65.2)])
def test_trunk_and_identity_have_the_published_number_of_parameters(name, millions):
    with torch.device("meta"):
        network = AllInOneNetwork(NetworkConfiguration(trunk=name, input_size=112, embedding_dimension=512))
    # Buffers aside, and the closing gain, which is frozen.
    buffers = ("running_mean", "running_var", "num_batches_tracked", "features.weight")
    published = sum(torch.Size(shape).numel() for key, shape in iresnet(name) if not key.endswith(buffers))
    ours = count_parameters(network.trunk) + count_parameters(network.identity)
    assert ours == published
    assert round(ours / 1e6, 1) == millions


def test_names_are_the_published_ones_but_for_the_slopes():
    trunk = build_trunk(NetworkConfiguration(trunk="iresnet18", input_size=32))
    ours = {f"{name}".replace("slope", "weight") for name in trunk.state_dict()}
    theirs = {name for name, _ in iresnet("iresnet18") if not name.startswith(("bn2.", "fc.", "features."))}
    assert ours == theirs


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(3, 3, 1), (3, 5, 2), (4, 4, 2)])
def test_a_block_equals_its_layers_written_out(inputs, outputs, stride):
    torch.manual_seed(0)
    block = IResNetBlock(inputs, outputs, stride).train()
    for _ in range(3):
        block(torch.randn(4, inputs, 6, 6))
    state = block.eval().state_dict()

    def norm(features, name):
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(features, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])

    features = torch.randn(2, inputs, 6, 6)
    inside = F.conv2d(norm(features, "bn1"), state["conv1.weight"], padding=1)
    inside = F.prelu(norm(inside, "bn2"), state["prelu.slope"].flatten())
    inside = norm(F.conv2d(inside, state["conv2.weight"], stride=stride, padding=1), "bn3")
    shortcut = features
    if stride != 1 or inputs != outputs:
        shortcut = norm(F.conv2d(features, state["downsample.0.weight"], stride=stride), "downsample.1")
    torch.testing.assert_close(block(features), inside + shortcut)


def test_the_closing_gain_is_one_and_stays_so():
    network = AllInOneNetwork(NetworkConfiguration(trunk="iresnet18", input_size=32, embedding_dimension=8))
    assert torch.equal(network.identity.features.weight, torch.ones(8))
    assert [name for name, parameter in network.named_parameters() if not parameter.requires_grad] == [
        "identity.features.weight"
    ]
