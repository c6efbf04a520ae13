"""What the all-in-one teacher says of the training faces beside identity: read once, looked up at every step.

The teacher sees each stored view of a face once, as it is seen in evaluation, and its mirror image, and its two
readings are averaged. A training crop is a warp of such a view, so that what the teacher said of the view holds for the
crop once points and angles are warped alike: exactly as the labels are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from countenance.data.alignment import five_points
from countenance.errors import ModelError
from countenance.learning.views import MIRRORED_ORDER, StoredView, Warp
from countenance.network.allinone import FaceOutputs
from countenance.network.configuration import LandmarkScheme, NetworkConfiguration
from countenance.network.soft_losses import SoftTargetConfiguration, SoftTargets, soft_losses, with_soft_losses

Floats = NDArray[np.float32]

VIEWS: Final = ("aligned", "box")
"""In the order in which a table holds what depends on the view."""


class SeenCrop(Protocol):
    """One place of a batch: which view of a face it shows, and how."""

    @property
    def view(self) -> StoredView:
        """The stored view that it was made from."""
        ...

    @property
    def warp(self) -> Warp | None:
        """How that was warped; None for a part of a scene."""
        ...

    @property
    def mirrored(self) -> bool:
        """Whether it is mirrored."""
        ...


@dataclass(frozen=True)
class SoftTable:
    """The teacher's readings of M faces; NaN where a face has no such view.

    Attributes:
        face_ids: the faces, in row order.
        scheme: of the teacher's landmarks.
        gender_logit: [M, 2], for the aligned view and the box view.
        smile_logit: [M, 2].
        age_years: [M, 2].
        age_logits: [M, 2, A] logarithms of probabilities; A = 0 for a teacher without a distribution.
        pose_deg: [M, 3], of the box view, as are the following.
        landmarks: [M, K, 2] pixels of the 112 x 112 box crop.
        visibility_logit: [M, K].
    """

    face_ids: tuple[str, ...]
    scheme: LandmarkScheme
    gender_logit: Floats
    smile_logit: Floats
    age_years: Floats
    age_logits: Floats
    pose_deg: Floats
    landmarks: Floats
    visibility_logit: Floats

    def __post_init__(self) -> None:
        """Check that the table is whole.

        Raises:
            ModelError: a shape doesn't fit, or a reading is infinite.
        """
        faces, points = len(self.face_ids), int(self.scheme)
        shapes = {
            "gender_logit": (faces, 2),
            "smile_logit": (faces, 2),
            "age_years": (faces, 2),
            "age_logits": (faces, 2, self.age_logits.shape[-1]),
            "pose_deg": (faces, 3),
            "landmarks": (faces, points, 2),
            "visibility_logit": (faces, points),
        }
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise ModelError(f"The teacher's '{name}' has shape {values.shape}, not {shape}: compute it again.")
            if bool(np.isinf(values).any()):
                raise ModelError(f"The teacher's '{name}' holds an infinite number: use an undamaged teacher.")

    def rows_of(self, face_ids: Sequence[str]) -> NDArray[np.int64]:
        """Table row of each face; -1 for a face without one."""
        where = {face_id: row for row, face_id in enumerate(self.face_ids)}
        return np.array([where.get(face_id, -1) for face_id in face_ids], dtype=np.int64)

    def in_five_points(self) -> SoftTable:
        """The same readings with the five points of the alignment template: an eye is the mean of its contour."""
        points = [five_points(face, self.scheme) for face in self.landmarks]
        probability = 1.0 / (1.0 + np.exp(-self.visibility_logit))
        visible = [five_points(np.column_stack([face, face]), self.scheme)[:, 0] for face in probability]
        clipped = np.clip(np.array(visible, dtype=np.float32).reshape(-1, 5), 1e-6, 1 - 1e-6)
        return replace(
            self,
            scheme="5",
            landmarks=np.array(points, dtype=np.float32).reshape(-1, 5, 2),
            visibility_logit=np.log(clipped / (1 - clipped)).astype(np.float32),
        )

    def seen(self, rows: NDArray[np.int64], crops: Sequence[SeenCrop], size: int) -> SoftTargets:
        """What the teacher says of N crops as they are seen.

        A part of a scene has no soft target, an aligned crop those that don't depend on where the face was.

        Args:
            rows: [N] of the table; -1 = none.
            crops: the N places of the batch.
            size: side of the square input in pixels.
        """
        known = (rows >= 0) & np.array([crop.warp is not None for crop in crops], dtype=bool)
        boxed = known & np.array([crop.view == "box" for crop in crops], dtype=bool)
        view, row = boxed.astype(np.int64), np.maximum(rows, 0)
        pose, points, visible = self.pose_deg[row], self.landmarks[row].astype(np.float64), self.visibility_logit[row]
        order = MIRRORED_ORDER[self.scheme]
        for place in np.flatnonzero(boxed).tolist():
            crop = crops[place]
            assert crop.warp is not None
            points[place] = crop.warp.points(points[place], size) / size
            pose[place, 2] += crop.warp.rotation_deg
            if crop.mirrored:
                points[place], visible[place] = points[place][order], visible[place][order]
                pose[place] *= (-1, 1, -1)
        return SoftTargets(
            gender_logit=_where(known, self.gender_logit[row, view]),
            smile_logit=_where(known, self.smile_logit[row, view]),
            age_years=_where(known, self.age_years[row, view]),
            age_logits=_where(known, self.age_logits[row, view]),
            pose_deg=_where(boxed, pose),
            landmarks=_where(boxed, points),
            visibility_logit=_where(boxed, visible),
        )


@dataclass(frozen=True)
class SoftTeacher:
    """A table of readings, and how much is learned from them."""

    table: SoftTable
    configuration: SoftTargetConfiguration

    def fitted(self, network: NetworkConfiguration) -> SoftTeacher:
        """The same teacher, with points as the network has them.

        Raises:
            ModelError: the network has points that the teacher hasn't, and is to learn them from it.
        """
        if self.table.scheme == network.landmark_scheme:
            return self
        if network.landmark_scheme == "5":
            return replace(self, table=self.table.in_five_points())
        if self.configuration.landmarks == self.configuration.visibility == 0:
            blank = np.full((len(self.table.face_ids), network.landmark_count, 2), np.nan, dtype=np.float32)
            table = replace(self.table, scheme=network.landmark_scheme, landmarks=blank, visibility_logit=blank[..., 0])
            return replace(self, table=table)
        raise ModelError(
            f"The teacher of the other tasks tells {self.table.scheme} landmarks and the student is to tell "
            f"{network.landmark_scheme}: set 'soft.landmarks' and 'soft.visibility' to 0."
        )


class SoftLosses:
    """Adds the soft part to the losses of a step, and remembers what it was.

    Attributes:
        configuration: how much each task learns from it.
    """

    def __init__(self, configuration: SoftTargetConfiguration) -> None:
        self.configuration = configuration
        self._last: dict[str, Tensor] = {}

    def added_to(self, losses: dict[str, Tensor], outputs: FaceOutputs, targets: SoftTargets) -> dict[str, Tensor]:
        """The losses with their soft parts."""
        soft = soft_losses(outputs, targets, self.configuration)
        self._last = {task: loss.detach() for task, loss in soft.items()}
        return with_soft_losses(losses, soft, self.configuration)

    def curves(self) -> dict[str, float]:
        """The soft losses of the last step, unweighted, as ``soft/<task>``."""
        return {f"soft/{task}": float(loss) for task, loss in self._last.items()}


def _where(mask: NDArray[np.bool_], values: NDArray[np.floating]) -> Tensor:
    given = mask.reshape(-1, *[1] * (values.ndim - 1))
    return torch.from_numpy(np.where(given, values, np.nan).astype(np.float32))
