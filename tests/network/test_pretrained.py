import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.pretrained import load_recognition
from tests.network.published_layouts import (
    IRESNET_BLOCKS,
    adadistill_mobilefacenet,
    arcface_mobilefacenet,
    iresnet,
    state_dict,
)

D = 32
LAYOUTS = {
    "insightface's IResNet": ("iresnet18", 1.0, lambda: iresnet("iresnet18", D)),
    "insightface's MobileFaceNet": ("mobilefacenet", 2.0, lambda: arcface_mobilefacenet(2, D)),
    "AdaDistill's MobileFaceNet": ("mobilefacenet", 1.0, lambda: adadistill_mobilefacenet(D)),
    "InsightFace_Pytorch's MobileFaceNet": (
        "mobilefacenet",
        1.0,
        lambda: adadistill_mobilefacenet(D, output="", affine=True),
    ),
}


def network_for(trunk, multiplier=1.0, **more):
    torch.manual_seed(1)
    settings = {"input_size": 112, "embedding_dimension": D, "fused_width": 4, "local_width": 8, "global_width": 8}
    return AllInOneNetwork(NetworkConfiguration(trunk=trunk, width_multiplier=multiplier, **(settings | more))).eval()


def embed(network, images):
    with torch.inference_mode():
        return network.identity(network.trunk(images).final)


@pytest.fixture(scope="module")
def student():
    return state_dict(adadistill_mobilefacenet(D))


@pytest.mark.parametrize("title", LAYOUTS)
def test_a_state_dict_in_a_published_layout_becomes_the_recogniser_that_its_weights_are(title, tmp_path):
    trunk, multiplier, layout = LAYOUTS[title]
    state = state_dict(layout())
    save_file(state, tmp_path / "model.safetensors")
    network = network_for(trunk, multiplier)
    assert load_recognition(network, tmp_path / "model.safetensors") == title
    images = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(5))
    written_out = {"iresnet18": iresnet_embedding, "mobilefacenet": mobilefacenet_embedding}[trunk]
    torch.testing.assert_close(embed(network, images), written_out(state, images), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("title", LAYOUTS)
def test_a_missing_and_an_unknown_tensor_are_named(title, tmp_path):
    trunk, multiplier, layout = LAYOUTS[title]
    state = state_dict(layout())
    dropped = [name for name in state if name.endswith("running_var")][3]
    del state[dropped]
    state["classifier.weight"] = torch.zeros(3)
    save_file(state, tmp_path / "model.safetensors")
    network = network_for(trunk, multiplier)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_recognition(network, tmp_path / "model.safetensors")
    assert f"lacks {dropped}" in str(caught.value)
    assert "has the unknown classifier.weight" in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("wrap", [
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"state_dict_backbone": {f"module.{name}": tensor for name, tensor in state.items()}, "step": 9},
    lambda state: {f"module.{name}": tensor.half() for name, tensor in state.items()},
], ids=["state_dict", "backbone of a distributed run", "half precision"])  # fmt: skip
def test_torch_files_are_read_as_training_scripts_write_them(student, wrap, tmp_path):
    torch.save(wrap(student), tmp_path / "backbone.pth")
    network = network_for("mobilefacenet")
    load_recognition(network, tmp_path / "backbone.pth")
    assert network.trunk.stem[0].weight.dtype == torch.float32
    torch.testing.assert_close(network.trunk.stem[0].weight, student["conv1.conv.weight"], atol=1e-3, rtol=1e-3)


def test_other_branches_keep_their_weights(student, tmp_path):
    save_file(student, tmp_path / "model.safetensors")
    network = network_for("mobilefacenet")
    parts = ("fusion.", "local.", "whole.", "proposals.", "face.", "age.")
    before = {name: each.clone() for name, each in network.state_dict().items() if name.startswith(parts)}
    load_recognition(network, tmp_path / "model.safetensors")
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_many_problems_are_counted_instead_of_listed(student, tmp_path):
    save_file({name: each for name, each in student.items() if "conv_4" not in name}, tmp_path / "model.safetensors")
    lacking = sum("conv_4" in name for name in student)
    with pytest.raises(ModelError, match=f"lacks conv_4.model.0.conv.conv.weight, .* and {lacking - 3} more"):
        load_recognition(network_for("mobilefacenet"), tmp_path / "model.safetensors")


