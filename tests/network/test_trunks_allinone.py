import pytest
import torch
from torch.nn import functional as F

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.trunks.allinone import PAPER, AllInOneTrunk

SMALL = NetworkConfiguration(trunk="allinone", input_size=65, width_multiplier=0.1, embedding_dimension=8)


@pytest.fixture(scope="module")
def paper():
    with torch.device("meta"):
        return AllInOneNetwork(PAPER)


def test_the_papers_layer_table(paper):
    convolutions = [getattr(paper.trunk, f"conv{number}")[0] for number in range(1, 7)]
    table = [(each.in_channels, each.out_channels, each.kernel_size[0], each.stride[0]) for each in convolutions]
    assert table == [
        (3, 96, 11, 4),
        (96, 256, 5, 1),
        (256, 384, 3, 1),
        (384, 384, 3, 1),
        (384, 512, 3, 1),
        (512, 512, 3, 1),
    ]


def test_the_local_fusion_has_the_papers_kernels_and_widths(paper):
    shallow, middle, fuse = paper.fusion.from_shallow[0], paper.fusion.from_middle[0], paper.fusion.fuse[0]
    assert (shallow.in_channels, shallow.out_channels, shallow.kernel_size, shallow.stride) == (96, 256, (4, 4), (4, 4))
    assert (middle.in_channels, middle.out_channels, middle.kernel_size, middle.stride) == (384, 256, (2, 2), (2, 2))
    assert (fuse.in_channels, fuse.out_channels, fuse.kernel_size) == (256 + 256 + 512, 256, (1, 1))


def test_the_papers_fully_connected_layers(paper):
    assert paper.local[1].weight.shape == (2048, 256 * 6 * 6)
    for head, outputs in ((paper.landmarks, 42), (paper.visibility, 21), (paper.pose, 3)):
        assert [head[0].weight.shape, head[-1].weight.shape] == [(512, 2048), (outputs, 512)]
    linear = [each.weight.shape for each in paper.identity.modules() if isinstance(each, torch.nn.Linear)]
    assert linear == [(1024, 512 * 6 * 6), (512, 1024)]
    linear = [each.weight.shape for each in paper.whole.modules() if isinstance(each, torch.nn.Linear)]
    assert linear == [(1024, 512 * 6 * 6), (128, 1024)]


@pytest.mark.parametrize(("size", "stride"), [(227, 32), (119, 16), (65, 8)])
def test_every_input_size_has_the_papers_grids_and_cells_spread_around_its_middle(size, stride):
    trunk = AllInOneTrunk(SMALL.model_copy(update={"input_size": size}))
    assert trunk.tap_grids == (27, 13, 6, 13)
    assert trunk.cell_stride == stride
    assert trunk.cell_offset + 2.5 * stride == (size - 1) / 2


def test_an_input_size_that_the_paper_has_no_stride_for_is_refused():
    with pytest.raises(ConfigurationError, match="one of 65, 119, 227"):
        narrow(NetworkConfiguration, {"trunk": "allinone", "input_size": 112}, where="parameters_training.yml")


def test_a_width_multiplier_scales_all_channels_to_multiples_of_8():
    trunk = AllInOneTrunk(SMALL.model_copy(update={"width_multiplier": 0.5}))
    assert trunk.tap_widths == (48, 192, 256, 256)
    assert trunk.full_width == 512
    assert AllInOneTrunk(SMALL.model_copy(update={"width_multiplier": 0.001})).tap_widths == (8, 8, 8, 8)


def test_the_trunk_equals_its_layers_written_out():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL).train()
    for _ in range(2):
        network(torch.randn(4, 3, 65, 65))
    state = network.eval().state_dict()

    def layer(features, name, stride=1, padding=0):
        raw = F.conv2d(features, state[f"{name}.0.weight"], stride=stride, padding=padding)
        mean, variance = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
        normal = F.batch_norm(raw, mean, variance, state[f"{name}.1.weight"], state[f"{name}.1.bias"])
        return F.prelu(normal, state[f"{name}.2.slope"].flatten())

    images = torch.randn(2, 3, 65, 65)
    pool1 = F.max_pool2d(layer(images, "trunk.conv1"), 3, 2)
    pool2 = F.max_pool2d(layer(pool1, "trunk.conv2", padding=2), 3, 2)
    conv3 = layer(pool2, "trunk.conv3", padding=1)
    conv5 = layer(layer(conv3, "trunk.conv4", padding=1), "trunk.conv5", padding=1)
    conv6 = layer(conv5, "trunk.conv6", padding=1)
    taps = network.trunk(images)
    for given, expected in zip(taps, (pool1, conv3, F.max_pool2d(conv5, 3, 2), conv6), strict=True):
        torch.testing.assert_close(given, expected)
    torch.testing.assert_close(network.identity[0](conv6), layer(conv6, "identity.0", padding=1))
