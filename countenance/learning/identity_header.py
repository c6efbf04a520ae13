"""Identity headers: what turns embeddings and class labels into one loss, and the plain margin softmax.

They know nothing of the network in front of them, and the training loop knows nothing of what is inside them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.class_shards import ClassShard
from countenance.network.fused_margin import MarginLoss, margin_softmax
from countenance.network.margin import MarginConfiguration

INITIAL_STD: Final = 0.01
"""Standard deviation of class weights and class centres before the first step."""


class IdentityHeader(nn.Module, ABC):
    """Embeddings and identity labels in, one loss out.

    Attributes:
        curves: what the last step is worth logging; empty where it had no row with a class.
        of_classes: names of the parameters and buffers that have one row a class. A header that names them can share
            its classes out over processes: it then holds the rows of its :attr:`shard` only, and its loss and
            gradients must nevertheless be those of all classes.
        shard: the classes that this process holds, or None where it holds all.
    """

    of_classes: ClassVar[tuple[str, ...]] = ()
    curves: dict[str, float]
    shard: ClassShard | None

    def __init__(self) -> None:
        super().__init__()
        self.curves = {}
        self.shard = None

    @abstractmethod
    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """Identity loss of a batch.

        Args:
            embedding: [N, D] raw embeddings of the network that is trained.
            labels: [N] int64 class, or -1 for a row without identity; such rows are left out.
            teacher: [N, D] teacher features row-aligned with ``embedding``, or None.

        Returns:
            The mean loss over rows with a class, or None where the batch has none.
        """

    def share_out(self, rank: int, world: int) -> None:
        """Keep the classes of one of several processes only, from now on until :meth:`join`.

        Raises:
            ModelError: this kind of header needs all classes in every process.
        """
        if not self.of_classes:
            raise ModelError(
                f"A header of the kind {type(self).__name__} can't share its classes out over processes: "
                "set 'shard_classes' to false."
            )
        self.shard = ClassShard(rank, world, len(getattr(self, self.of_classes[0])))
        for name in self.of_classes:
            self._put(name, self.shard.own(getattr(self, name)))

    def join(self) -> None:
        """Hold all classes again, on the CPU; every process must ask."""
        if self.shard is not None:
            for name in self.of_classes:
                self._put(name, self.shard.whole(getattr(self, name)))
            self.shard = None

    def margin_softmax(
        self,
        student: Tensor,
        centres: Tensor,
        labels: Tensor,
        configuration: MarginConfiguration,
        inverse_lengths: Tensor | None = None,
    ) -> MarginLoss:
        """:func:`~countenance.network.fused_margin.margin_softmax` over all classes, wherever they are held.

        Args:
            student: [N, D] unit-norm embeddings, N >= 1.
            centres: [C, D] of the classes that are held here.
            labels: [N] int64 class of each row, among all classes.
            configuration: margin and scale.
            inverse_lengths: [C] what brings the centres to unit norm, or None where they have it.
        """
        rows, gather = labels, None
        if self.shard is not None:
            rows, gather = self.shard.rows(labels), self.shard.gather
        return margin_softmax(student, centres, rows, configuration, inverse_lengths=inverse_lengths, gather=gather)

    def _put(self, name: str, rows: Tensor) -> None:
        setattr(self, name, nn.Parameter(rows) if name in self._parameters else rows)


class MarginSoftmaxHeader(IdentityHeader):
    """Margin softmax with learned class weights: a network trained alone. The teacher is not used."""

    of_classes = ("weight",)

    def __init__(
        self, classes: int, dimension: int, configuration: MarginConfiguration, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.weight = nn.Parameter(INITIAL_STD * torch.randn(classes, dimension, generator=generator))

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`."""
        self.curves = {}
        rows = (labels >= 0).nonzero().squeeze(1)
        if len(rows) == 0:
            return None
        student, weight = F.normalize(embedding[rows]), F.normalize(self.weight)
        found = self.margin_softmax(student, weight, labels[rows], self.configuration)
        self.curves = {"centre_agreement": float(found.own_cosines.mean())}
        return found.loss
