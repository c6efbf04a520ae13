"""The all-in-one network: one convolutional trunk, seven tasks (Ranjan et al., arXiv 1611.00851).

Reads from top to bottom: outputs, local branch, heads, network. The trunks lie in ``countenance/network/trunks``;
teacher, student alone and distilled student are this one class and differ in their configuration only. One that does
identity alone is the published recogniser, trunk and embedding.

The paper's ideas are kept: PReLU throughout, local tasks from fused shallow, middle and deep features, tasks that
need the whole face from the last shared layer, and faces proposed by the same trunk run over whole photos.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from countenance.errors import ModelError
from countenance.network.configuration import AGE_CLASSES, NetworkConfiguration
from countenance.network.layers import ParametricReLU, convolution, dense
from countenance.network.proposals import Proposals
from countenance.network.trunk import Trunk, TrunkFeatures
from countenance.network.trunks import build_trunk

POSE_UNIT_DEG = 30.0
LANDMARK_UNIT = 0.05
"""Of the input's side. In units of the whole side a step of the last layer that suits the other tasks would throw the
points about by more than the error that is left."""
AGE_CENTRE_YEARS = 35.0
AGE_UNIT_YEARS = 20.0


class FaceOutputs(NamedTuple):
    """What the network says about N square crops of faces.

    The first eight are the answer, and what is exported; the last three serve training.

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
        age_logits: [N, A]; for the ages 0, 1, ... years; A = 0 for the scalar head.
        proposal_logit: [N, h, w]; what the same pixels say as a part of a photo, see :class:`Proposals`.
        proposal_box: [N, h, w, 4].
    """

    face_logit: Tensor
    landmarks: Tensor
    visibility_logit: Tensor
    pose_deg: Tensor
    smile_logit: Tensor
    gender_logit: Tensor
    age_years: Tensor
    embedding: Tensor
    age_logits: Tensor
    proposal_logit: Tensor
    proposal_box: Tensor


class LocalFusion(nn.Module):
    """Brings the three local taps onto the deep grid and fuses them: strided convolutions, concatenation, 1x1."""

    def __init__(self, configuration: NetworkConfiguration, trunk: Trunk) -> None:
        super().__init__()
        width = configuration.fused_width
        self.from_shallow = self._onto_deep_grid(trunk, 0, width)
        self.from_middle = self._onto_deep_grid(trunk, 1, width)
        self.fuse = nn.Sequential(*convolution(2 * width + trunk.tap_widths[2], width, 1), ParametricReLU(width))

    @staticmethod
    def _onto_deep_grid(trunk: Trunk, tap: int, width: int) -> nn.Module:
        # The paper's 4x4/4 and 2x2/2: as many cells as fall into one of the deep grid's.
        ratio = trunk.tap_grids[tap] // trunk.tap_grids[2]
        layer = nn.Conv2d(trunk.tap_widths[tap], width, ratio, ratio, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(width), ParametricReLU(width))

    def forward(self, features: TrunkFeatures) -> Tensor:
        """The taps -> [N, fused_width, h, w] on the deep grid."""
        maps = [self.from_shallow(features.shallow), self.from_middle(features.middle), features.deep]
        # A photo's side may leave one tap a cell more than another: they share their first cells.
        height, width = (min(each.shape[axis] for each in maps) for axis in (2, 3))
        fused: Tensor = self.fuse(torch.cat([each[:, :, :height, :width] for each in maps], dim=1))
        return fused


class ProposalHead(nn.Module):
    """For every cell of the fused map: is there a face, and where is its box?"""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(*convolution(inputs, 2 * inputs, 3), ParametricReLU(2 * inputs))
        self.score = nn.Conv2d(2 * inputs, 1, 1)
        self.box = nn.Conv2d(2 * inputs, 4, 1)

    def forward(self, fused: Tensor) -> Proposals:
        """[N, C, h, w] -> proposals."""
        hidden = self.hidden(fused)
        return Proposals(logit=self.score(hidden).squeeze(1), box=self.box(hidden).permute(0, 2, 3, 1))


def head(inputs: int, outputs: int, width: int) -> nn.Module:
    """A task's own layers: a linear one, behind a vector of the task's own if ``width`` isn't 0."""
    if width == 0:
        return nn.Linear(inputs, outputs)
    return nn.Sequential(*dense(inputs, width), nn.Linear(width, outputs))


