"""Recognition first: a network's trunk and identity branch start from a published face recogniser.

Read are state dicts (safetensors or torch, without pickle) of IResNet and MobileFaceNet in the layouts of
:mod:`countenance.network.published`, and MobileFaceNets as ONNX files. What doesn't fit is an error: training that goes
on from random weights looks like training.
"""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration, TrunkName
from countenance.network.published import LAYOUTS, Layout
from countenance.network.recogniser_graph import read_recogniser_graph
from countenance.network.trunks.iresnet import BLOCKS as IRESNET_BLOCKS
from countenance.network.trunks.iresnet import WIDTHS as IRESNET_WIDTHS

WRAPPERS: Final = ("state_dict", "state_dict_backbone")
"""Keys under which training scripts keep the recogniser beside other things."""

INPUT_MEAN: Final = 127.5
INPUT_SCALE: Final = 127.5
"""What our networks, and insightface's, subtract from a pixel in [0, 255], and then divide by."""

SMALLEST_WEIGHT: Final = 1e-12
"""Smaller weights are set to 0: they change no output, but what is multiplied with them, gradients above all, becomes
denormal, and a CPU is several times slower with denormal numbers."""

FIRST_LAYER: Final = {
    "mobilefacenet": ("trunk.stem.0.weight", "trunk.stem.1.running_mean"),
    "iresnet18": ("trunk.conv1.weight", "trunk.bn1.running_mean"),
    "iresnet50": ("trunk.conv1.weight", "trunk.bn1.running_mean"),
    "iresnet100": ("trunk.conv1.weight", "trunk.bn1.running_mean"),
}
"""The first convolution's weight and the mean of the normalisation behind it, in our names."""


def load_recognition(
    network: AllInOneNetwork, path: Path, *, input_mean: float = INPUT_MEAN, input_scale: float = INPUT_SCALE
) -> str:
    """Let ``network``'s trunk and identity branch become a published face recogniser; all or nothing.

    Afterwards the embedding of an aligned crop is the recogniser's, up to what zero padding means at the border where
    ``input_mean`` isn't ours. The other branches and heads keep their weights. A published recogniser is of one
    input size, nearly always 112, and one embedding dimension; the network is to be configured alike. For example
    the 1.2 million weights of a ``fr_feature.onnx`` as the npm package faceplugin-face-recognition-js has it::

        NetworkConfiguration(trunk="mobilefacenet", input_size=112, embedding_dimension=512)
        load_recognition(network, path, input_mean=127.0, input_scale=128.0)

    Before training goes on from an ONNX file, call :func:`~countenance.network.normalisation.settle_normalisation`.

    Args:
        network: a network with the recogniser's trunk.
        path: ``.safetensors``, ``.pt``, ``.pth`` or ``.onnx``.
        input_mean: what the recogniser subtracts from pixels in [0, 255].
        input_scale: what it divides them by then. Both are folded into the first convolution.

    Returns:
        What was found, e.g. "insightface's IResNet", for the training record.

    Raises:
        ModelError: the file is missing or unreadable, of another trunk, embedding dimension or size, or it lacks
            a tensor, has one too many or one that isn't finite. The network is left as it was.
    """
    if not path.is_file():
        raise ModelError(f"The recogniser {path.name} is not there: put it there, or start from random weights.")
    own = list(_own_state(network))
    if path.suffix == ".onnx":
        title = "a MobileFaceNet's ONNX graph"
        _require_trunk(network, path, title, ("mobilefacenet",))
        found, unknown, names = _by_our_names(read_recogniser_graph(network, path), str, own)
    else:
        theirs = _unwrapped(_read(path), path)
        layout = _layout_of(theirs, path)
        title = layout.title
        _require_trunk(network, path, title, layout.trunks)
        found, unknown, names = _by_our_names(theirs, layout.name_of, own)
    tensors = _checked(found, unknown, names, network, path)
    _fold_input(tensors, network.configuration.trunk, input_mean, input_scale)
    network.load_state_dict(tensors, strict=False)
    return title


