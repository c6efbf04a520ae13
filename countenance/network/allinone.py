"""The all-in-one network: one convolutional trunk, seven tasks (Ranjan et al., arXiv 1611.00851).

Reads from top to bottom: configuration, outputs, building blocks, trunk, branches, network, costs.
Teacher, student alone and distilled student are this one class; only their widths and depths differ.

The paper's ideas are kept: PReLU throughout, local tasks from fused shallow, middle and deep features, tasks
that need the whole face from the deep ones. The layers are not the paper's: dense 3x3 residual blocks replace
the AlexNet-like trunk, because they make the best use of a CPU for their accuracy.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from countenance.configuration import Configuration

LandmarkScheme = Literal["5", "68"]
POSE_UNIT_DEG = 30.0
AGE_CENTRE_YEARS = 35.0
AGE_UNIT_YEARS = 20.0


class NetworkConfiguration(Configuration):
    """What an :class:`AllInOneNetwork` is built from.

    Attributes:
        input_size: side S of the square input in pixels; a multiple of 16.
        widths: channels of the four stages, which work on squares of side S/2, S/4, S/8 and S/16.
        depths: residual blocks (two 3x3 convolutions each) in each of the four stages.
        embedding_dimension: length D of the identity embedding; a student's equals its teacher's.
        identity_width: channels of the 1x1 convolution in front of the identity pooling.
        fused_width: channels of each local feature map, and of their 1x1 fusion.
        local_width: length of the vector that the local heads share.
        global_width: length of the vector that gender and age share.
        landmark_scheme: ``"5"`` or ``"68"`` points.
    """

    input_size: int = Field(default=64, ge=32)
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    depths: tuple[int, int, int, int] = (0, 1, 1, 1)
    embedding_dimension: int = Field(default=128, ge=2)
    identity_width: int = Field(default=256, ge=1)
    fused_width: int = Field(default=32, ge=1)
    local_width: int = Field(default=128, ge=1)
    global_width: int = Field(default=64, ge=1)
    landmark_scheme: LandmarkScheme = "5"

    @field_validator("input_size")
    @classmethod
    def _multiple_of_16(cls, value: int) -> int:
        if value % 16:
            raise ValueError(f"input_size must be a multiple of 16, not {value}")
        return value

    @property
    def landmark_count(self) -> int:
        """Number K of landmarks."""
        return int(self.landmark_scheme)


class FaceOutputs(NamedTuple):
    """What the network says about N square crops of faces.

    Attributes:
        face_logit: [N]; positive = a face.
        landmarks: [N, K, 2]; x, y in units of the input square's side, (0, 0) = its top left corner.
        visibility_logit: [N, K]; positive = the point is visible.
        pose_deg: [N, 3]; yaw, pitch, roll in degrees (yaw > 0: turned towards the image's right side,
            pitch > 0: looking up, roll > 0: tilted clockwise as seen in the image).
        smile_logit: [N]; positive = smiling.
        gender_logit: [N]; positive = male.
        age_years: [N].
        embedding: [N, D]; raw, made unit-norm where it is used.
    """

    face_logit: Tensor
    landmarks: Tensor
    visibility_logit: Tensor
    pose_deg: Tensor
    smile_logit: Tensor
    gender_logit: Tensor
    age_years: Tensor
    embedding: Tensor


class ParametricReLU(nn.Module):
    """PReLU with one slope a channel, written as relu(x) + a (x - relu(x)).

    The values are those of :class:`torch.nn.PReLU` (He et al., arXiv 1502.01852, equation 1). This form trains
    about 1.5 times faster on a CPU, and ONNX Runtime fuses it where it has no fast PRelu kernel.
    """

    def __init__(self, channels: int, *, maps: bool = True) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.full((channels, 1, 1) if maps else (channels,), 0.25))

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] (or [N, C] without ``maps``) -> the same shape."""
        positive = F.relu(features)
        return positive + self.slope * (features - positive)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation; "same" padding for odd kernels, none for even ones."""
    padding = kernel // 2 if kernel % 2 else 0
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity shortcut (He et al., arXiv 1512.03385)."""

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


class TrunkFeatures(NamedTuple):
    """Named taps of the trunk, for an input of side S.

    Attributes:
        shallow: [N, widths[1], S/4, S/4].
        middle: [N, widths[2], S/8, S/8].
        deep: [N, widths[3], S/16, S/16].
    """

    shallow: Tensor
    middle: Tensor
    deep: Tensor


def dense(inputs: int, outputs: int) -> nn.Sequential:
    """A linear layer, batch normalisation, PReLU: [N, inputs] -> [N, outputs].

    The normalisation keeps the heads alive at the learning rates that identity asks for.
    """
    return nn.Sequential(
        nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), ParametricReLU(outputs, maps=False)
    )


