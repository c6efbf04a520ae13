"""The paper's trunk: its layer table with PReLU (Ranjan et al., arXiv 1611.00851, figure 2).

| layer | kernel, stride | side | channels |
|---|---|---|---|
| conv1, pool1 | 11/4 (at 227), 11/2 (at 119), 11/1 (at 65); max 3/2 | 55, 27 | 96 |
| conv2, pool2 | 5/1; max 3/2 | 27, 13 | 256 |
| conv3, conv4, conv5 | 3/1 | 13 | 384, 384, 512 |
| conv6 | 3/1 | 13 | 512 |

The two smaller inputs have the same 27, 13 and 6 cells a side, so that everything behind conv1 is the same. Batch
normalisation is ours: it lets the table be trained from scratch, where the paper starts from a face recogniser.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from countenance.network.configuration import NetworkConfiguration
from countenance.network.layers import ParametricReLU, dense
from countenance.network.trunk import Trunk, TrunkFeatures

FIRST_STRIDE: Final[dict[int, int]] = {227: 4, 119: 2, 65: 1}
"""Stride of conv1 for each input size."""

PAPER: Final = NetworkConfiguration(
    trunk="allinone",
    input_size=227,
    embedding_dimension=512,
    fused_width=256,
    local_width=2048,
    task_width=512,
    global_width=128,
    landmark_scheme="21",
)
"""The paper's network. Its 1024 of the identity and the global branch come with the trunk.

Of ours: one output for a face instead of two (the same function), gender and age share one global branch, and the
proposal head.
"""


class AllInOneTrunk(Trunk):
    """Six convolutions; the taps are pool1, conv3, pooled conv5 and conv6.

    Their sides are 27, 13, 6 and 13, so that the local fusion's kernels become the paper's 4x4/4 and 2x2/2.
    A width multiplier scales all channels and the branches' 1024; channels are multiples of 8.
    """

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        stride = FIRST_STRIDE[configuration.input_size]
        first, second, third, last, full = (
            max(8, 8 * round(channels * configuration.width_multiplier / 8)) for channels in (96, 256, 384, 512, 1024)
        )
        self.tap_widths = (first, third, last, last)
        self.tap_grids = (27, 13, 6, 13)
        self.full_width = full
        # Cell (0, 0) of conv1 lies 5 pixels in; each pooling adds one cell of the layer before it.
        self.cell_stride, self.cell_offset = 8 * stride, 5.0 + (1 + 2 + 4) * stride
        self.conv1 = _convolution(3, first, 11, stride, padding=0)
        self.conv2 = _convolution(first, second, 5)
        self.conv3 = _convolution(second, third, 3)
        self.conv4 = _convolution(third, third, 3)
        self.conv5 = _convolution(third, last, 3)
        self.conv6 = _convolution(last, last, 3)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, H, W], H and W at least the input size -> the taps."""
        shallow = self.pool(self.conv1(images))
        middle = self.conv3(self.pool(self.conv2(shallow)))
        fifth = self.conv5(self.conv4(middle))
        return TrunkFeatures(shallow, middle, self.pool(fifth), self.conv6(fifth))

    def early_layers(self) -> tuple[nn.Module, ...]:
        """conv1."""
        return (self.conv1,)

    def identity_branch(self, embedding_dimension: int) -> nn.Module:
        """conv7, max pooling, fc 1024, fc D; a closing batch normalisation, as the other trunks have."""
        channels = self.tap_widths[3]
        return nn.Sequential(
            _convolution(channels, channels, 3),
            *self._pooled_vector(),
            nn.Linear(self.full_width, embedding_dimension, bias=False),
            nn.BatchNorm1d(embedding_dimension),
        )

    def global_branch(self, width: int) -> nn.Module:
        """Max pooling of conv6, fc 1024, fc ``width`` (128 in the paper)."""
        return nn.Sequential(*self._pooled_vector(), *dense(self.full_width, width))

    def _pooled_vector(self) -> nn.Sequential:
        cells = ((self.tap_grids[3] - 3) // 2 + 1) ** 2
        flat = nn.Sequential(nn.MaxPool2d(3, 2), nn.Flatten())
        return flat.extend(dense(self.tap_widths[3] * cells, self.full_width))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, *, padding: int | None = None) -> nn.Module:
    """Convolution (which keeps the side unless told otherwise), batch normalisation, PReLU."""
    padding = kernel // 2 if padding is None else padding
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), ParametricReLU(outputs))
