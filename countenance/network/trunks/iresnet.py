"""IResNet: the residual network that most published face recognisers are (Deng et al., arXiv 1801.07698, section 3.1).

Modules carry the names of insightface's published state dicts, so that these load by name; see
:mod:`countenance.network.pretrained`. Only the names are shared, the code is our own.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn

from countenance.network.configuration import NetworkConfiguration
from countenance.network.layers import ParametricReLU, convolution
from countenance.network.trunk import Trunk, TrunkFeatures

BLOCKS: Final[dict[str, tuple[int, int, int, int]]] = {
    "iresnet18": (2, 2, 2, 2),
    "iresnet50": (3, 4, 14, 3),
    "iresnet100": (3, 13, 30, 3),
}
"""Residual blocks in each of the four layers."""

WIDTHS: Final = (64, 128, 256, 512)
"""Channels of the four layers, which work on squares of side S/2, S/4, S/8 and S/16."""


class IResNetBlock(nn.Module):
    """Normalise, convolve, normalise, PReLU, convolve, normalise, around a shortcut; the last one keeps its sign.

    The stride is the second convolution's. A block that changes the side or the width has a 1x1 shortcut.
    """

    fused_pairs = (("bn2", "prelu"),)

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = ParametricReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        changes = stride != 1 or inputs != outputs
        self.downsample = convolution(inputs, outputs, 1, stride) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        """[N, inputs, h, w] -> [N, outputs, h / stride, w / stride]."""
        inside = self.prelu(self.bn2(self.conv1(self.bn1(features))))
        shortcut: Tensor = features if self.downsample is None else self.downsample(features)
        out: Tensor = shortcut + self.bn3(self.conv2(inside))
        return out


def layer(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """Residual blocks, of which the first halves the side."""
    first = IResNetBlock(inputs, outputs, 2)
    return nn.Sequential(first, *(IResNetBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


class IResNetTrunk(Trunk):
    """Four layers of residual blocks; the taps follow the second, third and last."""

    fused_pairs = (("bn1", "prelu"),)

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        blocks, side = BLOCKS[configuration.trunk], configuration.input_size
        self.tap_widths = (WIDTHS[1], WIDTHS[2], WIDTHS[3], WIDTHS[3])
        self.tap_grids = (side // 4, side // 8, side // 16, side // 16)
        self.cell_stride, self.cell_offset = 16, 0.0
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = ParametricReLU(WIDTHS[0])
        self.layer1 = layer(WIDTHS[0], WIDTHS[0], blocks[0])
        self.layer2 = layer(WIDTHS[0], WIDTHS[1], blocks[1])
        self.layer3 = layer(WIDTHS[1], WIDTHS[2], blocks[2])
        self.layer4 = layer(WIDTHS[2], WIDTHS[3], blocks[3])

    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, H, W] -> the taps on H/4, H/8 and H/16."""
        shallow = self.layer2(self.layer1(self.prelu(self.bn1(self.conv1(images)))))
        middle = self.layer3(shallow)
        deep = self.layer4(middle)
        return TrunkFeatures(shallow, middle, deep, deep)

    def early_layers(self) -> tuple[nn.Module, ...]:
        """The stem and the first two layers."""
        return self.conv1, self.bn1, self.prelu, self.layer1, self.layer2

    def identity_branch(self, embedding_dimension: int) -> nn.Module:
        """Normalise, flatten, linear, normalise: insightface's "E" output without its dropout."""
        return FlattenedIdentity(self.tap_widths[3], self.tap_grids[3], embedding_dimension)


class FlattenedIdentity(nn.Module):
    """Embedding: a linear layer over every cell of the last map.

    The gain of the closing normalisation stays 1, as in the published training: the margin softmax reads
    directions only, and a learned gain would be undone by it.
    """

    def __init__(self, inputs: int, grid: int, embedding_dimension: int) -> None:
        super().__init__()
        self.bn2 = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs * grid * grid, embedding_dimension)
        self.features = nn.BatchNorm1d(embedding_dimension)
        self.features.weight.requires_grad_(False)

    def forward(self, final: Tensor) -> Tensor:
        """[N, inputs, grid, grid] -> [N, D]."""
        embedding: Tensor = self.features(self.fc(self.bn2(final).flatten(1)))
        return embedding