class AllInOneNetwork(nn.Module):
    """Square RGB crops of faces in, all seven tasks out.

    Use ``network.to(memory_format=torch.channels_last)`` for speed on a CPU; the values don't change.
    """

    def __init__(self, configuration: NetworkConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.trunk = build_trunk(configuration)
        if configuration.tasks == "all":
            self._add_heads(configuration)
        self.identity = self.trunk.identity_branch(configuration.embedding_dimension)
        self._keeps_early_layers = False
        self._initialise()

    def keep_early_layers(self) -> None:
        """From now on training leaves what leads to the trunk's tap ``shallow`` as it is, statistics too.

        Without gradients there a training takes half as long, for weights that know faces already.
        """
        self._keeps_early_layers = True
        for layer in self.trunk.early_layers():
            layer.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation; layers that are kept evaluate in either."""
        super().train(mode)
        if self._keeps_early_layers:
            for layer in self.trunk.early_layers():
                layer.eval()
        return self

    def _add_heads(self, configuration: NetworkConfiguration) -> None:
        points, local, own = configuration.landmark_count, configuration.local_width, configuration.task_width
        grid = self.trunk.tap_grids[2]
        self.fusion = LocalFusion(configuration, self.trunk)
        self.local = nn.Sequential(nn.Flatten(), *dense(configuration.fused_width * grid * grid, local))
        self.whole = self.trunk.global_branch(configuration.global_width)
        self.proposals = ProposalHead(configuration.fused_width)
        self.face = head(local, 1, own)
        self.landmarks = head(local, 2 * points, own)
        self.visibility = head(local, points, own)
        self.pose = head(local, 3, own)
        self.smile = head(local, 1, own)
        self.gender = nn.Linear(configuration.global_width, 1)
        self.age = nn.Linear(configuration.global_width, configuration.age_classes or 1)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.25, mode="fan_out")
        if self.configuration.tasks == "all":
            self._initialise_heads()

    def _initialise_heads(self) -> None:
        # The face starts as a point in the middle of the square, 0 degrees turned, 35 years old.
        for task in (self.landmarks, self.pose, self.age):
            last = task[-1] if isinstance(task, nn.Sequential) else task
            assert isinstance(last, nn.Linear)
            nn.init.normal_(last.weight, std=0.01)
            nn.init.zeros_(last.bias)
        # Faces are rare in a photo: most cells start from "none" (Lin et al., arXiv 1708.02002, section 4.1).
        for layer in (self.proposals.score, self.proposals.box):
            nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(torch.as_tensor(self.proposals.score.bias), -3.0)
        nn.init.zeros_(torch.as_tensor(self.proposals.box.bias))

    def forward(self, images: Tensor) -> FaceOutputs:
        """Analyse N crops.

        Args:
            images: [N, 3, S, S] float32 RGB in [-1, 1].

        Returns:
            The outputs; NaN for every task but identity where ``configuration.tasks`` is ``identity``.
        """
        features: TrunkFeatures = self.trunk(images)
        if self.configuration.tasks == "identity":
            return self._identity_alone(features)
        fused = self.fusion(features)
        local = self.local(fused)
        whole = self.whole(features.final)
        proposals: Proposals = self.proposals(fused)
        age_years, age_logits = self._age(whole)
        return FaceOutputs(
            face_logit=self.face(local).squeeze(1),
            landmarks=0.5 + LANDMARK_UNIT * self.landmarks(local).unflatten(1, (self.configuration.landmark_count, 2)),
            visibility_logit=self.visibility(local),
            pose_deg=POSE_UNIT_DEG * self.pose(local),
            smile_logit=self.smile(local).squeeze(1),
            gender_logit=self.gender(whole).squeeze(1),
            age_years=age_years,
            embedding=self.identity(features.final),
            age_logits=age_logits,
            proposal_logit=proposals.logit,
            proposal_box=proposals.box,
        )

    def propose(self, images: Tensor) -> Proposals:
        """Where in N photos, or parts of photos, faces of about 0.25 to 0.6 times the input size may be.

        Args:
            images: [N, 3, H, W] float32 RGB in [-1, 1]; H and W need not be the input size.

        Raises:
            ModelError: the network does identity alone.
        """
        if self.configuration.tasks == "identity":
            raise ModelError("The network does identity alone and can't look for faces: set 'network.tasks' to 'all'.")
        proposals: Proposals = self.proposals(self.fusion(self.trunk(images)))
        return proposals

    def _identity_alone(self, features: TrunkFeatures) -> FaceOutputs:
        count, _, height, width = features.deep.shape
        points, nothing = self.configuration.landmark_count, features.deep.new_full
        return FaceOutputs(
            face_logit=nothing((count,), torch.nan),
            landmarks=nothing((count, points, 2), torch.nan),
            visibility_logit=nothing((count, points), torch.nan),
            pose_deg=nothing((count, 3), torch.nan),
            smile_logit=nothing((count,), torch.nan),
            gender_logit=nothing((count,), torch.nan),
            age_years=nothing((count,), torch.nan),
            embedding=self.identity(features.final),
            age_logits=nothing((count, self.configuration.age_classes), torch.nan),
            proposal_logit=nothing((count, height, width), torch.nan),
            proposal_box=nothing((count, height, width, 4), torch.nan),
        )

    def _age(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        said: Tensor = self.age(whole)
        if self.configuration.age_head == "scalar":
            return AGE_CENTRE_YEARS + AGE_UNIT_YEARS * said.squeeze(1), said[:, :0]
        ages = torch.arange(AGE_CLASSES, dtype=said.dtype, device=said.device)
        return said.softmax(dim=1) @ ages, said
