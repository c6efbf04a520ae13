"""What a network costs: trained scalars, multiply-adds and measured milliseconds, beside networks of one task each."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration

TASK_OUTPUTS: Final[dict[str, tuple[str, ...]]] = {
    "detection": ("face_logit", "proposal_logit", "proposal_box"),
    "landmarks": ("landmarks", "visibility_logit"),
    "pose": ("pose_deg",),
    "smile": ("smile_logit",),
    "gender": ("gender_logit",),
    "age": ("age_years",),
    "identity": ("embedding",),
}
"""The seven tasks and the outputs that each of them is."""


class Cost(NamedTuple):
    """What one network costs.

    Attributes:
        parameters: trained scalars.
        multiply_adds: of all convolutions and linear layers, for one image of the input size.
    """

    parameters: int
    multiply_adds: int


class TaskCosts(NamedTuple):
    """One network for all tasks beside one network a task.

    Attributes:
        together: the one network.
        alone: by task that the network does, the same without every layer that the task's outputs don't depend on.
    """

    together: Cost
    alone: dict[str, Cost]

    @property
    def sum_alone(self) -> Cost:
        """What the single-task networks cost together."""
        return Cost(*(sum(amounts) for amounts in zip(*self.alone.values(), strict=True)))

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers: ``together``, ``alone`` by task and ``sum_alone``, each with the fields of a cost."""
        return {
            "together": self.together._asdict(),
            "alone": {task: cost._asdict() for task, cost in self.alone.items()},
            "sum_alone": self.sum_alone._asdict(),
        }


class Milliseconds(NamedTuple):
    """How long one image takes.

    Attributes:
        median: of the repetitions.
        low: 2.5th percentile of them.
        high: 97.5th percentile.
        threads: of the engine.
        repetitions: how often it was measured.
    """

    median: float
    low: float
    high: float
    threads: int
    repetitions: int


def measure_milliseconds(
    network: AllInOneNetwork, *, threads: int = 1, repetitions: int = 50, warm_up: int = 5
) -> Milliseconds:
    """Export a network and time it on one image at a time, by ONNX Runtime on the CPU.

    Compare such times within one run on one machine only: they move by half as much again from one hour to the next.

    Args:
        network: trained or not; its weights change nothing.
        threads: of the engine.
        repetitions: that are measured, at least 1.
        warm_up: repetitions before them that are not.

    Raises:
        ModelError: the network holds a weight that isn't finite.
    """
    import onnxruntime

    from countenance.network.export import INPUT_NAME, export_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "timed.onnx"
        export_onnx(network, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    size = network.configuration.input_size
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, (1, 3, size, size)).astype(np.float32)
    taken = repeated_milliseconds(
        lambda: session.run(None, {INPUT_NAME: noise}), repetitions=repetitions, warm_up=warm_up
    )
    low, median, high = (float(value) for value in np.percentile(taken, [2.5, 50.0, 97.5]))
    return Milliseconds(median, low, high, threads, repetitions)


def repeated_milliseconds(work: Callable[[], object], *, repetitions: int, warm_up: int) -> NDArray[np.float64]:
    """How long each of so many repetitions of some work took, [repetitions], after some that aren't measured."""
    for _ in range(warm_up):
        work()
    taken = np.empty(repetitions)
    for repetition in range(repetitions):
        begin = time.perf_counter()
        work()
        taken[repetition] = (time.perf_counter() - begin) * 1000.0
    return taken


