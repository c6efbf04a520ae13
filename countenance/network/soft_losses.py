"""What a teacher of all tasks adds to a student's losses: its probabilities, distributions and readings as targets.

A label says what is; a teacher's soft output says also how sure one can be of it from these pixels, and it is there for
faces that nobody labelled (Hinton et al., arXiv 1503.02531). A row's soft target is NaN where the teacher saw no such
view of the face, and takes the row out of that loss: the mean runs over the rows that have one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.network.allinone import FaceOutputs
from countenance.network.losses import AGE_UNIT_YEARS, landmark_loss, pose_loss

SOFT_TASKS = ("gender", "smile", "age", "pose", "landmarks", "visibility")
"""The tasks that have soft targets. Identity has the teacher's embedding, and a face is one or isn't."""


class SoftTargetConfiguration(Configuration):
    """How much a student's heads learn from the teacher's soft outputs, beside the labels.

    A task's loss is that of its labels plus its number here times that of the soft outputs, and counts in the sum with
    the task's weight. A row with a label has both, a row without one the soft part alone; 0 leaves a task to labels.

    Attributes:
        gender: share of the teacher's probability.
        smile: likewise.
        age: of its distribution over years, or of its expectation where either network has no distribution.
        pose: of its three angles.
        landmarks: of its points, weighted by how visible it takes them to be.
        visibility: of its probabilities.
        temperature: that logits are divided by on both sides, T of Hinton et al.; the loss is then multiplied with T^2,
            so that its gradient keeps its order.
    """

    gender: float = Field(default=0.0, ge=0.0)
    smile: float = Field(default=0.0, ge=0.0)
    age: float = Field(default=0.0, ge=0.0)
    pose: float = Field(default=0.0, ge=0.0)
    landmarks: float = Field(default=0.0, ge=0.0)
    visibility: float = Field(default=0.0, ge=0.0)
    temperature: float = Field(default=1.0, gt=0.0)

    @property
    def asked(self) -> bool:
        """Whether any task learns from soft outputs."""
        return any(getattr(self, task) > 0 for task in SOFT_TASKS)


class SoftTargets(NamedTuple):
    """What the teacher says of N crops, in the coordinates of each crop as it is seen; NaN where it says nothing.

    Attributes:
        gender_logit: [N]; positive = male.
        smile_logit: [N].
        age_years: [N].
        age_logits: [N, A]; A = 0 for a teacher without a distribution.
        pose_deg: [N, 3] yaw, pitch, roll.
        landmarks: [N, K, 2] in units of the input square's side.
        visibility_logit: [N, K].
    """

    gender_logit: Tensor
    smile_logit: Tensor
    age_years: Tensor
    age_logits: Tensor
    pose_deg: Tensor
    landmarks: Tensor
    visibility_logit: Tensor


def soft_losses(
    outputs: FaceOutputs, targets: SoftTargets, configuration: SoftTargetConfiguration
) -> dict[str, Tensor]:
    """Unweighted soft losses of the tasks that the configuration asks for, those with a target in the batch."""
    temperature = configuration.temperature
    unknown_range = torch.full_like(targets.pose_deg[:, :2], torch.nan)
    losses = {
        "gender": probability_loss(outputs.gender_logit, targets.gender_logit, temperature),
        "smile": probability_loss(outputs.smile_logit, targets.smile_logit, temperature),
        "age": soft_age_loss(outputs, targets, temperature),
        "pose": pose_loss(outputs.pose_deg, targets.pose_deg, unknown_range),
        "landmarks": landmark_loss(outputs.landmarks, targets.landmarks, targets.visibility_logit.sigmoid()),
        "visibility": probability_loss(outputs.visibility_logit, targets.visibility_logit, temperature),
    }
    return {task: loss for task, loss in losses.items() if loss is not None and getattr(configuration, task) > 0}


def with_soft_losses(
    losses: dict[str, Tensor], soft: dict[str, Tensor], configuration: SoftTargetConfiguration
) -> dict[str, Tensor]:
    """Each task's loss with its soft part added; a task that the batch has no label for has the soft part alone."""
    added = {task: getattr(configuration, task) * loss for task, loss in soft.items()}
    return losses | {task: losses[task] + part if task in losses else part for task, part in added.items()}


def probability_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor | None:
    """T^2 times the mean cross-entropy of S(student / T) against S(teacher / T), S the logistic function.

    Hinton et al., arXiv 1503.02531, section 2, for two classes.

    Args:
        logits: of the student, any shape.
        teacher: the teacher's logits, of the same shape; NaN = none.
        temperature: T.

    Returns:
        A scalar, or None where there is no target. So do all losses below.
    """
    known = ~teacher.isnan()
    if not bool(known.any()):
        return None
    wanted = (teacher[known] / temperature).sigmoid()
    return temperature**2 * F.binary_cross_entropy_with_logits(logits[known] / temperature, wanted)


def soft_age_loss(outputs: FaceOutputs, targets: SoftTargets, temperature: float) -> Tensor | None:
    """T^2 KL(teacher || student) of the two distributions over years, both softened by T.

    Where either network has no distribution: half the squared distance between the two ages in units of ten years.
    """
    known = ~targets.age_years.isnan()
    if not bool(known.any()):
        return None
    if outputs.age_logits.shape[1] == 0 or outputs.age_logits.shape != targets.age_logits.shape:
        distance = (outputs.age_years[known] - targets.age_years[known]) / AGE_UNIT_YEARS
        return 0.5 * distance.square().mean()
    said = (outputs.age_logits[known] / temperature).log_softmax(dim=1)
    wanted = (targets.age_logits[known] / temperature).log_softmax(dim=1)
    return temperature**2 * F.kl_div(said, wanted, reduction="batchmean", log_target=True)
