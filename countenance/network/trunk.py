"""What a trunk is: shared convolutions with four named taps, run on crops and, convolutionally, on whole photos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from countenance.network.layers import dense


class TrunkFeatures(NamedTuple):
    """Named taps of a trunk, each [N, C, h, w].

    Attributes:
        shallow: fine detail, for the local tasks.
        middle: between.
        deep: the grid on which the local tasks are fused and faces are proposed.
        final: the last shared layer, for the tasks that need the whole face; may be ``deep`` itself.
    """

    shallow: Tensor
    middle: Tensor
    deep: Tensor
    final: Tensor


class Trunk(nn.Module, ABC):
    """Shared convolutions.

    Attributes:
        tap_widths: channels of the four taps.
        tap_grids: their sides, for an input of the configured size.
        cell_stride: pixels of the input between two neighbouring cells of ``deep``.
        cell_offset: where in the input the centre of the first cell lies (0 = the centre of the first pixel).
    """

    tap_widths: tuple[int, int, int, int]
    tap_grids: tuple[int, int, int, int]
    cell_stride: int
    cell_offset: float

    @abstractmethod
    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, H, W] in [-1, 1] -> the taps; any H and W from the configured size's order on."""

    @abstractmethod
    def early_layers(self) -> tuple[nn.Module, ...]:
        """What leads to the tap ``shallow``: edges and textures, which serve one task as well as another."""

    @abstractmethod
    def identity_branch(self, embedding_dimension: int) -> nn.Module:
        """A new module that maps ``final`` [N, C, h, w] to raw embeddings [N, D]."""

    def global_branch(self, width: int) -> nn.Module:
        """A new module that maps ``final`` [N, C, h, w] to [N, width], for gender and age."""
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *dense(self.tap_widths[3], width))
