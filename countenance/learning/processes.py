"""The processes that train together: every one sees the whole batch's outputs and has the same weights.

Each process runs the network on its share of the rows of a batch (rows rank, rank + world, ... of it). The outputs,
which are small, are then gathered, so that every process computes the same loss of the whole batch: means over labelled
rows, margins and class centres are what one process would make of it. Backwards, each process takes the gradient of its
own rows, and the gradients of the weights are added up. That isn't DistributedDataParallel's mean of each process's
own loss, which is another loss as soon as the shares hold unequal numbers of labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch import distributed as dist

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Processes:
    """The group of processes, as one of them sees it.

    Attributes:
        rank: number of this process, from 0.
        world: number of processes.
        device: what this one computes on.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.rank = fabric.global_rank
        self.world = fabric.world_size
        self.device = fabric.device
        self._fabric = fabric

    def mixed_precision(self) -> AbstractContextManager[Any]:
        """Within it, operations run in the configured precision."""
        return self._fabric.autocast()

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss to the weights of this process."""
        self._fabric.backward(loss)

    def gather(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """The whole batch's rows, in its order, from every process's share of them; gradients flow back.

        Args:
            rows: tensors [n, ...] with the same n: this process's rows.

        Returns:
            The tensors [N, ...].
        """
        if self.world == 1:
            return list(rows)
        count = torch.tensor(len(rows[0]), device=self.device)
        dist.all_reduce(count)
        total = int(count)
        gathered: list[Tensor] = [torch.empty(0)] * len(rows)
        for dtype in dict.fromkeys(tensor.dtype for tensor in rows):
            places = [place for place, tensor in enumerate(rows) if tensor.dtype == dtype]
            whole = _Gather.apply(total, self.rank, self.world, *(rows[place] for place in places))  # type: ignore[no-untyped-call]
            for place, tensor in zip(places, whole, strict=True):
                gathered[place] = tensor
        return gathered

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.world == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, sums in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(sums.view(tensor.shape))

    def take_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by that of process 0."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def union(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names that any process has, sorted."""
        if self.world == 1:
            return tuple(sorted(set(names)))
        every: list[Any] = [None] * self.world
        dist.all_gather_object(every, list(names))
        return tuple(sorted({name for share in every for name in share}))


class _Gather(torch.autograd.Function):
    """[n, ...] of each process -> [N, ...] in the order of the batch; backwards, a process keeps what belongs to it."""

    @staticmethod
    def forward(ctx: Any, total: int, rank: int, world: int, *rows: Tensor) -> tuple[Tensor, ...]:
        # A head that no loss asked for gets no gradient, as in one process, and not a gradient of zeros, with which
        # its weights would decay.
        ctx.set_materialize_grads(False)
        ctx.own = slice(rank, total, world)
        # One message for all tensors: many small ones cost more than their bytes do.
        widths = [math.prod(tensor.shape[1:]) for tensor in rows]
        packed = rows[0].new_zeros(math.ceil(total / world), sum(widths))
        for tensor, columns in zip(rows, torch.split(packed[: len(rows[0])], widths, dim=1), strict=True):
            columns.copy_(tensor.reshape(columns.shape))
        every = [torch.empty_like(packed) for _ in range(world)]
        dist.all_gather(every, packed)
        whole = torch.stack(every, dim=1).flatten(0, 1)[:total]
        parts = torch.split(whole, widths, dim=1)
        return tuple(part.reshape(total, *tensor.shape[1:]) for part, tensor in zip(parts, rows, strict=True))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, None, None, *(None if gradient is None else gradient[ctx.own] for gradient in gradients)
