import pytest
import torch
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import cost_of, count_multiply_adds, count_parameters
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


def alone(**more):
    """The configuration of the published student: identity and nothing else."""
    published = {"trunk": "mobilefacenet", "input_size": 112, "embedding_dimension": 512, "tasks": "identity"}
    return NetworkConfiguration(**published | {"closing_gain": False} | more)


def test_identity_alone_without_the_closing_gain_is_the_published_student_to_the_parameter():
    cost = cost_of(alone())
    assert cost.parameters == published_count(adadistill_mobilefacenet()) == 1_199_488
    assert round(cost.multiply_adds / 1e6) == 221


def test_the_student_of_all_tasks_is_the_same_with_heads():
    one, all_tasks = cost_of(alone()), cost_of(alone(tasks="all"))
    with torch.device("meta"):
        network = AllInOneNetwork(alone(tasks="all"))
    heads = sum(count_parameters(part) for name, part in network.named_children() if name not in ("trunk", "identity"))
    assert all_tasks.parameters == one.parameters + heads
    assert 0 < all_tasks.multiply_adds - one.multiply_adds < 0.15 * one.multiply_adds


def test_wider_narrower_deeper_and_shallower_students_cost_accordingly():
    costs = {name: cost_of(alone(**more)) for name, more in {
        "narrow": {"width_multiplier": 0.5}, "published": {}, "wide": {"width_multiplier": 2.0},
        "shallow": {"blocks": (2, 3, 1)}, "deep": {"blocks": (6, 9, 3)}, "small": {"input_size": 64},
    }.items()}  # fmt: skip
    for smaller, larger in (("narrow", "published"), ("published", "wide"), ("shallow", "published"),
                            ("published", "deep")):  # fmt: skip
        assert costs[smaller].parameters < costs[larger].parameters
        assert costs[smaller].multiply_adds < costs[larger].multiply_adds
    # insightface's wide one has a closing gain and shift.
    assert costs["wide"].parameters == published_count(arcface_mobilefacenet(scale=2)) - 2 * 512
    # A block of the first stage: 1x1, 3x3 depthwise and 1x1, each with its normalisation, two with slopes.
    block = 64 * 128 + 3 * 128 + 9 * 128 + 3 * 128 + 128 * 64 + 2 * 64
    second = 128 * 256 + 3 * 256 + 9 * 256 + 3 * 256 + 256 * 128 + 2 * 128
    assert costs["published"].parameters - costs["shallow"].parameters == 2 * block + 3 * second + second
    assert costs["small"].multiply_adds < 0.4 * costs["published"].multiply_adds


def test_identity_alone_says_nothing_of_the_other_tasks_and_cannot_propose():
    torch.manual_seed(0)
    small = alone(input_size=32, width_multiplier=0.125, embedding_dimension=8)
    network = AllInOneNetwork(small).eval()
    with torch.inference_mode():
        outputs = network(torch.randn(2, 3, 32, 32))
    assert outputs.embedding.shape == (2, 8) and bool(outputs.embedding.isfinite().all())
    for name, said in outputs._asdict().items():
        assert len(said) == 2
        assert name == "embedding" or bool(said.isnan().all())
    with pytest.raises(ModelError, match="identity alone and can't look for faces"):
        network.propose(torch.randn(1, 3, 64, 64))


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
