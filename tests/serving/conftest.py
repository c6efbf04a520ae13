"""A tiny network, exported once and checked, for every test of this room."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.serving.qualification import qualify

Qualified = tuple[AllInOneNetwork, bytes, dict[str, Any]]

TINY = NetworkConfiguration(
    input_size=32, widths=(8, 8, 8, 8), depths=(0, 0, 0, 0), embedding_dimension=8, identity_width=8, fused_width=4,
    local_width=8, global_width=4,
)  # fmt: skip


def tiny_network() -> AllInOneNetwork:
    torch.manual_seed(0)
    network = AllInOneNetwork(TINY).train()
    for _ in range(3):
        network(torch.randn(8, 3, 32, 32))  # gives batch normalisation statistics of its own
    return network.eval()


@pytest.fixture(scope="session")
def qualified() -> Qualified:
    """The network, its ONNX bytes and what was measured of them."""
    network = tiny_network()
    model, _, measured = qualify(network, seed=1)
    return network, model, measured
