"""The residual trunk: four stages of dense 3x3 convolutions, which make the best use of a CPU for their accuracy."""

from __future__ import annotations

from torch import Tensor, nn

from countenance.network.configuration import NetworkConfiguration
from countenance.network.layers import ParametricReLU, convolution
from countenance.network.trunk import Trunk, TrunkFeatures


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity shortcut (He et al., arXiv 1512.03385)."""

    fused_pairs = (("first.1", "between"),)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3)
        self.between = ParametricReLU(channels)
        self.second = convolution(channels, channels, 3)
        self.after = ParametricReLU(channels)

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape."""
        out: Tensor = self.after(features + self.second(self.between(self.first(features))))
        return out


def stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Halve the side with a strided 3x3 convolution, then refine with ``depth`` residual blocks."""
    blocks = [ResidualBlock(outputs) for _ in range(depth)]
    return nn.Sequential(*convolution(inputs, outputs, 3, 2), ParametricReLU(outputs), *blocks)


class ResidualTrunk(Trunk):
    """Four stages; the taps follow the second, third and last."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        widths, depths, side = configuration.widths, configuration.depths, configuration.input_size
        self.tap_widths = (widths[1], widths[2], widths[3], widths[3])
        self.tap_grids = (side // 4, side // 8, side // 16, side // 16)
        self.cell_stride, self.cell_offset = 16, 0.0
        self.identity_width = configuration.identity_width
        self.stem = stage(3, widths[0], depths[0])
        self.shallow = stage(widths[0], widths[1], depths[1])
        self.middle = stage(widths[1], widths[2], depths[2])
        self.deep = stage(widths[2], widths[3], depths[3])

    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, H, W] -> the taps on H/4, H/8 and H/16."""
        shallow = self.shallow(self.stem(images))
        middle = self.middle(shallow)
        deep = self.deep(middle)
        return TrunkFeatures(shallow, middle, deep, deep)

    def early_layers(self) -> tuple[nn.Module, ...]:
        """The first two stages."""
        return self.stem, self.shallow

    def identity_branch(self, embedding_dimension: int) -> nn.Module:
        """1x1 convolution, global depthwise convolution, linear, batch normalisation."""
        return PooledIdentity(self.tap_widths[3], self.tap_grids[3], self.identity_width, embedding_dimension)


class PooledIdentity(nn.Module):
    """Embedding: 1x1 convolution, global depthwise convolution, linear, batch normalisation.

    The pooling is MobileFaceNet's (Chen et al., arXiv 1804.07573, section 3.2): a learned weight for every cell,
    since a face's corners and its centre don't carry the same information. The closing batch normalisation
    is insightface's.
    """

    def __init__(self, inputs: int, grid: int, width: int, embedding_dimension: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(*convolution(inputs, width, 1), ParametricReLU(width))
        self.pool = nn.Sequential(
            nn.Conv2d(width, width, grid, groups=width, bias=False), nn.BatchNorm2d(width), nn.Flatten()
        )
        self.project = nn.Linear(width, embedding_dimension, bias=False)
        self.normalise = nn.BatchNorm1d(embedding_dimension)

    def forward(self, final: Tensor) -> Tensor:
        """[N, inputs, grid, grid] -> [N, D]."""
        embedding: Tensor = self.normalise(self.project(self.pool(self.expand(final))))
        return embedding
