"""Classes shared out over the processes that train together, when their centres outgrow one of them.

Every process sees the embeddings and labels of the whole batch but holds the centres of its own classes only. What it
knows of the softmax over these, a few numbers a row and one sum of centres, is small, and is gathered
(:mod:`countenance.network.fused_margin`); so the loss and all gradients are those of one process with all classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class ClassShard:
    """The classes that one process holds: as many as the others do, or one more or less.

    Attributes:
        rank: number of the process, from 0.
        world: number of processes.
        classes: of all processes together.
    """

    rank: int
    world: int
    classes: int

    @property
    def first(self) -> int:
        """The first class of this process."""
        return self._start(self.rank)

    @property
    def end(self) -> int:
        """One beyond the last class of this process."""
        return self._start(self.rank + 1)

    def _start(self, rank: int) -> int:
        return self.classes * rank // self.world

    def own(self, whole: Tensor) -> Tensor:
        """A copy of this process's rows of a tensor [classes, ...]."""
        return whole.detach()[self.first : self.end].clone()

    def rows(self, labels: Tensor) -> Tensor:
        """For each class of ``labels`` [N] its row in this process's share, or -1 where another process has it."""
        here = (labels >= self.first) & (labels < self.end)
        return torch.where(here, labels - self.first, -1)

    def gather(self, tensor: Tensor) -> Sequence[Tensor]:
        """The tensor that every process has in this place, by rank; all must ask."""
        every = [torch.empty_like(tensor) for _ in range(self.world)]
        dist.all_gather(every, tensor.contiguous())
        return every

    def whole(self, own: Tensor, *, everywhere: bool = True) -> Tensor:
        """All rows [classes, ...] on the CPU, from every process's own; all must ask.

        Args:
            own: [end - first, ...].
            everywhere: whether every process needs them, or the first one alone; the others then get ``own`` back.
        """
        wanted = everywhere or self.rank == 0
        whole = own.new_empty((self.classes if wanted else 0, *own.shape[1:]), device="cpu")
        for rank in range(self.world):
            first, end = self._start(rank), self._start(rank + 1)
            if first == end:
                continue
            # One share after the other, so that no device ever holds two.
            rows = own.detach().contiguous() if rank == self.rank else own.new_empty((end - first, *own.shape[1:]))
            dist.broadcast(rows, rank)
            if wanted:
                whole[first:end] = rows.cpu()
        return whole if wanted else own
