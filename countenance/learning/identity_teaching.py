"""What a teacher says of the crops of a batch: from its table, or by looking at them as they were varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from countenance.data.alignment import CROP_SIZE
from countenance.errors import ModelError
from countenance.learning.augmentation import AugmentationConfiguration, apply_draws
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.views import Warp


class SeenCrop(Protocol):
    """One place of a batch: which row it shows, and how."""

    @property
    def row(self) -> int:
        """Of the data set."""
        ...

    @property
    def warp(self) -> Warp | None:
        """How its crop was warped; None for a part of a scene."""
        ...

    @property
    def mirrored(self) -> bool:
        """Whether it is mirrored."""
        ...


class IdentityTeaching:
    """A teacher's table, fitted to the rows of a data set.

    Args:
        table: the teacher's features, and the teacher itself where it is to look at varied crops.
        face_ids: of the data set's rows.
        needed: the rows that teach identity.

    Raises:
        ModelError: the teacher has no feature for one of them.
    """

    def __init__(self, table: TeacherFeatures, face_ids: Sequence[str], needed: NDArray[np.int64]) -> None:
        self.table = table
        self._rows = table.rows_of(face_ids)
        missing = int((self._rows[needed] < 0).sum())
        if missing:
            raise ModelError(
                f"The teacher has no feature for {missing} of the identity stream's faces: compute the table again."
            )

    def from_table(self, crops: Sequence[SeenCrop]) -> Tensor:
        """[N, D] features of the crop or its mirror image; zeros where the table has none."""
        found = self._rows[np.array([crop.row for crop in crops], dtype=np.int64)]
        return torch.from_numpy(self.table.take(found, np.array([crop.mirrored for crop in crops], dtype=np.int64)))

    def views(
        self,
        crops: Sequence[SeenCrop],
        is_taught: NDArray[np.bool_],
        stored: Mapping[int, NDArray[np.uint8]],
        augmentation: AugmentationConfiguration,
        draws: NDArray[np.float64],
    ) -> NDArray[np.uint8]:
        """What a teacher that looks itself is to see: [n, 112, 112, 3].

        The warps and the variation of light and sharpness are the student's, at the teacher's size.

        Args:
            crops: the N places of the batch.
            is_taught: [N] whether a place teaches identity; n of them do.
            stored: the aligned crops, by row.
            augmentation: how much varies.
            draws: [N, 4], see :func:`countenance.learning.augmentation.pixel_draws`.
        """
        seen = [
            crop.warp.image(stored[crop.row], CROP_SIZE)
            for crop, taught in zip(crops, is_taught, strict=True)
            if taught and crop.warp is not None
        ]
        if not seen:
            return np.zeros((0, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
        varied = apply_draws(np.stack(seen), augmentation, draws[is_taught])
        return np.asarray(np.rint(127.5 * varied + 127.5), dtype=np.uint8)

    def by_looking(self, views: NDArray[np.uint8], is_taught: NDArray[np.bool_]) -> Tensor:
        """[N, D] features: those of the views, where they belong, and zeros elsewhere.

        Args:
            views: as :meth:`views` gives them.
            is_taught: [N] whether a place teaches identity.

        Raises:
            ModelError: the teacher can't be run, or a feature isn't finite.
        """
        assert self.table.live is not None
        features = np.zeros((len(is_taught), self.table.dimension), dtype=np.float32)
        if len(views):
            features[is_taught] = self.table.live.embed(views)
        return torch.from_numpy(features)
