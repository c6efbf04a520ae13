"""A tiny network, as it is and exported, for every test of this room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from countenance.data.alignment import FIVE_POINT_TEMPLATE
from countenance.network.allinone import LANDMARK_UNIT, AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.export import export_onnx, export_proposals_onnx

TINY = NetworkConfiguration(
    input_size=32, widths=(8, 8, 8, 8), depths=(0, 0, 0, 0), embedding_dimension=8, identity_width=8, fused_width=4,
    local_width=8, global_width=4,
)  # fmt: skip


def tiny_network(configuration: NetworkConfiguration = TINY) -> AllInOneNetwork:
    torch.manual_seed(0)
    side = configuration.input_size
    network = AllInOneNetwork(configuration).train()
    for _ in range(3):
        network(torch.randn(8, 3, side, side))  # gives batch normalisation statistics of its own
    # Untrained landmarks all lie in the middle, which makes no face.
    with torch.no_grad():
        network.landmarks.bias.copy_(torch.from_numpy(FIVE_POINT_TEMPLATE / 112 - 0.5).flatten() / LANDMARK_UNIT)
    # An untrained proposal head says "no face" everywhere and nothing about boxes.
    torch.nn.init.normal_(network.proposals.score.weight, std=0.5)
    torch.nn.init.normal_(network.proposals.box.weight, std=0.1)
    torch.nn.init.constant_(network.proposals.score.bias, 1.0)
    torch.nn.init.constant_(network.face.bias, 2.0)
    return network.eval()


@pytest.fixture(scope="session")
def network() -> AllInOneNetwork:
    return tiny_network()


@pytest.fixture(scope="session")
def exported_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_tiny_network(tmp_path_factory)


def exported_tiny_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the exported tiny network, written once for all rooms: exporting takes seconds."""
    folder = tmp_path_factory.getbasetemp() / "exported-tiny-network"
    if not folder.exists():
        network = tiny_network()
        export_onnx(network, folder / "model.onnx")
        export_proposals_onnx(network, folder / "proposals.onnx")
    return folder