def recogniser_configuration(path: Path) -> NetworkConfiguration:
    """The network that a published recogniser's state dict is of: trunk, width, depth, input size, embedding dimension.

    It does identity alone. Whether the weights fit is for :func:`load_recognition` to say.

    Raises:
        ModelError: the file is missing, unreadable or in no known layout, or it lacks what tells its size.
    """
    if not path.is_file():
        raise ModelError(f"The recogniser {path.name} is not there: put it there.")
    theirs = _unwrapped(_read(path), path)
    layout = _layout_of(theirs, path)
    try:
        if "mobilefacenet" in layout.trunks:
            pool = theirs[layout.name_of("identity.pool.0.weight")]
            return NetworkConfiguration(
                tasks="identity",
                trunk="mobilefacenet",
                blocks=_stage_blocks(theirs, layout),
                input_size=16 * pool.shape[-1],
                width_multiplier=len(theirs[layout.name_of("trunk.stem.0.weight")]) / 64,
                embedding_dimension=len(theirs[layout.name_of("identity.project.weight")]),
            )
        last = theirs[layout.name_of("identity.fc.weight")]
        return NetworkConfiguration(
            tasks="identity",
            trunk=_depth_of(theirs),
            input_size=16 * math.isqrt(last.shape[1] // IRESNET_WIDTHS[-1]),
            embedding_dimension=len(last),
        )
    except (KeyError, IndexError, ValueError) as error:
        raise ModelError(
            f"The recogniser {path.name} looks like {layout.title} but is of no size that is known: fetch it again."
        ) from error


def _stage_blocks(theirs: dict[str, Tensor], layout: Layout) -> tuple[int, int, int]:
    def blocks(stage: str) -> int:
        names = (layout.name_of(f"trunk.{stage}.{number}.expand.0.weight") for number in itertools.count())
        return sum(1 for _ in itertools.takewhile(theirs.__contains__, names))

    return blocks("stage1"), blocks("stage2"), blocks("stage3")


def _depth_of(theirs: dict[str, Tensor]) -> TrunkName:
    found = tuple(
        len({name.split(".")[1] for name in theirs if name.startswith(f"layer{number}.")}) for number in range(1, 5)
    )
    names: dict[tuple[int, ...], TrunkName] = {
        IRESNET_BLOCKS["iresnet18"]: "iresnet18",
        IRESNET_BLOCKS["iresnet50"]: "iresnet50",
        IRESNET_BLOCKS["iresnet100"]: "iresnet100",
    }
    return names[found]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise ModelError(
            f"The recogniser {path.name} is damaged or holds more than tensors: save its state dict alone."
        ) from error


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(each, Tensor) for each in content.values()):
        raise ModelError(f"The recogniser {path.name} is not a state dict: save the recogniser's state dict alone.")
    distributed = bool(content) and all(name.startswith("module.") for name in content)
    return {name.removeprefix("module.") if distributed else name: each for name, each in content.items()}


def _layout_of(theirs: dict[str, Tensor], path: Path) -> Layout:
    for layout in LAYOUTS:
        if any(name.startswith(layout.marker) for name in theirs):
            return layout
    known = ", ".join(layout.title for layout in LAYOUTS)
    raise ModelError(
        f"The recogniser {path.name} is in none of the known layouts, which are {known}: convert its names."
    )


def _require_trunk(network: AllInOneNetwork, path: Path, title: str, trunks: tuple[str, ...]) -> None:
    if network.configuration.trunk not in trunks:
        raise ModelError(
            f"The recogniser {path.name} is {title} and the network's trunk is '{network.configuration.trunk}': "
            f"set trunk to {' or '.join(trunks)}."
        )