def test_counters_may_be_absent_from_the_whole_file_but_not_from_a_part(student, tmp_path):
    counters = [name for name in student if name.endswith("num_batches_tracked")]
    save_file({name: each for name, each in student.items() if name not in counters}, tmp_path / "none.safetensors")
    load_recognition(network_for("mobilefacenet"), tmp_path / "none.safetensors")
    save_file({name: each for name, each in student.items() if name != counters[0]}, tmp_path / "some.safetensors")
    with pytest.raises(ModelError, match=f"lacks {counters[0]}"):
        load_recognition(network_for("mobilefacenet"), tmp_path / "some.safetensors")


@pytest.mark.parametrize(("settings", "message"), [
    ({"trunk": "mobilefacenet", "embedding_dimension": 16}, "have 32 numbers and the network's 16: set embedding_dim"),
    ({"trunk": "mobilefacenet", "input_size": 64}, r"at input size 64: it has the wrong shape for output_layer.conv_6"),
    ({"trunk": "mobilefacenet", "width_multiplier": 0.5}, "wrong shape for conv1.conv.weight .* more"),
    ({"trunk": "iresnet18"}, "is AdaDistill's MobileFaceNet and the network's trunk is 'iresnet18': set trunk to mob"),
    ({"trunk": "residual"}, "set trunk to mobilefacenet"),
])  # fmt: skip
def test_a_network_configured_otherwise_is_told_what_to_set(student, settings, message, tmp_path):
    save_file(student, tmp_path / "model.safetensors")
    multiplier = settings.pop("width_multiplier", 1.0)
    with pytest.raises(ModelError, match=message):
        load_recognition(network_for(settings.pop("trunk"), multiplier, **settings), tmp_path / "model.safetensors")


def test_a_deeper_iresnet_is_refused(tmp_path):
    state = {name: torch.zeros(shape) for name, shape in iresnet("iresnet50", D) if "layer4" in name or "fc" in name}
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"iresnet18.*has the unknown layer4.2.bn1.bias"):
        load_recognition(network_for("iresnet18"), tmp_path / "model.safetensors")


def test_a_number_that_is_not_finite_is_refused(student, tmp_path):
    damaged = student | {"conv1.bn.bias": torch.full((64,), float("nan"))}
    save_file(damaged, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="not finite in conv1.bn.bias"):
        load_recognition(network_for("mobilefacenet"), tmp_path / "model.safetensors")


def test_denormal_weights_become_zero(student, tmp_path):
    tiny = student["conv1.conv.weight"].clone()
    tiny[0] = 1e-40
    save_file(student | {"conv1.conv.weight": tiny}, tmp_path / "model.safetensors")
    network = network_for("mobilefacenet")
    load_recognition(network, tmp_path / "model.safetensors")
    assert bool((network.trunk.stem[0].weight[0] == 0).all())
    assert torch.equal(network.trunk.stem[0].weight[1:], tiny[1:])


def test_another_way_of_scaling_pixels_is_folded_into_the_first_layer(student, tmp_path):
    save_file(student, tmp_path / "model.safetensors")
    network = network_for("mobilefacenet")
    load_recognition(network, tmp_path / "model.safetensors", input_mean=100.0, input_scale=60.0)
    pixels = torch.randint(0, 256, (2, 3, 112, 112), generator=torch.Generator().manual_seed(0)).float()
    theirs = mobilefacenet_stem(student, (pixels - 100.0) / 60.0)
    with torch.inference_mode():
        ours = network.trunk.stem((pixels - 127.5) / 127.5)
    # Zero padding is a pixel of 100 there and of 127.5 here: the first row and column differ.
    torch.testing.assert_close(ours[:, :, 1:, 1:], theirs[:, :, 1:, 1:], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(ours[:, :, 0], theirs[:, :, 0], atol=1e-4)


class Unwelcome:
    """Something that only pickle could make."""


@pytest.mark.parametrize("content", [{"model": Unwelcome()}, [1, 2], {"state_dict": {"conv1.conv.weight": 3}}])
def test_files_that_hold_anything_but_tensors_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ModelError, match=r"model\.pt .*state dict"):
        load_recognition(network_for("mobilefacenet"), tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors", "model.onnx"])
def test_a_file_of_rubbish_or_none_is_one_clear_sentence(name, tmp_path):
    with pytest.raises(ModelError, match="is not there"):
        load_recognition(network_for("mobilefacenet"), tmp_path / name)
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(300))
    with pytest.raises(ModelError, match=f"The recogniser {name} is"):
        load_recognition(network_for("mobilefacenet"), tmp_path / name)


