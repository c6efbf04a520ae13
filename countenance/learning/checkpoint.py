"""Networks on disk: one safetensors file that holds the weights and the configuration they belong to."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from countenance.configuration import narrow
from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.storage import write_aside

METADATA_KEY = "countenance_network"


def save_network(network: AllInOneNetwork, path: Path) -> None:
    """Write a network's weights, buffers and configuration; equal weights give equal bytes.

    The file is written aside and renamed, so nobody ever reads half of one.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(network.state_dict().items())}
    # One metadata key: the file format doesn't keep the order of several.
    metadata = {METADATA_KEY: json.dumps(network.configuration.model_dump(mode="json"), sort_keys=True)}
    with write_aside(path) as aside:
        save_file(tensors, aside, metadata=metadata)


def load_network(path: Path) -> AllInOneNetwork:
    """Read a network as :func:`save_network` wrote it, on the CPU and in evaluation mode.

    Raises:
        ModelError: the file is missing, damaged, not such a network, or its weights don't fit its configuration.
    """
    if not path.is_file():
        raise ModelError(f"The checkpoint {path.name} is not there: train the network first.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except SafetensorError as error:
        raise ModelError(f"The checkpoint {path.name} is damaged: train the network again.") from error
    if METADATA_KEY not in metadata:
        raise ModelError(f"The checkpoint {path.name} holds no network configuration: it was not written by us.")
    configuration = narrow(NetworkConfiguration, json.loads(metadata[METADATA_KEY]), where=path.name)
    network = AllInOneNetwork(configuration)
    expected = network.state_dict()
    wrong = sorted(name for name in tensors if name in expected and tensors[name].shape != expected[name].shape)
    problems = {
        "lacks": sorted(set(expected) - set(tensors)),
        "has the unknown": sorted(set(tensors) - set(expected)),
        "has the wrong shape for": wrong,
    }
    found = "; ".join(f"{what} {', '.join(names)}" for what, names in problems.items() if names)
    if found:
        raise ModelError(f"The checkpoint {path.name} {found}: train the network again.")
    network.load_state_dict(tensors)
    return network.eval()