class Trunk(nn.Module):
    """Four stages of dense 3x3 convolutions, shared by all tasks."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        widths, depths = configuration.widths, configuration.depths
        self.stem = stage(3, widths[0], depths[0])
        self.shallow = stage(widths[0], widths[1], depths[1])
        self.middle = stage(widths[1], widths[2], depths[2])
        self.deep = stage(widths[2], widths[3], depths[3])

    def forward(self, images: Tensor) -> TrunkFeatures:
        """[N, 3, S, S] -> the three taps."""
        shallow = self.shallow(self.stem(images))
        middle = self.middle(shallow)
        return TrunkFeatures(shallow, middle, self.deep(middle))


class LocalBranch(nn.Module):
    """Fuses the three taps on the deep grid, as the paper does: strided convolutions, concatenation, 1x1, fc."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        width, widths = configuration.fused_width, configuration.widths
        grid = configuration.input_size // 16
        self.from_shallow = nn.Sequential(*convolution(widths[1], width, 4, 4), ParametricReLU(width))
        self.from_middle = nn.Sequential(*convolution(widths[2], width, 2, 2), ParametricReLU(width))
        self.fuse = nn.Sequential(*convolution(2 * width + widths[3], width, 1), ParametricReLU(width))
        self.shared = nn.Sequential(nn.Flatten(), *dense(width * grid * grid, configuration.local_width))

    def forward(self, features: TrunkFeatures) -> Tensor:
        """The taps -> [N, local_width]."""
        maps = [self.from_shallow(features.shallow), self.from_middle(features.middle), features.deep]
        shared: Tensor = self.shared(self.fuse(torch.cat(maps, dim=1)))
        return shared


class IdentityBranch(nn.Module):
    """Embedding: 1x1 convolution, global depthwise convolution, linear, batch normalisation.

    The pooling is MobileFaceNet's (Chen et al., arXiv 1804.07573, section 3.2): a learned weight for every cell,
    since a face's corners and its centre don't carry the same information. The closing batch normalisation
    is insightface's.
    """

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        width, grid = configuration.identity_width, configuration.input_size // 16
        self.expand = nn.Sequential(*convolution(configuration.widths[3], width, 1), ParametricReLU(width))
        self.pool = nn.Sequential(
            nn.Conv2d(width, width, grid, groups=width, bias=False), nn.BatchNorm2d(width), nn.Flatten()
        )
        self.project = nn.Linear(width, configuration.embedding_dimension, bias=False)
        self.normalise = nn.BatchNorm1d(configuration.embedding_dimension)

    def forward(self, deep: Tensor) -> Tensor:
        """[N, widths[3], S/16, S/16] -> [N, D]."""
        embedding: Tensor = self.normalise(self.project(self.pool(self.expand(deep))))
        return embedding


class AllInOneNetwork(nn.Module):
    """Square RGB crops of faces in, all seven tasks out.

    Use ``network.to(memory_format=torch.channels_last)`` for speed on a CPU; the values don't change.
    """

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        points = configuration.landmark_count
        self.trunk = Trunk(configuration)
        self.local = LocalBranch(configuration)
        self.whole = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            *dense(configuration.widths[3], configuration.global_width),
        )
        self.identity = IdentityBranch(configuration)
        self.face = nn.Linear(configuration.local_width, 1)
        self.landmarks = nn.Linear(configuration.local_width, 2 * points)
        self.visibility = nn.Linear(configuration.local_width, points)
        self.pose = nn.Linear(configuration.local_width, 3)
        self.smile = nn.Linear(configuration.local_width, 1)
        self.gender = nn.Linear(configuration.global_width, 1)
        self.age = nn.Linear(configuration.global_width, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.25, mode="fan_out")
        # The face starts as a point in the middle of the square, 0 degrees turned, 35 years old.
        for head in (self.landmarks, self.pose, self.age):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Analyse N crops.

        Args:
            images: [N, 3, S, S] float32 RGB in [-1, 1].
        """
        features: TrunkFeatures = self.trunk(images)
        local = self.local(features)
        whole = self.whole(features.deep)
        return FaceOutputs(
            face_logit=self.face(local).squeeze(1),
            landmarks=0.5 + self.landmarks(local).unflatten(1, (self.configuration.landmark_count, 2)),
            visibility_logit=self.visibility(local),
            pose_deg=POSE_UNIT_DEG * self.pose(local),
            smile_logit=self.smile(local).squeeze(1),
            gender_logit=self.gender(whole).squeeze(1),
            age_years=AGE_CENTRE_YEARS + AGE_UNIT_YEARS * self.age(whole).squeeze(1),
            embedding=self.identity(features.deep),
        )


def count_parameters(network: nn.Module) -> int:
    """Number of trained scalars."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_multiply_adds(network: nn.Module, input_size: int) -> int:
    """Multiply-adds of all convolutions and linear layers for one image of ``input_size`` squared."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += module.weight[0].numel() * output[0].numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    handles: list[RemovableHandle] = [module.register_forward_hook(count) for module in network.modules()]
    was_training = network.training
    device = next(network.parameters()).device
    try:
        network.eval()
        with torch.inference_mode():
            network(torch.zeros(1, 3, input_size, input_size, device=device))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total
