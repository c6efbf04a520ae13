"""From a batch to one loss a task, of the whole batch however many processes share it; and who spoilt a bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from countenance.learning.batches import FaceBatch
from countenance.learning.global_normalisation import single_at_least
from countenance.learning.identity_header import IdentityHeader
from countenance.learning.processes import Processes
from countenance.learning.soft_targets import SoftLosses
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.network.losses import FaceTargets, task_losses
from countenance.network.soft_losses import SoftTargets


def losses_of(
    network: AllInOneNetwork,
    header: IdentityHeader,
    batch: FaceBatch,
    processes: Processes,
    *,
    age_annealing: float,
    soft: SoftLosses | None = None,
) -> dict[str, Tensor]:
    """Unweighted losses of all tasks that the whole batch is labelled for.

    Args:
        network: that is trained.
        header: gives the identity loss; it sees the rows of the whole batch, in their order.
        batch: this process's share.
        processes: that share the batch.
        age_annealing: see :func:`countenance.network.losses.age_loss`.
        soft: adds what a teacher says of the other tasks; the batch then holds it.
    """
    with processes.mixed_precision():
        outputs = network(batch.images.to(processes.device, non_blocking=True))
    # Losses in float32 at least, whatever the network ran in: the margin's angles need the digits.
    outputs = FaceOutputs(*processes.gather([single_at_least(output) for output in outputs]))
    beside = [] if batch.soft is None else list(batch.soft)
    given = [*batch.targets, *beside, *([] if batch.teacher is None else [batch.teacher])]
    labels = processes.gather([tensor.to(processes.device, non_blocking=True) for tensor in given])
    targets = FaceTargets(*labels[: len(batch.targets)])
    does_all = network.configuration.tasks == "all"
    losses = task_losses(outputs, targets, age_annealing=age_annealing) if does_all else {}
    if soft is not None and beside and does_all:
        start = len(batch.targets)
        losses = soft.added_to(losses, outputs, SoftTargets(*labels[start : start + len(beside)]))
    identity = header(outputs.embedding, targets.identity, None if batch.teacher is None else labels[-1])
    if identity is not None:
        losses["identity"] = identity
    return losses


def what_is_not_finite(
    losses: dict[str, Tensor],
    again: Callable[[], dict[str, Tensor]],
    weights: Sequence[Tensor],
    processes: Processes,
) -> str:
    """Where a step went wrong, in words: the first task whose loss, or else whose gradient, isn't finite.

    Args:
        losses: of the step.
        again: computes them once more, times their weights, with the graph that a backward pass has used up.
        weights: that are trained.
        processes: that shared the batch; all of them must ask.
    """
    for task, loss in losses.items():
        if not bool(torch.isfinite(loss)):
            return f"The {task} loss is {'not a number' if bool(loss.isnan()) else 'infinite'}"
    for task, loss in again().items():
        gradients = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        finite = [torch.isfinite(gradient).all() for gradient in gradients if gradient is not None]
        spoilt = torch.zeros(1, device=processes.device) + float(not bool(torch.stack(finite).all()))
        processes.add_up([spoilt])
        if bool(spoilt):
            return f"The gradient of the {task} loss is not finite"
    return "The gradient of the sum of all losses is not finite"
