"""What every trunk promises, whichever it is."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.export import OUTPUT_NAMES, UnitEmbedding, export_onnx, export_proposals_onnx
from countenance.network.trunks import build_trunk

SMALL = {
    "residual": NetworkConfiguration(
        trunk="residual", input_size=32, widths=(4, 6, 8, 10), depths=(1, 1, 0, 1), embedding_dimension=12
    ),
    "allinone": NetworkConfiguration(trunk="allinone", input_size=65, width_multiplier=0.05, embedding_dimension=12),
    "iresnet18": NetworkConfiguration(trunk="iresnet18", input_size=32, embedding_dimension=12),
    "mobilefacenet": NetworkConfiguration(
        trunk="mobilefacenet", input_size=32, width_multiplier=0.125, embedding_dimension=12
    ),
}
OTHER_SIZES = {"residual": [112], "allinone": [119, 227], "iresnet18": [48, 112], "mobilefacenet": [48, 112]}

# A whole image, a part of it, and the same cell of ``deep`` in both, far enough from either's border.
# The part starts a whole number of cells in.
PARTS = {
    "residual": {"side": 256, "start": 32, "part": 192, "cell": 8},
    "allinone": {"side": 145, "start": 16, "part": 121, "cell": 8},
    "iresnet18": {"side": 224, "start": 16, "part": 192, "cell": 7},
    "mobilefacenet": {"side": 320, "start": 32, "part": 256, "cell": 10},
}


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name in SMALL for size in (SMALL[name].input_size, *OTHER_SIZES[name])]
)
def test_the_taps_have_the_widths_and_grids_that_the_trunk_announces(name, size):
    trunk = build_trunk(SMALL[name].model_copy(update={"input_size": size})).eval()
    with torch.inference_mode():
        taps = trunk(torch.zeros(2, 3, size, size))
    expected = [(2, width, grid, grid) for width, grid in zip(trunk.tap_widths, trunk.tap_grids, strict=True)]
    assert [tuple(tap.shape) for tap in taps] == expected


@pytest.mark.parametrize("name", SMALL)
def test_the_branches_map_the_last_tap_to_vectors(name):
    trunk = build_trunk(SMALL[name]).eval()
    final = torch.zeros(2, trunk.tap_widths[3], trunk.tap_grids[3], trunk.tap_grids[3])
    assert trunk.identity_branch(9).eval()(final).shape == (2, 9)
    assert trunk.global_branch(7).eval()(final).shape == (2, 7)


@pytest.mark.parametrize("name", SMALL)
def test_the_early_layers_are_what_the_shallow_tap_comes_from(name):
    trunk = build_trunk(SMALL[name]).train()
    size = SMALL[name].input_size
    trunk(torch.randn(2, 3, size, size)).shallow.sum().backward()
    reached = {id(weight) for weight in trunk.parameters() if weight.grad is not None}
    early = {id(weight) for layer in trunk.early_layers() for weight in layer.parameters()}
    assert early == reached


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_early_layers_that_are_kept_stay_to_the_bit_and_the_others_learn(name, fused):
    torch.manual_seed(0)
    network, size = AllInOneNetwork(SMALL[name]), SMALL[name].input_size
    network.keep_early_layers()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    free = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.SGD(free, lr=0.1)
    with accelerated(network, enabled=fused):
        network.train()
        outputs = network(torch.randn(4, 3, size, size))
        sum(output.float().square().mean() for output in outputs if output.numel()).backward()
        optimiser.step()
    after = network.state_dict()
    early = {id(each) for layer in network.trunk.early_layers() for each in layer.state_dict(keep_vars=True).values()}
    kept = {key for key, value in network.state_dict(keep_vars=True).items() if id(value) in early}
    assert kept
    assert all(torch.equal(before[key], after[key]) for key in kept)
    others = [key for key in before if key.startswith("trunk.") and key not in kept and "num_batches" not in key]
    assert all(not torch.equal(before[key], after[key]) for key in others if key.endswith("weight"))


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_reaches_every_trained_parameter(name):
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL[name]).train()
    size = SMALL[name].input_size
    outputs = network(torch.randn(4, 3, size, size))
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    silent = [
        parameter_name
        for parameter_name, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not bool(parameter.grad.abs().sum() > 0))
    ]
    assert silent == []


@pytest.mark.parametrize("name", PARTS)
def test_a_cell_looks_at_pixels_all_around_where_it_is_said_to_lie(name):
    trunk, images = _smooth(name), _image(PARTS[name]["side"])
    cell = PARTS[name]["cell"]
    images.requires_grad_()
    trunk(images).deep[0, :, cell, cell].sum().backward()
    rows, columns = torch.nonzero(images.grad[0].abs().sum(0), as_tuple=True)
    where = trunk.cell_offset + trunk.cell_stride * cell
    assert (int(rows.min()) + int(rows.max())) / 2 == where
    assert (int(columns.min()) + int(columns.max())) / 2 == where


@pytest.mark.parametrize("name", PARTS)
def test_a_trunk_says_of_a_photo_what_it_says_of_the_photos_part(name):
    trunk, images = _smooth(name), _image(PARTS[name]["side"])
    start, part, cell = PARTS[name]["start"], PARTS[name]["part"], PARTS[name]["cell"]
    there = cell - start // trunk.cell_stride
    with torch.inference_mode():
        whole = trunk(images)
        alone = trunk(images[:, :, start : start + part, start : start + part])
    torch.testing.assert_close(whole.deep[:, :, cell, cell], alone.deep[:, :, there, there])
    assert whole.deep.shape[-1] > trunk.tap_grids[2]


@pytest.mark.parametrize("name", SMALL)
def test_photos_of_any_shape_get_proposals(name):
    torch.manual_seed(0)
    network, size = AllInOneNetwork(SMALL[name]).eval(), SMALL[name].input_size
    with torch.inference_mode():
        for height, width in ((size, size), (size + 13, 2 * size + 5)):
            logit, box = network.propose(torch.zeros(1, 3, height, width))
            assert logit.shape[1] >= network.trunk.tap_grids[2]
            assert logit.shape[2] >= logit.shape[1]
            assert box.shape == (*logit.shape, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_the_exported_network_says_what_torch_says_of_crops_and_of_photos(name, tmp_path):
    network, size = _trained_a_little(SMALL[name]), SMALL[name].input_size
    _check_export(network, size, tmp_path)
    export_proposals_onnx(network, tmp_path / "proposals.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "proposals.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((size, size), (3 * size, 2 * size)):
        images = torch.randn(2, 3, height, width)
        with torch.inference_mode():
            expected = network.propose(images)
        for given, wanted in zip(session.run(None, {"images": images.numpy()}), expected, strict=True):
            np.testing.assert_allclose(given, wanted.numpy(), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "configuration",
    [
        NetworkConfiguration(trunk="allinone", input_size=227),
        NetworkConfiguration(trunk="allinone", input_size=119, age_head="distribution", task_width=8),
        NetworkConfiguration(trunk="iresnet50", input_size=112),
        NetworkConfiguration(trunk="iresnet100", input_size=112),
        NetworkConfiguration(trunk="mobilefacenet", input_size=112, width_multiplier=2.0),
    ],
    ids=lambda configuration: f"{configuration.trunk}-{configuration.input_size}",
)
def test_the_published_sizes_export_as_well(configuration, tmp_path):
    _check_export(_trained_a_little(configuration, count=2), configuration.input_size, tmp_path)


def _check_export(network, size, folder):
    export_onnx(network, folder / "model.onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    images = torch.randn(3, 3, size, size)
    with torch.inference_mode():
        expected = UnitEmbedding(network)(images)
    given = session.run(list(OUTPUT_NAMES), {"images": images.numpy()})
    for name, left, right in zip(OUTPUT_NAMES, given, expected, strict=True):
        np.testing.assert_allclose(left, right.numpy(), atol=1e-3, rtol=1e-3, err_msg=name)


def _trained_a_little(configuration, count=8):
    torch.manual_seed(0)
    network = AllInOneNetwork(configuration).train()
    size = configuration.input_size
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(count, 3, size, size))  # gives batch normalisation statistics of its own
    return network.eval()


def _smooth(name):
    """A trunk in double precision whose poolings let every input through, so that gradients show all it looks at."""
    torch.manual_seed(0)
    trunk = build_trunk(SMALL[name]).double().eval().requires_grad_(False)
    if name == "allinone":
        trunk.pool = nn.AvgPool2d(3, 2)
    return trunk


def _image(side):
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