def _by_our_names(
    theirs: dict[str, Tensor], name_of: Callable[[str], str], own: Iterable[str]
) -> tuple[dict[str, Tensor], list[str], dict[str, str]]:
    names = {ours: name_of(ours) for ours in own}
    found = {ours: theirs[name] for ours, name in names.items() if name in theirs}
    return found, sorted(set(theirs) - set(names.values())), names


def _own_state(network: AllInOneNetwork) -> dict[str, Tensor]:
    parts = ("trunk.", "identity.")
    return {name: tensor for name, tensor in network.state_dict().items() if name.startswith(parts)}


def _assumed(absent: set[str], own: dict[str, Tensor]) -> dict[str, Tensor]:
    # Counters say nothing about the function, and AdaDistill's last normalisation has neither gain nor shift.
    counters = {name for name in own if name.endswith("num_batches_tracked")}
    values = {name: torch.zeros_like(own[name]) for name in counters} if counters <= absent else {}
    gain, shift = "identity.normalise.weight", "identity.normalise.bias"
    if {gain, shift} <= absent and gain in own:
        values |= {gain: torch.ones_like(own[gain]), shift: torch.zeros_like(own[shift])}
    return values


def _checked(
    found: dict[str, Tensor], unknown: list[str], names: dict[str, str], network: AllInOneNetwork, path: Path
) -> dict[str, Tensor]:
    """``found`` as it can be loaded. ``names``: ours -> what the user knows a tensor as."""
    own = _own_state(network)
    found = found | _assumed(set(own) - set(found), own)
    _check_dimension(found, network.configuration.embedding_dimension, path)
    # PReLU slopes are [C] there and [C, 1, 1] here.
    fitted = {
        name: each.reshape(own[name].shape) if name.endswith(".slope") and each.numel() == own[name].numel() else each
        for name, each in found.items()
    }
    wrong = {name: each for name, each in fitted.items() if each.shape != own[name].shape}
    problems = {
        "lacks": [names[name] for name in own if name not in fitted],
        "has the unknown": unknown,
        "has the wrong shape for": [
            f"{names[name]} ({list(each.shape)}, not {list(own[name].shape)})" for name, each in wrong.items()
        ],
        "has numbers that are not finite in": [
            names[name] for name, each in fitted.items() if not bool(torch.isfinite(each).all())
        ],
    }
    said = "; it ".join(f"{what} {_listed(each)}" for what, each in problems.items() if each)
    if said:
        raise ModelError(
            f"The recogniser {path.name} does not fit the trunk '{network.configuration.trunk}' at input size "
            f"{network.configuration.input_size}: it {said}; configure the network as it was trained."
        )
    return {name: _plain(each) for name, each in fitted.items()}


def _check_dimension(found: dict[str, Tensor], dimension: int, path: Path) -> None:
    last = found.get("identity.project.weight", found.get("identity.fc.weight"))
    if last is not None and last.shape[0] != dimension:
        raise ModelError(
            f"The embeddings of the recogniser {path.name} have {last.shape[0]} numbers and the network's "
            f"{dimension}: set embedding_dimension to {last.shape[0]}."
        )


def _plain(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    full = tensor.float()
    return torch.where(full.abs() < SMALLEST_WEIGHT, 0.0, full)


def _listed(names: list[str]) -> str:
    first = ", ".join(names[:3])
    return first if len(names) <= 3 else f"{first} and {len(names) - 3} more"


def _fold_input(tensors: dict[str, Tensor], trunk: str, input_mean: float, input_scale: float) -> None:
    # Theirs sees (x - mean) / scale = gain * ours + shift; the shift reaches every output through all weights.
    gain, shift = INPUT_SCALE / input_scale, (INPUT_MEAN - input_mean) / input_scale
    weight, mean = FIRST_LAYER[trunk]
    tensors[mean] = tensors[mean] - shift * tensors[weight].sum(dim=(1, 2, 3))
    tensors[weight] = gain * tensors[weight]