def test_a_state_dict_in_no_known_layout_is_refused(tmp_path):
    save_file({"body.0.res_layer.0.weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="none of the known layouts"):
        load_recognition(network_for("mobilefacenet"), tmp_path / "model.safetensors")


# The published forward passes, written out over the published names.


def norm(state, name, features):
    affine = [state.get(f"{name}.{part}") for part in ("weight", "bias")]
    return F.batch_norm(features, state[f"{name}.running_mean"], state[f"{name}.running_var"], *affine)


def iresnet_embedding(state, images):
    features = norm(state, "bn1", F.conv2d(images, state["conv1.weight"], padding=1))
    features = F.prelu(features, state["prelu.weight"])
    for layer, blocks in enumerate(IRESNET_BLOCKS["iresnet18"], start=1):
        for block in range(blocks):
            name, stride = f"layer{layer}.{block}", 2 if block == 0 else 1
            inside = F.conv2d(norm(state, f"{name}.bn1", features), state[f"{name}.conv1.weight"], padding=1)
            inside = F.prelu(norm(state, f"{name}.bn2", inside), state[f"{name}.prelu.weight"])
            inside = F.conv2d(inside, state[f"{name}.conv2.weight"], stride=stride, padding=1)
            if block == 0:
                features = F.conv2d(features, state[f"{name}.downsample.0.weight"], stride=2)
                features = norm(state, f"{name}.downsample.1", features)
            features = features + norm(state, f"{name}.bn3", inside)
    features = norm(state, "bn2", features).flatten(1)
    return norm(state, "features", F.linear(features, state["fc.weight"], state["fc.bias"]))


def mobilefacenet_names(state):
    """Convolution, norm and slope names of every layer in order, with (stride, adds) of each bottleneck's last."""
    arcface = "layers.0.layers.0.weight" in state
    parts = ("layers.0", "layers.1", "layers.2") if arcface else ("conv", "bn", "prelu")
    inside = ("layers.0", "layers.1", "layers.2") if arcface else ("conv", "conv_dw", "project")
    places = [f"layers.{number}" for number in range(8)] if arcface else [
        "conv1", "conv2_dw", "conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5",
    ]  # fmt: skip
    stage = "layers" if arcface else "model"
    blocks = [(places[2], 2)] + [(f"{places[3]}.{stage}.{number}", 1) for number in range(4)]
    blocks += [(places[4], 2)] + [(f"{places[5]}.{stage}.{number}", 1) for number in range(6)]
    blocks += [(places[6], 2)] + [(f"{places[7]}.{stage}.{number}", 1) for number in range(2)]
    output = "output_layer." if "output_layer.linear.weight" in state else ""
    ends = ("conv_sep", "features.layers.0", "features.layers.2", "features.layers.3") if arcface else (
        "conv_6_sep", f"{output}conv_6_dw", f"{output}linear", f"{output}bn",
    )  # fmt: skip
    return places, parts, inside, blocks, ends


def mobilefacenet_stem(state, images):
    raw = F.conv2d(images, state["conv1.conv.weight"], stride=2, padding=1)
    return F.prelu(norm(state, "conv1.bn", raw), state["conv1.prelu.weight"])


def mobilefacenet_embedding(state, images):
    places, parts, inside, blocks, (separate, depthwise, linear, last) = mobilefacenet_names(state)

    def layer(features, name, stride=1, padding=0):
        weight = state[f"{name}.{parts[0]}.weight"]
        groups = features.shape[1] // weight.shape[1]
        raw = F.conv2d(features, weight, stride=stride, padding=padding, groups=groups)
        normal = norm(state, f"{name}.{parts[1]}", raw)
        slope = state.get(f"{name}.{parts[2]}.weight")
        return normal if slope is None else F.prelu(normal, slope)

    features = layer(layer(images, places[0], 2, 1), places[1], 1, 1)
    for name, stride in blocks:
        out = layer(features, f"{name}.{inside[0]}")
        out = layer(layer(out, f"{name}.{inside[1]}", stride, 1), f"{name}.{inside[2]}")
        features = features + out if stride == 1 else out
    features = layer(layer(features, separate), depthwise).flatten(1)
    return norm(state, last, F.linear(features, state[f"{linear}.weight"]))
