"""MobileFaceNet: inverted residual blocks and a global depthwise convolution (Chen et al., arXiv 1804.07573).

At a width multiplier of 1 this is the student of AdaDistill, 1.2 million parameters at D = 512 (exactly its 1,199,488
with ``closing_gain`` off and ``tasks`` at ``identity``); at 2 it is insightface's wide one. The published state dicts
of both load, see :mod:`countenance.network.pretrained`.
"""

from __future__ import annotations

import math

from torch import Tensor, nn

from countenance.network.configuration import NetworkConfiguration
from countenance.network.layers import ParametricReLU, convolution
from countenance.network.trunk import Trunk, TrunkFeatures


class MobileFaceNetTrunk(Trunk):
    """A stem on S/2, three stages of inverted residual blocks, and a 1x1 convolution as the last shared layer.

    The stages lie on squares of side S/4, S/8 and S/16, each behind a strided block.

    A width multiplier above 1 widens what lies between the blocks, as ``scale`` does in insightface: the blocks'
    insides and the last layer keep their channels, and the stem's second convolution its 64 groups. Below 1 all of
    them shrink. Channels are multiples of 8.
    """

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        multiplier, side = configuration.width_multiplier, configuration.input_size
        narrow, wide = _channels(64, multiplier), _channels(128, multiplier)
        inside = {channels: _channels(channels, min(multiplier, 1.0)) for channels in (128, 256, 512)}
        self.tap_widths = (narrow, wide, wide, inside[512])
        self.tap_grids = (side // 4, side // 8, side // 16, side // 16)
        self.cell_stride, self.cell_offset = 16, 0.0
        groups = math.gcd(narrow, 64) if multiplier > 1.0 else narrow
        first, second, third = configuration.blocks
        self._closing_gain = configuration.closing_gain
        self.stem = activated(3, narrow, 3, 2)
        self.spread = activated(narrow, narrow, 3, groups=groups)
        self.down1 = InvertedResidual(narrow, inside[128], narrow, 2)
        self.stage1 = stage(narrow, inside[128], first)
        self.down2 = InvertedResidual(narrow, inside[256], wide, 2)
        self.stage2 = stage(wide, inside[256], second)
        self.down3 = InvertedResidual(wide, inside[512], wide, 2)
        self.stage3 = stage(wide, inside[256], third)
        self.widen = activated(wide, inside[512], 1)

    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, H, W] -> the taps on H/4, H/8, H/16 and H/16."""
        shallow = self.stage1(self.down1(self.spread(self.stem(images))))
        middle = self.stage2(self.down2(shallow))
        deep = self.stage3(self.down3(middle))
        return TrunkFeatures(shallow, middle, deep, self.widen(deep))

    def early_layers(self) -> tuple[nn.Module, ...]:
        """On squares of side S/2 and S/4: nearly half of the trunk's multiply-adds."""
        return self.stem, self.spread, self.down1, self.stage1

    def identity_branch(self, embedding_dimension: int) -> nn.Module:
        """Global depthwise convolution, linear, batch normalisation."""
        return DepthwiseIdentity(
            self.tap_widths[3], self.tap_grids[3], embedding_dimension, closing_gain=self._closing_gain
        )


class DepthwiseIdentity(nn.Module):
    """Embedding: global depthwise convolution, linear, batch normalisation (section 3.2; the last is insightface's)."""

    def __init__(self, inputs: int, grid: int, embedding_dimension: int, *, closing_gain: bool) -> None:
        super().__init__()
        pool = nn.Conv2d(inputs, inputs, grid, groups=inputs, bias=False)
        self.pool = nn.Sequential(pool, nn.BatchNorm2d(inputs), nn.Flatten())
        self.project = nn.Linear(inputs, embedding_dimension, bias=False)
        self.normalise = nn.BatchNorm1d(embedding_dimension, affine=closing_gain)

    def forward(self, final: Tensor) -> Tensor:
        """[N, inputs, grid, grid] -> [N, D]."""
        embedding: Tensor = self.normalise(self.project(self.pool(final)))
        return embedding


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise 3x3, 1x1 back without activation (Sandler et al., arXiv 1801.04381).

    A block that keeps the side adds its input, which has as many channels as its output.
    """

    def __init__(self, inputs: int, inside: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.expand = activated(inputs, inside, 1)
        self.depthwise = activated(inside, inside, 3, stride, groups=inside)
        self.project = convolution(inside, outputs, 1)
        self.adds_input = stride == 1

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, h, w] -> [N, outputs, h / stride, w / stride]."""
        out: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + out if self.adds_input else out


def stage(channels: int, inside: int, blocks: int) -> nn.Sequential:
    """Blocks that keep side and channels."""
    return nn.Sequential(*(InvertedResidual(channels, inside, channels, 1) for _ in range(blocks)))


def activated(inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, PReLU."""
    return nn.Sequential(*convolution(inputs, outputs, kernel, stride, groups=groups), ParametricReLU(outputs))


def _channels(published: int, multiplier: float) -> int:
    return max(8, 8 * round(published * multiplier / 8))
