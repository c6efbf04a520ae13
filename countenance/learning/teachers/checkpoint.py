"""A teacher from a checkpoint: the trunk and identity branch of a published recogniser, or of a network of ours."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from countenance.errors import ModelError
from countenance.learning.checkpoint import METADATA_KEY, load_network
from countenance.learning.teachers.configuration import not_there
from countenance.network.allinone import AllInOneNetwork
from countenance.network.pretrained import SMALLEST_WEIGHT, load_recognition, recogniser_configuration

_WEIGHTS: Final = ("trunk.", "identity.")


class IdentityPart(nn.Module):
    """What of an all-in-one network makes its embedding: a copy of its own, in evaluation mode.

    Weights that are denormal numbers are taken as zero: they change no feature and are slow on a CPU.

    Args:
        network: left as it is.
        name: what to call it in a message.

    Raises:
        ModelError: a weight isn't finite.
    """

    def __init__(self, network: AllInOneNetwork, name: str) -> None:
        super().__init__()
        self.side = network.configuration.input_size
        self.kind = network.configuration.trunk
        self.trunk = copy.deepcopy(network.trunk).cpu()
        self.identity = copy.deepcopy(network.identity).cpu()
        self.eval().requires_grad_(False)
        for key, weights in self.state_dict().items():
            if not weights.is_floating_point():
                continue
            if not bool(torch.isfinite(weights).all()):
                raise ModelError(
                    f"The teacher {name} holds numbers that are not finite in '{key}': use an undamaged teacher."
                )
            weights.masked_fill_(weights.abs() < SMALLEST_WEIGHT, 0.0)

    def forward(self, images: Tensor) -> Tensor:
        """[n, 3, side, side] -> [n, D]."""
        embedding: Tensor = self.identity(self.trunk(images).final)
        return embedding

    def digest(self) -> str:
        """sha256 of the weights and of what they don't tell: the trunk's kind and the input's side."""
        digest = hashlib.sha256(json.dumps([self.kind, self.side]).encode())
        for key, weights in sorted(self.state_dict().items()):
            if key.startswith(_WEIGHTS) and weights.is_floating_point():
                digest.update(f"{key} {weights.dtype} {list(weights.shape)}\n".encode())
                digest.update(weights.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()


def read_checkpoint(path: Path) -> AllInOneNetwork:
    """Read a published recogniser's checkpoint or one of our own; only its trunk and identity branch may be used.

    Raises:
        ModelError: the file is missing, damaged, in no known layout or doesn't fit the network that it seems to be.
    """
    if not path.is_file():
        raise ModelError(not_there(path))
    if path.suffix == ".safetensors" and _is_ours(path):
        return load_network(path)
    network = AllInOneNetwork(recogniser_configuration(path))
    load_recognition(network, path)
    return network


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            return METADATA_KEY in (file.metadata() or {})
    except SafetensorError as error:
        raise ModelError(f"The teacher file {path.name} is damaged: fetch or train it again.") from error
