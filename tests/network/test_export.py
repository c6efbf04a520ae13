import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.network.configuration import NetworkConfiguration
from countenance.network.export import export_onnx, export_proposals_onnx

SMALL = NetworkConfiguration(
    input_size=32, widths=(4, 6, 8, 10), depths=(0, 1, 0, 1), embedding_dimension=12, identity_width=14, fused_width=5
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = AllInOneNetwork(SMALL).train()
    for _ in range(3):
        network(torch.randn(8, 3, 32, 32))  # gives batch normalisation statistics of its own
    return network.eval()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(network, path)
    return path


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_exported_network_says_what_the_torch_network_says_for_any_batch(network, exported, count):
    images = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(count))
    with torch.inference_mode():
        expected = network(images)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == list(FaceOutputs._fields[:8])
    given = dict(zip(names, session.run(None, {"images": images.numpy()}), strict=True))
    for name in names[:-1]:
        np.testing.assert_allclose(given[name], getattr(expected, name).numpy(), atol=1e-4, rtol=1e-4)
    unit = torch.nn.functional.normalize(expected.embedding, dim=1).numpy()
    np.testing.assert_allclose(given["embedding"], unit, atol=1e-4)


def test_the_file_is_one_file_of_opset_20_with_a_named_batch_and_no_prelu(exported):
    model = onnx.load(exported)
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]
    assert {opset.version for opset in model.opset_import if opset.domain == ""} == {20}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    assert "PRelu" not in {node.op_type for node in model.graph.node}


def test_equal_weights_give_equal_bytes(network, exported, tmp_path):
    export_onnx(network, tmp_path / "again.onnx")
    digests = {hashlib.sha256(path.read_bytes()).digest() for path in (exported, tmp_path / "again.onnx")}
    assert len(digests) == 1


def test_the_file_tells_nothing_of_the_machine_that_wrote_it(exported):
    content = exported.read_bytes()
    assert b".py" not in content
    assert b"site-packages" not in content


def test_a_network_in_training_is_exported_as_in_evaluation_and_left_in_training(network, exported, tmp_path):
    network.train()
    try:
        export_onnx(network, tmp_path / "training.onnx")
        assert network.training
    finally:
        network.eval()
    assert (tmp_path / "training.onnx").read_bytes() == exported.read_bytes()


def test_a_network_with_a_damaged_weight_is_refused_and_nothing_is_written(tmp_path):
    network = AllInOneNetwork(SMALL)
    network.age.weight.data[0, 0] = float("nan")
    with pytest.raises(ModelError, match="age.weight is not finite"):
        export_onnx(network, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_exported_proposals_are_the_networks_on_photos_of_any_size(tmp_path):
    torch.manual_seed(0)
    network = AllInOneNetwork(NetworkConfiguration(input_size=32, widths=(4, 6, 8, 10))).eval()
    export_proposals_onnx(network, tmp_path / "proposals.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "proposals.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 64, 96), (3, 3, 112, 48)):
        photos = torch.randn(shape)
        logit, box = session.run(["logit", "box"], {"images": photos.numpy()})
        expected = network.propose(photos)
        np.testing.assert_allclose(logit, expected.logit.detach().numpy(), atol=1e-4)
        np.testing.assert_allclose(box, expected.box.detach().numpy(), atol=1e-4)