def count_parameters(network: nn.Module) -> int:
    """Number of trained scalars."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def cost_of(configuration: NetworkConfiguration) -> Cost:
    """What the network of a configuration costs, by counting; nothing is computed or stored."""
    with torch.device("meta"):
        network = AllInOneNetwork(configuration)
        return Cost(count_parameters(network), count_multiply_adds(network, configuration.input_size))


def count_multiply_adds(network: nn.Module, input_size: int) -> int:
    """Multiply-adds of all convolutions and linear layers for one image of ``input_size`` squared."""
    was_training = network.training
    device = next(network.parameters()).device
    try:
        network.eval()
        with torch.inference_mode(), _counted(network) as counts:
            network(torch.zeros(1, 3, input_size, input_size, device=device))
    finally:
        network.train(was_training)
    return sum(counts.values())


def task_costs(configuration: NetworkConfiguration) -> TaskCosts:
    """Compare the network of ``configuration`` with seven networks that do one task each.

    A single-task network is the same trunk with the branch and the head of its task: whatever the task's outputs
    depend on. Nothing is computed or stored, so that the largest trunk is counted in a second.
    """
    with torch.device("meta"):
        network = AllInOneNetwork(configuration).eval()
        side = configuration.input_size
        with torch.enable_grad(), _counted(network) as counts:
            outputs = network(torch.zeros(1, 3, side, side))
    together = Cost(count_parameters(network), sum(counts.values()))
    done = TASK_OUTPUTS if configuration.tasks == "all" else {"identity": TASK_OUTPUTS["identity"]}
    alone = {task: _cost_of([getattr(outputs, name) for name in names], counts) for task, names in done.items()}
    return TaskCosts(together, alone)


def cost_rows(costs: TaskCosts) -> list[dict[str, str | int | float]]:
    """The comparison as rows of a table.

    Columns: ``network``, ``parameters``, ``multiply_adds``, and both as multiples of the one network's.
    """
    named = {
        "all seven tasks": costs.together,
        **{f"{task} alone": cost for task, cost in costs.alone.items()},
        "seven networks together": costs.sum_alone,
    }
    return [
        {
            "network": name,
            "parameters": cost.parameters,
            "multiply_adds": cost.multiply_adds,
            "parameters_ratio": cost.parameters / costs.together.parameters,
            "multiply_adds_ratio": cost.multiply_adds / costs.together.multiply_adds,
        }
        for name, cost in named.items()
    ]


def describe_costs(configuration: NetworkConfiguration) -> str:
    """The comparison as one sentence for a report."""
    costs = task_costs(configuration)
    one, seven = costs.together, costs.sum_alone
    return (
        f"One network for seven tasks has {one.parameters / 1e6:.2f} million parameters and needs "
        f"{one.multiply_adds / 1e6:.1f} million multiply-adds an image; seven networks of one task each have "
        f"{seven.parameters / 1e6:.2f} million ({seven.parameters / one.parameters:.1f} times) and need "
        f"{seven.multiply_adds / 1e6:.1f} million ({seven.multiply_adds / one.multiply_adds:.1f} times)."
    )


def _cost_of(outputs: list[Tensor], counts: dict[nn.Module, int]) -> Cost:
    used = _trained_behind(outputs)
    multiply_adds = sum(count for layer, count in counts.items() if layer.weight in used)
    return Cost(sum(parameter.numel() for parameter in used), multiply_adds)


def _trained_behind(outputs: list[Tensor]) -> set[Tensor]:
    # Autograd's graph ends in one node for every parameter that a gradient would reach.
    found: set[Tensor] = set()
    waiting = [output.grad_fn for output in outputs]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if isinstance(parameter := getattr(node, "variable", None), Tensor):
            found.add(parameter)
        following = {each for each, _ in node.next_functions} - seen
        seen |= following
        waiting += following
    return found


@contextlib.contextmanager
def _counted(network: nn.Module) -> Iterator[dict[nn.Module, int]]:
    counts: dict[nn.Module, int] = {}

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            counts[module] = counts.get(module, 0) + module.weight[0].numel() * output[0].numel()
        elif isinstance(module, nn.Linear):
            counts[module] = counts.get(module, 0) + module.weight.numel()

    handles: list[RemovableHandle] = [module.register_forward_hook(count) for module in network.modules()]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()
