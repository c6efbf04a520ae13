"""Identity headers: what turns embeddings and class labels into one loss, and the plain margin softmax.

They know nothing of the network in front of them, and the training loop knows nothing of what is inside them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.network.margin import MarginConfiguration, margin_logits

INITIAL_STD: Final = 0.01
"""Standard deviation of class weights and class centres before the first step."""


class IdentityHeader(nn.Module, ABC):
    """Embeddings and identity labels in, one loss out; ``curves`` holds what the last step is worth logging."""

    curves: dict[str, float]

    def __init__(self) -> None:
        super().__init__()
        self.curves = {}

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


class MarginSoftmaxHeader(IdentityHeader):
    """Margin softmax with learned class weights: a network trained alone. The teacher is not used."""

    def __init__(
        self, classes: int, dimension: int, configuration: MarginConfiguration, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self.weight = nn.Parameter(INITIAL_STD * torch.randn(classes, dimension, generator=generator))

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`."""
        rows = (labels >= 0).nonzero().squeeze(1)
        if len(rows) == 0:
            return None
        chosen = labels[rows]
        cosines = F.normalize(embedding[rows]) @ F.normalize(self.weight).T
        return F.cross_entropy(margin_logits(cosines, chosen, self.configuration), chosen)
