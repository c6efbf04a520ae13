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
from countenance.network.allinone import LANDMARK_UNIT, POSE_UNIT_DEG, FaceOutputs

AGE_UNIT_YEARS = 10.0
DEFAULT_AGE_STD_YEARS = 3.0
POSE_NOISE_DEG = 5.0
OPEN_END_DEG = 75.0
OPEN = 1e3
LANDMARK_BEND = 0.01
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
        proposal: [N, h, w] 1 where a cell is to tell of a face, 0 where it isn't.
        proposal_box: [N, h, w, 4] what it is to say of the box.
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
    proposal: Tensor
    proposal_box: Tensor

    def to(self, device: torch.device | str) -> FaceTargets:
        """The same labels on another device."""
        return FaceTargets(*(tensor.to(device) for tensor in self))


class MultiTaskWeights(Configuration):
    """What each task's loss counts in the sum; 0 switches a task off.

    The paper doesn't publish its weights; these bring the gradients of all tasks to the same order.
    """

    identity: float = Field(default=1.0, ge=0.0)
    face: float = Field(default=1.0, ge=0.0)
    proposal: float = Field(default=1.0, ge=0.0)
    landmarks: float = Field(default=1.0, ge=0.0)
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
        "proposal": proposal_loss(outputs.proposal_logit, outputs.proposal_box, targets.proposal, targets.proposal_box),
        "landmarks": landmark_loss(outputs.landmarks, targets.landmarks, targets.visibility),
        "visibility": binary_loss(outputs.visibility_logit, targets.visibility),
        "pose": pose_loss(outputs.pose_deg, targets.pose_deg, targets.yaw_range_deg),
        "smile": binary_loss(outputs.smile_logit, targets.smile),
        "gender": binary_loss(outputs.gender_logit, targets.gender),
        "age": age_loss(outputs.age_years, targets.age_years, targets.age_std, annealing=age_annealing)
        if outputs.age_logits.shape[1] == 0
        else age_distribution_loss(outputs.age_logits, targets.age_years, targets.age_std),
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
    """Mean landmark error over the labelled rows: visibility-weighted, in units of 0.05 of the square's side.

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
    return per_row.sum() / (LANDMARK_BEND * LANDMARK_UNIT * known.any(dim=1).sum())


def pose_loss(pose_deg: Tensor, targets: Tensor, yaw_range: Tensor) -> Tensor | None:
    """Mean pose error over the labelled angles: squared, in units of 30 degrees.

    A yaw that is only known as a range is an interval-censored observation, see :func:`interval_loss`.

    Args:
        pose_deg: [N, 3] predicted yaw, pitch, roll in degrees.
        targets: [N, 3] in degrees; NaN = not labelled.
        yaw_range: [N, 2] lowest and highest yaw in degrees; used where the yaw itself isn't labelled.
    """
    known = ~targets.isnan()
    error = torch.where(known, pose_deg - targets.nan_to_num(), torch.zeros_like(pose_deg))
    coarse = ~yaw_range.isnan().any(dim=1) & ~known[:, 0]
    count = int(known.sum()) + int(coarse.sum())
    if count == 0:
        return None
    low, high = yaw_range[coarse].unbind(dim=1)
    squares = (error / POSE_UNIT_DEG).square().sum()
    return (squares + interval_loss(pose_deg[coarse, 0], low, high).sum()) / count


def interval_loss(angle_deg: Tensor, low_deg: Tensor, high_deg: Tensor) -> Tensor:
    """Minus the logarithm of the chance that the angle lies in its interval, if it is known up to logistic noise.

    The likelihood of an interval-censored observation: -log(S((high - y) / s) - S((low - y) / s)), S the logistic
    function, s = :data:`POSE_NOISE_DEG`. Near an interval's border it pulls towards the middle, gently, where a loss
    that is flat inside would leave the answer on the border. An end beyond 75 degrees is open: a profile can't be
    turned too far.

    Args:
        angle_deg: [N] predictions.
        low_deg: [N].
        high_deg: [N], above ``low_deg``.
    """
    above = torch.where(low_deg <= -OPEN_END_DEG, torch.full_like(angle_deg, OPEN), (angle_deg - low_deg))
    below = torch.where(high_deg >= OPEN_END_DEG, torch.full_like(angle_deg, OPEN), (high_deg - angle_deg))
    # S(b) - S(a) = S(b) S(-a) (1 - e^(a - b)), which keeps its precision far outside.
    width = ((above + below) / POSE_NOISE_DEG).clamp(max=30.0)
    inside = F.logsigmoid(above / POSE_NOISE_DEG) + F.logsigmoid(below / POSE_NOISE_DEG)
    return -(inside + torch.log1p(-torch.exp(-width)))


def proposal_loss(logits: Tensor, boxes: Tensor, targets: Tensor, target_boxes: Tensor) -> Tensor | None:
    """Focal loss of the cells plus smooth L1 of the boxes, both per cell that tells of a face.

    Focal loss (Lin et al., arXiv 1708.02002, equation 5): (1 - p)^2 times the cross-entropy, 0.25 for cells without a
    face and 0.75 for those with one, of which there are few.

    Args:
        logits: [N, h, w].
        boxes: [N, h, w, 4].
        targets: [N, h, w] 1, 0 or NaN.
        target_boxes: [N, h, w, 4], NaN where there is no face.
    """
    labelled = ~targets.isnan()
    if not bool(labelled.any()):
        return None
    said, wanted = logits[labelled], targets[labelled]
    entropy = F.binary_cross_entropy_with_logits(said, wanted, reduction="none")
    balance = torch.where(wanted > 0.5, 0.75, 0.25)
    missed = 1.0 - torch.exp(-entropy)
    faces = ~target_boxes.isnan().any(dim=3)
    distance = F.smooth_l1_loss(boxes[faces], target_boxes[faces], reduction="sum", beta=0.1)
    count = (wanted > 0.5).sum().clamp(min=1)
    return ((balance * missed.square() * entropy).sum() + distance) / count


def age_distribution_loss(logits: Tensor, targets: Tensor, std: Tensor) -> Tensor | None:
    """Distance of a distribution over years from a Gaussian about the label, and of its mean from the label.

    Kullback-Leibler divergence plus the absolute error of the mean in units of ten years (Gao et al., "Age Estimation
    Using Expectation of Label Distribution Learning", IJCAI 2018, equations 4 and 6).

    Args:
        logits: [N, A] for the ages 0, 1, ... A - 1 years.
        targets: [N] years; NaN = not labelled.
        std: [N] years; 3 is taken where it isn't known.
    """
    labelled = ~targets.isnan()
    if not bool(labelled.any()):
        return None
    years = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    spread = std[labelled].nan_to_num(DEFAULT_AGE_STD_YEARS)[:, None]
    wanted = (-0.5 * ((years - targets[labelled, None]) / spread).square()).softmax(dim=1)
    said = logits[labelled].log_softmax(dim=1)
    divergence = F.kl_div(said, wanted, reduction="batchmean")
    mean_error = (said.exp() @ years - targets[labelled]).abs().mean()
    return divergence + mean_error / AGE_UNIT_YEARS


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
