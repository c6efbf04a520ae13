import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from countenance.errors import ModelError
from countenance.learning.checkpoint import save_network
from countenance.learning.teachers.checkpoint import IdentityPart, read_checkpoint
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.learning.teachers.opening import open_teacher
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.pretrained import load_recognition, recogniser_configuration
from tests.learning.faces import NETWORK, pattern
from tests.network.published_layouts import adadistill_mobilefacenet, arcface_mobilefacenet, iresnet, state_dict

CROPS = np.stack([pattern(seed) for seed in range(3)])


def torch_teacher(path, **settings):
    return open_teacher(TeacherConfiguration(path=str(path), engine="torch", **settings))


def by_hand(path, dimension, *, mean=127.5, scale=127.5):
    network = AllInOneNetwork(
        NetworkConfiguration(trunk="mobilefacenet", input_size=112, embedding_dimension=dimension, tasks="identity")
    ).eval()
    load_recognition(network, path)
    images = torch.from_numpy((CROPS.transpose(0, 3, 1, 2).astype(np.float32) - mean) / scale)
    with torch.inference_mode():
        raw = network(images).embedding.numpy()
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


@pytest.mark.parametrize("ending", ["safetensors", "pt", "pth"])
def test_a_published_mobilefacenet_teaches_what_it_says(tmp_path, ending):
    weights, path = state_dict(adadistill_mobilefacenet(24)), tmp_path / f"student.{ending}"
    save_file(weights, path) if ending == "safetensors" else torch.save(weights, path)
    teacher = torch_teacher(path)
    assert teacher.dimension == 24
    np.testing.assert_allclose(teacher.embed(CROPS), by_hand(path, 24), atol=1e-5)


def test_a_wide_mobilefacenet_is_recognised_by_its_shapes(tmp_path):
    path = tmp_path / "wide.pt"
    torch.save(state_dict(arcface_mobilefacenet(2, 16)), path)
    found = read_checkpoint(path).configuration
    assert (found.trunk, found.width_multiplier, found.blocks) == ("mobilefacenet", 2.0, (4, 6, 2))
    assert (found.embedding_dimension, found.input_size, found.tasks) == (16, 112, "identity")


@pytest.mark.parametrize("depth", ["iresnet18", "iresnet50", "iresnet100"])
def test_an_iresnets_depth_side_and_dimension_are_told_by_its_weights(tmp_path, depth):
    path = tmp_path / "teacher.pt"
    # As training scripts save it: beside other things, from several GPUs, in half precision.
    zero = torch.zeros((), dtype=torch.float16)
    half = {f"module.{name}": zero.expand(shape) for name, shape in iresnet(depth, dimension=8, cells=4)}
    torch.save({"state_dict_backbone": half, "epoch": 3}, path)
    found = recogniser_configuration(path)
    assert (found.trunk, found.input_size, found.embedding_dimension) == (depth, 32, 8)


def test_an_iresnet_teaches(tmp_path):
    path = tmp_path / "teacher.safetensors"
    save_file(state_dict(iresnet("iresnet18", dimension=8, cells=4)), path)
    teacher = torch_teacher(path)
    assert teacher.dimension == 8
    assert np.isfinite(teacher.embed(CROPS)).all()


def test_an_input_range_of_its_own_reaches_the_pixels(tmp_path):
    path = tmp_path / "student.pt"
    torch.save(state_dict(adadistill_mobilefacenet(8)), path)
    other = torch_teacher(path, input_mean=100.0, input_scale=64.0)
    np.testing.assert_allclose(other.embed(CROPS), by_hand(path, 8, mean=100.0, scale=64.0), atol=1e-5)
    assert other.identity != torch_teacher(path).identity


def test_our_own_checkpoint_teaches_what_its_network_says(tmp_path):
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    save_network(network, tmp_path / "own.safetensors")
    teacher = torch_teacher(tmp_path / "own.safetensors")
    assert teacher.dimension == NETWORK.embedding_dimension
    part = IdentityPart(network, "network")
    assert part.digest() == IdentityPart(read_checkpoint(tmp_path / "own.safetensors"), "file").digest()


def test_a_copy_is_taken_and_the_network_left_as_it_was():
    network = AllInOneNetwork(NETWORK).train()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    first = next(network.trunk.parameters())
    with torch.no_grad():
        first.view(-1)[0] = 1e-40
    part = IdentityPart(network, "network")
    assert float(next(part.trunk.parameters()).detach().view(-1)[0]) == 0.0
    assert float(first.detach().view(-1)[0]) != 0.0
    assert network.training and first.requires_grad
    assert set(before) == set(network.state_dict())


def test_a_digest_is_of_the_weights_alone():
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    first = IdentityPart(network, "a").digest()
    with torch.no_grad():
        network.gender.weight.add_(1.0)  # no part of the embedding
    assert IdentityPart(network, "b").digest() == first
    with torch.no_grad():
        next(network.identity.parameters()).view(-1)[0] += 1.0
    assert IdentityPart(network, "a").digest() != first


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent.pt", None, "absent.pt is not there: put it there, set 'teacher' to another one"),
        ("text.pt", b"no weights", "text.pt is damaged or holds more than tensors"),
        ("text.safetensors", b"no weights", "text.safetensors is damaged: fetch or train it again"),
    ],
)
def test_a_file_that_can_not_be_read_is_refused_in_a_sentence(tmp_path, name, content, sentence):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        torch_teacher(path)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    path = tmp_path / "teacher.pt"
    torch.save(AllInOneNetwork(NETWORK), path)
    with pytest.raises(ModelError, match="holds more than tensors: save its state dict alone"):
        torch_teacher(path)


def test_weights_in_no_known_layout_of_an_unknown_depth_or_incomplete_are_refused(tmp_path):
    path = tmp_path / "teacher.pt"
    torch.save({"some.weight": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match="in none of the known layouts"):
        torch_teacher(path)
    weights = state_dict(iresnet("iresnet18", dimension=8, cells=4))
    torch.save({name: each for name, each in weights.items() if not name.startswith("layer3.1")}, path)
    with pytest.raises(ModelError, match="looks like insightface's IResNet but is of no size that is known"):
        torch_teacher(path)
    del weights["layer2.1.conv1.weight"]
    torch.save(weights, path)
    with pytest.raises(ModelError, match="it lacks layer2.1.conv1.weight"):
        torch_teacher(path)


def test_a_damaged_network_is_refused_before_it_runs(tmp_path):
    network = AllInOneNetwork(NETWORK)
    with torch.no_grad():
        next(network.identity.parameters()).view(-1)[0] = torch.nan
    with pytest.raises(ModelError, match="own.safetensors holds numbers that are not finite in 'identity"):
        save_network(network, tmp_path / "own.safetensors")
        torch_teacher(tmp_path / "own.safetensors")
