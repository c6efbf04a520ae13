import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from countenance.analysis.model import ExportedModel, NetworkModel, open_exported
from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.export import OUTPUT_NAMES, PROPOSAL_GEOMETRY_KEY
from countenance.network.proposals import encode_box
from tests.analysis.conftest import TINY, tiny_network
from tests.conftest import picture


def views(count: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.stack([picture(height, width, seed=seed) for seed in range(count)])


@pytest.mark.parametrize("count", [1, 3])
def test_the_network_and_its_export_read_the_same(network: AllInOneNetwork, exported_folder: Path, count: int):
    ours, exported = NetworkModel(network), open_exported(exported_folder)
    given, again = ours.read(views(count)), exported.read(views(count))
    assert list(given) == list(again) == list(OUTPUT_NAMES)
    for name in OUTPUT_NAMES:
        np.testing.assert_allclose(given[name], again[name], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(given["embedding"], axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 48, 80), (1, 96, 32)])
def test_the_network_and_its_export_propose_the_same_in_images_of_any_size(network, exported_folder, shape):
    ours, exported = NetworkModel(network), open_exported(exported_folder)
    images = views(*shape)
    given, again = (model.propose(images, threshold=0.0) for model in (ours, exported))
    assert len(given.score) == shape[0] * shape[1] * shape[2] // 256
    np.testing.assert_allclose(given.box_xywh, again.box_xywh, atol=1e-3)
    np.testing.assert_allclose(given.score, again.score, atol=1e-4)
    assert given.image.tolist() == again.image.tolist()


def test_only_boxes_of_the_threshold_are_returned(network: AllInOneNetwork):
    model = NetworkModel(network)
    everything = model.propose(views(2, 64, 64), threshold=0.0)
    middle = float(np.median(everything.score))
    chosen = model.propose(views(2, 64, 64), threshold=middle)
    assert chosen.score.min() >= middle
    assert len(chosen.score) == (everything.score >= middle).sum()


def test_a_cell_that_says_a_box_gives_that_box_in_pixels():
    network = tiny_network()
    box = torch.tensor([20.0, 10.0, 12.0, 15.0])
    said = encode_box(box, torch.tensor([32.0, 16.0]), reference_px=TINY.proposal_reference_px)
    with torch.no_grad():
        network.proposals.box.weight.zero_()
        network.proposals.box.bias.copy_(said)
    found = NetworkModel(network).propose(views(1, 64, 64), threshold=0.0)
    # Cell (1, 2) has its centre at x = 32, y = 16; four cells a row.
    np.testing.assert_allclose(found.box_xywh[1 * 4 + 2], box.numpy(), atol=1e-4)


def test_views_of_another_size_are_refused(network: AllInOneNetwork, exported_folder: Path):
    for model in (NetworkModel(network), open_exported(exported_folder)):
        with pytest.raises(ModelError, match="views of 32 x 32 x 3, not"):
            model.read(views(1, 48, 48))


def test_either_file_or_the_folder_opens_an_exported_model(exported_folder: Path):
    for path in (exported_folder, exported_folder / "model.onnx", exported_folder / "proposals.onnx"):
        model = open_exported(path)
        assert (model.input_size, model.landmark_scheme, model.cell_stride) == (32, "5", 16)


def test_an_exported_model_that_cannot_propose_is_refused_with_the_missing_file(exported_folder: Path, tmp_path: Path):
    shutil.copy(exported_folder / "model.onnx", tmp_path)
    with pytest.raises(ModelError, match=r"proposals\.onnx is not there: export the network again"):
        open_exported(tmp_path)


def test_files_that_are_no_such_model_are_refused(exported_folder: Path):
    reading, proposing = ((exported_folder / name).read_bytes() for name in ("model.onnx", "proposals.onnx"))
    with pytest.raises(ModelError, match=r"model\.onnx does not load"):
        ExportedModel(b"no model", proposing)
    with pytest.raises(ModelError, match=r"model\.onnx is not a model of ours"):
        ExportedModel(proposing, proposing)
    with pytest.raises(ModelError, match=r"proposals\.onnx is not a model of ours"):
        ExportedModel(reading, reading)


def test_two_files_of_different_networks_are_refused(exported_folder: Path):
    other = onnx.load(exported_folder / "proposals.onnx")
    geometry = json.loads(other.metadata_props[0].value)
    onnx.helper.set_model_props(other, {PROPOSAL_GEOMETRY_KEY: json.dumps({**geometry, "input_size": 48})})
    with pytest.raises(ModelError, match="views of 32 pixels, but proposals.onnx is of a model of 48"):
        ExportedModel((exported_folder / "model.onnx").read_bytes(), other.SerializeToString())
