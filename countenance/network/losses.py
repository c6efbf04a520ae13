"""Task losses, each masked by what a row is labelled for (Ranjan et al., arXiv 1611.00851, section 3.2).

A label that is missing is NaN (-1 for an identity) and takes its row out of that loss: the mean runs over the
labelled rows only. A task without a single labelled row in the batch is left out of the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.network.allinone import POSE_UNIT_DEG, FaceOutputs

AGE_UNIT_YEARS = 10.0
DEFAULT_AGE_STD_YEARS = 3.0
LANDMARK_BEND = 0.02
"""Landmark errors below this share of the square's side count squared, larger ones linearly."""


class FaceTargets(NamedTuple):
    """Labels of N crops; NaN (identity: -1) where a row isn't labelled.

    Attributes:
        is_face: [N] 1 or 0.
        landmarks: [N, K, 2] in units of the input square's side.
        visibility: [N, K] in 0..1.
        pose_deg: [N, 3] yaw, pitch, roll in degrees.
        yaw_range_deg: [N, 2] lowest and highest yaw that a coarse label allows, in degrees.
        smile: [N] 1 or 0.
        gender: [N] 1 = male, 0 = female.
        age_years: [N].
        age_std: [N] years.
        identity: [N] int64 class, or -1.
    """

    is_face: Tensor
    landmarks: Tensor
    visibility: Tensor
    pose_deg: Tensor
    yaw_range_deg: Tensor
    smile: Tensor
    gender: Tensor
    age_years: Tensor
    age_std: Tensor
    identity: Tensor

    def to(self, device: torch.device | str) -> FaceTargets:
        """The same labels on another device."""
        return FaceTargets(*(tensor.to(device) for tensor in self))


class MultiTaskWeights(Configuration):
    """What each task's loss counts in the sum; 0 switches a task off.

    The paper doesn't publish its weights; these bring the gradients of all tasks to the same order.
    """

    identity: float = Field(default=1.0, ge=0.0)
    face: float = Field(default=1.0, ge=0.0)
    landmarks: float = Field(default=50.0, ge=0.0)
    visibility: float = Field(default=0.5, ge=0.0)
    pose: float = Field(default=5.0, ge=0.0)
    smile: float = Field(default=1.0, ge=0.0)
    gender: float = Field(default=1.0, ge=0.0)
    age: float = Field(default=1.0, ge=0.0)


def task_losses(outputs: FaceOutputs, targets: FaceTargets, *, age_annealing: float) -> dict[str, Tensor]:
    """Unweighted losses of all tasks but identity, for those that have a labelled row in the batch.

    Args:
        age_annealing: lambda of the age loss, from 0 (Euclidean) at the start to 1 (Gaussian) at the end.
    """
    losses = {
        "face": binary_loss(outputs.face_logit, targets.is_face),
        "landmarks": landmark_loss(outputs.landmarks, targets.landmarks, targets.visibility),
        "visibility": binary_loss(outputs.visibility_logit, targets.visibility),
        "pose": pose_loss(outputs.pose_deg, targets.pose_deg, targets.yaw_range_deg),
        "smile": binary_loss(outputs.smile_logit, targets.smile),
        "gender": binary_loss(outputs.gender_logit, targets.gender),
        "age": age_loss(outputs.age_years, targets.age_years, targets.age_std, annealing=age_annealing),
    }
    return {task: loss for task, loss in losses.items() if loss is not None}


def weighted_sum(losses: dict[str, Tensor], weights: MultiTaskWeights) -> Tensor:
    """The sum that is trained on: each task's loss times its weight."""
    return torch.stack([getattr(weights, task) * loss for task, loss in losses.items()]).sum()


def binary_loss(logits: Tensor, targets: Tensor) -> Tensor | None:
    """Mean binary cross-entropy over the labelled entries; soft targets in 0..1 are allowed.

    Returns:
        A scalar, or None where nothing is labelled. So do all losses below.
    """
    labelled = ~targets.isnan()
    if not bool(labelled.any()):
        return None
    return F.binary_cross_entropy_with_logits(logits[labelled], targets[labelled])


def landmark_loss(points: Tensor, targets: Tensor, visibility: Tensor) -> Tensor | None:
    """Mean landmark error over the labelled rows: visibility-weighted, in units of the square's side.

    The paper squares the distance, 1/(2K) sum v |p - p*|^2; here that holds up to :data:`LANDMARK_BEND` and the
    error grows linearly beyond (a Huber loss, divided by the bend), because squares of small shares all but vanish.

    Args:
        points: [N, K, 2] predictions.
        targets: [N, K, 2]; a point with a NaN isn't labelled.
        visibility: [N, K] in 0..1; NaN = not known, taken as visible.
    """
    known = ~targets.isnan().any(dim=2)
    if not bool(known.any()):
        return None
    weight = torch.where(known, visibility.nan_to_num(1.0), torch.zeros_like(visibility))
    distance = F.huber_loss(
        points, torch.where(known[..., None], targets, points.detach()), reduction="none", delta=LANDMARK_BEND
    )
    per_row = (weight * distance.sum(dim=2)).sum(dim=1) / known.sum(dim=1).clamp(min=1)
    return per_row.sum() / (LANDMARK_BEND * known.any(dim=1).sum())


def pose_loss(pose_deg: Tensor, targets: Tensor, yaw_range: Tensor) -> Tensor | None:
    """Mean squared pose error over the labelled angles, in units of 30 degrees.

    A yaw that is only known as a range costs nothing inside it and its distance to the nearer end outside.

    Args:
        pose_deg: [N, 3] predicted yaw, pitch, roll in degrees.
        targets: [N, 3] in degrees; NaN = not labelled.
        yaw_range: [N, 2] lowest and highest yaw in degrees; used where the yaw itself isn't labelled.
    """
    known = ~targets.isnan()
    error = torch.where(known, pose_deg - targets.nan_to_num(), torch.zeros_like(pose_deg))
    coarse = ~yaw_range.isnan().any(dim=1) & ~known[:, 0]
    low, high = yaw_range.nan_to_num().unbind(dim=1)
    yaw = pose_deg[:, 0]
    outside = F.relu(low - yaw) + F.relu(yaw - high)
    count = int(known.sum()) + int(coarse.sum())
    if count == 0:
        return None
    squares = (error / POSE_UNIT_DEG).square().sum() + (outside[coarse] / POSE_UNIT_DEG).square().sum()
    return squares / count


def age_loss(years: Tensor, targets: Tensor, std: Tensor, *, annealing: float) -> Tensor | None:
    """Mean annealed age loss over the labelled rows: (1 - l) (y - a)^2 / 2 + l (1 - exp(-(y - a)^2 / 2 std^2)).

    The Euclidean part is taken in units of ten years, which brings both parts to the same order.

    Args:
        years: [N] predictions.
        targets: [N] years; NaN = not labelled.
        std: [N] years; 3 is taken where it isn't known.
        annealing: l, from 0 at the start of training to 1 at its end.
    """
    labelled = ~targets.isnan()
    if not bool(labelled.any()):
        return None
    difference = years[labelled] - targets[labelled]
    spread = std[labelled].nan_to_num(DEFAULT_AGE_STD_YEARS)
    euclidean = 0.5 * (difference / AGE_UNIT_YEARS).square()
    gaussian = 1.0 - torch.exp(-0.5 * (difference / spread).square())
    return torch.as_tensor(((1.0 - annealing) * euclidean + annealing * gaussian).mean())
