import pytest
import torch
from torch import nn

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import count_multiply_adds, count_parameters
from countenance.network.layers import ParametricReLU

SMALL = NetworkConfiguration(
    input_size=32, widths=(4, 6, 8, 10), depths=(0, 1, 0, 1), embedding_dimension=12, identity_width=14, fused_width=5,
    local_width=9, global_width=7, landmark_scheme="68",
)  # fmt: skip


def test_every_output_has_the_shape_that_its_name_promises():
    torch.manual_seed(0)
    outputs = AllInOneNetwork(SMALL).eval()(torch.randn(3, 3, 32, 32))
    assert {name: tuple(tensor.shape) for name, tensor in outputs._asdict().items()} == {
        "face_logit": (3,),
        "landmarks": (3, 68, 2),
        "visibility_logit": (3, 68),
        "pose_deg": (3, 3),
        "smile_logit": (3,),
        "gender_logit": (3,),
        "age_years": (3,),
        "embedding": (3, 12),
        "age_logits": (3, 0),
        "proposal_logit": (3, 2, 2),
        "proposal_box": (3, 2, 2, 4),
    }


@pytest.mark.parametrize("size", [48, 112])
def test_other_input_sizes_keep_the_taps_on_their_grids(size):
    network = AllInOneNetwork(SMALL.model_copy(update={"input_size": size})).eval()
    taps = network.trunk(torch.zeros(1, 3, size, size))
    assert [tap.shape[-1] for tap in taps] == [size // 4, size // 8, size // 16, size // 16]
    assert network(torch.zeros(1, 3, size, size)).embedding.shape == (1, 12)


def test_an_input_size_that_is_no_multiple_of_16_is_refused():
    with pytest.raises(ConfigurationError, match="input_size.*multiple of 16"):
        narrow(NetworkConfiguration, {"input_size": 60}, where="parameters_training.yml")


def test_the_parametric_relu_equals_torchs_prelu_forwards_and_backwards():
    torch.manual_seed(1)
    ours, theirs = ParametricReLU(3), nn.PReLU(3)
    slopes = torch.tensor([0.1, -0.5, 1.5])
    ours.slope.data.copy_(slopes[:, None, None])
    theirs.weight.data.copy_(slopes)
    given = torch.randn(2, 3, 4, 5)
    left, right = given.clone().requires_grad_(), given.clone().requires_grad_()
    weight = torch.randn(2, 3, 4, 5)
    for module, features in ((ours, left), (theirs, right)):
        (module(features) * weight).sum().backward()
    torch.testing.assert_close(ours(given), theirs(given))
    torch.testing.assert_close(left.grad, right.grad)
    torch.testing.assert_close(ours.slope.grad.flatten(), theirs.weight.grad)


def test_the_parametric_relu_keeps_the_precision_of_its_features():
    features = torch.randn(2, 3, 4, 5, dtype=torch.bfloat16)
    assert ParametricReLU(3)(features).dtype == torch.bfloat16


def test_an_untrained_network_puts_all_points_into_the_middle_and_says_35_years():
    torch.manual_seed(0)
    outputs = AllInOneNetwork(NetworkConfiguration()).eval()(torch.zeros(1, 3, 64, 64))
    assert (outputs.landmarks - 0.5).abs().max() < 0.2
    assert abs(outputs.age_years.item() - 35.0) < 5.0


def test_local_heads_depend_on_the_shallow_tap_and_the_embedding_does_not():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL).eval()
    features = network.trunk(torch.randn(1, 3, 32, 32))
    changed = features._replace(shallow=features.shallow + 1.0)
    assert not torch.allclose(network.fusion(features), network.fusion(changed))
    assert torch.equal(network.identity(features.final), network.identity(changed.final))


def test_multiply_adds_of_a_hand_counted_network():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten())
    network.append(nn.Linear(4 * 6 * 6, 5))
    # 3x3x3 for each of 4x8x8, 3x3x1 for each of 4x6x6, and one for each weight of the linear layer.
    assert count_multiply_adds(network, 16) == 27 * 256 + 9 * 144 + 144 * 5


def test_counting_leaves_the_network_in_training_and_without_hooks():
    network = AllInOneNetwork(SMALL).train()
    mean = network.trunk.stem[1].running_mean.clone()
    count_multiply_adds(network, 32)
    assert network.training
    assert torch.equal(network.trunk.stem[1].running_mean, mean)
    assert all(not module._forward_hooks for module in network.modules())


def test_frozen_parameters_are_not_counted():
    layer = nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 6


def test_the_default_student_stays_below_a_million_parameters():
    assert count_parameters(AllInOneNetwork(NetworkConfiguration())) < 1_000_000


def test_channels_last_changes_the_layout_but_not_the_values():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL).eval()
    images = torch.randn(2, 3, 32, 32)
    before = network(images)
    after = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    for left, right in zip(before, after, strict=True):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-4)


def test_the_distribution_head_says_the_mean_of_its_ages():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL.model_copy(update={"age_head": "distribution"})).eval()
    outputs = network(torch.randn(2, 3, 32, 32))
    assert outputs.age_logits.shape == (2, 101)
    by_hand = (outputs.age_logits.softmax(dim=1) * torch.arange(101.0)).sum(dim=1)
    torch.testing.assert_close(outputs.age_years, by_hand)


def test_proposals_on_a_photo_are_those_on_its_part_away_from_the_borders():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL).eval()
    photo = torch.randn(1, 3, 256, 320)
    whole, part = network.propose(photo), network.propose(photo[:, :, 32:224, 64:288])
    assert whole.logit.shape == (1, 16, 20)
    assert whole.box.shape == (1, 16, 20, 4)
    torch.testing.assert_close(whole.logit[:, 6:10, 8:14], part.logit[:, 4:8, 4:10], atol=1e-3, rtol=1e-3)


def test_a_task_may_have_a_vector_of_its_own_as_in_the_paper():
    network = AllInOneNetwork(SMALL.model_copy(update={"task_width": 6})).eval()
    assert network(torch.zeros(1, 3, 32, 32)).pose_deg.shape == (1, 3)
