"""How long and how fast a network learns, and on what."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from pydantic import Field

from countenance.configuration import Configuration
from countenance.network.losses import MultiTaskWeights

WHERE_IT_RUNS: Final = ("device", "processes", "shard_classes", "fused_kernels", "threads", "checkpoint_every")
"""What of a training's configuration changes where and how fast it is done, and what it gives by rounding at most."""


class TrainingConfiguration(Configuration):
    """How a network is trained: SGD with Nesterov momentum, a warm-up, then half a cosine down to zero.

    Attributes:
        steps: batches to train on.
        learning_rate: at the end of the warm-up.
        momentum: of the SGD.
        weight_decay: on convolution and linear weights and class weights; slopes, biases and normalisation have none.
        warmup_steps: over which the learning rate rises linearly.
        gradient_clip: longest gradient of the network, in the 2-norm.
        weights: what each task counts.
        balance: ``"fixed"`` keeps the weights as they are; ``"uncertainty"`` learns a factor for each beside them.
        average_decay: of the moving average of the weights, which takes their place at the end; 0 = none.
        device: ``"auto"`` takes a GPU where there is one.
        precision: ``"bf16-mixed"`` runs the network, but not the losses, in bfloat16. On a CPU it bends the gradients.
        processes: that share every batch, on one GPU each or all on the CPU.
        shard_classes: whether the processes share out the identity header's classes, each holding some, or all hold
            all: for classes that outgrow one process. The losses are the same.
        fused_kernels: whether a training on a CPU runs our own kernels of normalisation and activation, see
            :func:`countenance.network.acceleration.accelerated`. Losses agree within rounding.
        threads: of torch, shared by the processes; the same seed gives the same losses bit for bit only with equal
            threads.
        curve_every: steps between two points of the curves.
        gradient_statistics_every: steps between two looks at how the tasks' gradients agree; 0 = never.
        checkpoint_every: steps between two saved states of a training session.
    """

    steps: int = Field(ge=1)
    learning_rate: float = Field(default=0.1, gt=0.0)
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    weight_decay: float = Field(default=5e-4, ge=0.0)
    warmup_steps: int = Field(default=100, ge=0)
    gradient_clip: float = Field(default=5.0, gt=0.0)
    weights: MultiTaskWeights = MultiTaskWeights()
    balance: Literal["fixed", "uncertainty"] = "fixed"
    average_decay: float = Field(default=0.0, ge=0.0, lt=1.0)
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    processes: int = Field(default=1, ge=1)
    shard_classes: bool = False
    fused_kernels: bool = True
    threads: int = Field(default=2, ge=1)
    curve_every: int = Field(default=10, ge=1)
    gradient_statistics_every: int = Field(default=0, ge=0)
    checkpoint_every: int = Field(default=200, ge=1)

    def identity(self) -> dict[str, Any]:
        """What a training session must have in common with this configuration to be continued under it.

        Where it runs and how often it is saved may change.
        """
        return self.model_dump(mode="json", exclude=set(WHERE_IT_RUNS))


def learning_rate_at(step: int, configuration: TrainingConfiguration) -> float:
    """Learning rate of a step, counted from 0: linear warm-up, then half a cosine to zero (arXiv 1608.03983)."""
    warmup = min(configuration.warmup_steps, configuration.steps)
    if step < warmup:
        return configuration.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, configuration.steps - warmup)
    return configuration.learning_rate * 0.5 * (1.0 + math.cos(math.pi * progress))
