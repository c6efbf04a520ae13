"""The multi-task loop: batches in, a trained network and the record of its training out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from countenance.configuration import Configuration
from countenance.errors import TrainingError
from countenance.learning.batches import FaceBatch, FaceDataset, prefetched
from countenance.learning.distillation import IdentityHeader
from countenance.network.allinone import AllInOneNetwork
from countenance.network.costs import count_parameters
from countenance.network.losses import MultiTaskWeights, task_losses, weighted_sum
from countenance.progress import track


class TrainingConfiguration(Configuration):
    """How a network is trained: SGD with Nesterov momentum, a warm-up, then half a cosine down to zero.

    Attributes:
        steps: batches to train on.
        learning_rate: at the end of the warm-up.
        momentum: of the SGD.
        weight_decay: on convolution and linear weights and class weights; slopes, biases and normalisation have none.
        warmup_steps: over which the learning rate rises linearly.
        gradient_clip: longest gradient of the network, in the 2-norm.
        threads: of torch; the same seed gives the same losses bit for bit only with equal threads.
        curve_every: steps between two points of the curves.
        weights: what each task counts.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(default=0.1, gt=0.0)
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=5e-4, ge=0.0)
    warmup_steps: int = Field(default=100, ge=0)
    gradient_clip: float = Field(default=5.0, gt=0.0)
    threads: int = Field(default=2, ge=1)
    curve_every: int = Field(default=10, ge=1)
    weights: MultiTaskWeights = MultiTaskWeights()


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What a training run was.

    Attributes:
        steps: step (from 0) of each point of the curves.
        curves: for each curve one number a point: the task losses (``loss/face`` ...), their weighted sum (``loss``),
            ``learning_rate`` and what the identity header logs. A task without a label in that step is NaN there.
        images_seen: crops trained on, with repeats.
        seconds: wall-clock time.
        parameters: trained scalars of the network, without the identity header.
    """

    steps: tuple[int, ...]
    curves: dict[str, tuple[float, ...]]
    images_seen: int
    seconds: float
    parameters: int


def train_all_in_one(
    network: AllInOneNetwork,
    dataset: FaceDataset,
    configuration: TrainingConfiguration,
    *,
    header: IdentityHeader,
    device: torch.device | str = "cpu",
) -> TrainingRecord:
    """Train a network in place on all the tasks that the data is labelled for.

    The randomness is the data set's seed and the weights that the network and the header come with; so equal seeds
    give equal losses, bit for bit on a CPU with equal threads. The network is left in evaluation mode.

    Raises:
        TrainingError: a loss isn't finite; the text names the task, the step and the sources of its batch.
        ModelError: the header can't use the teacher features of the data set.
    """
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    header.to(device).train()
    optimiser = _optimiser(network, header, configuration)
    points: list[tuple[int, dict[str, float]]] = []
    images_seen, begin = 0, time.perf_counter()
    with _threads(configuration.threads):
        batches = track(
            prefetched(dataset, 0, configuration.steps), what="training", total=configuration.steps, unit="step"
        )
        for step, batch in enumerate(batches):
            rate = learning_rate_at(step, configuration)
            for group in optimiser.param_groups:
                group["lr"] = rate
            losses = _losses(network, header, batch, configuration, step, device)
            total = weighted_sum(losses, configuration.weights)
            optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), configuration.gradient_clip)
            optimiser.step()
            images_seen += len(batch.images)
            if step % configuration.curve_every == 0 or step == configuration.steps - 1:
                named = {f"loss/{task}": loss.item() for task, loss in losses.items()}
                points.append((step, {"loss": total.item(), **named, **header.curves, "learning_rate": rate}))
    network.eval()
    return TrainingRecord(
        steps=tuple(step for step, _ in points),
        curves=_curves([values for _, values in points]),
        images_seen=images_seen,
        seconds=time.perf_counter() - begin,
        parameters=count_parameters(network),
    )


def learning_rate_at(step: int, configuration: TrainingConfiguration) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then half a cosine to zero (arXiv 1608.03983)."""
    warmup = min(configuration.warmup_steps, configuration.steps)
    if step < warmup:
        return configuration.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, configuration.steps - warmup)
    return configuration.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))


def _losses(
    network: AllInOneNetwork,
    header: IdentityHeader,
    batch: FaceBatch,
    configuration: TrainingConfiguration,
    step: int,
    device: torch.device | str,
) -> dict[str, Tensor]:
    targets = batch.targets.to(device)
    outputs = network(batch.images.to(device))
    losses = task_losses(outputs, targets, age_annealing=step / max(1, configuration.steps - 1))
    teacher = None if batch.teacher is None else batch.teacher.to(device)
    identity = header(outputs.embedding, targets.identity, teacher)
    if identity is not None:
        losses["identity"] = identity
    if not losses:
        raise TrainingError(
            f"Step {step} has no labelled face (sources: {', '.join(batch.sources)}): "
            "raise the batch size or label more faces."
        )
    for task, loss in losses.items():
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"The {task} loss is {loss.item()} at step {step} (sources: {', '.join(batch.sources)}): "
                "lower the learning rate or check these sources' labels."
            )
    return losses


def _optimiser(
    network: AllInOneNetwork, header: IdentityHeader, configuration: TrainingConfiguration
) -> torch.optim.Optimizer:
    decayed: list[nn.Parameter] = list(header.parameters())
    free: list[nn.Parameter] = []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = name == "weight" and isinstance(module, nn.Conv2d | nn.Linear)
            (decayed if is_weight else free).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": configuration.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=configuration.learning_rate, momentum=configuration.momentum, nesterov=True)


def _curves(points: list[dict[str, float]]) -> dict[str, tuple[float, ...]]:
    names = sorted({name for values in points for name in values})
    return {name: tuple(values.get(name, math.nan) for values in points) for name in names}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
