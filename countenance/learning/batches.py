"""From manifest rows and stored crops to batches: three streams of faces, mixed and varied by seed and step alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from countenance.configuration import Configuration
from countenance.errors import DataError, ModelError
from countenance.learning.augmentation import AugmentationConfiguration, vary_pixels, vary_view
from countenance.learning.labels import FaceLabels, labels_of
from countenance.learning.teacher import TeacherFeatures
from countenance.learning.views import CANONICAL_WARP, MIRRORED_ORDER, View, Warp
from countenance.network.configuration import NetworkConfiguration
from countenance.network.losses import FaceTargets

STREAMS = ("identity", "attributes", "localisation")


class CropReader(Protocol):
    """Where crops come from; :class:`countenance.data.crop_store.CropStore` is one."""

    def rows(self, crops: Sequence[str]) -> NDArray[np.int64]:
        """Storage row of each crop key."""
        ...

    def encoded(self, row: int, view: View) -> object | None:
        """The stored view of a row, or None where there is no such view."""
        ...

    def read_row(self, row: int, view: View) -> NDArray[np.uint8]:
        """The decoded [112, 112, 3] RGB view of a row."""
        ...


class BatchConfiguration(Configuration):
    """What a batch is made of.

    Attributes:
        batch_size: crops a batch.
        identity_share: relative share of aligned crops of named subjects.
        attributes_share: relative share of crops of unnamed faces with gender, smile or age.
        localisation_share: relative share of box crops, faces and others: landmarks, pose, face or not.
        unnamed_as_classes: an unnamed face with an aligned crop counts as a person of its own in the identity stream.
            Distillation then learns from what the teacher says of it.
        decoded_mebibytes: how much memory decoded crops may take; they are kept until it is full.

    A stream that the data has no rows for gives its share to the others.
    """

    batch_size: int = Field(default=128, ge=2)
    identity_share: float = Field(default=0.6, ge=0.0)
    attributes_share: float = Field(default=0.15, ge=0.0)
    localisation_share: float = Field(default=0.25, ge=0.0)
    unnamed_as_classes: bool = False
    decoded_mebibytes: int = Field(default=1536, ge=0)


@dataclass(frozen=True)
class FaceBatch:
    """One training step's data.

    Attributes:
        images: [N, 3, S, S] float32 in [-1, 1], channels last.
        targets: labels.
        teacher: [N, D] teacher features of the image as it is mirrored or not (zeros where it has none), or None.
        sources: the manifest's sources that the batch draws from, sorted.
    """

    images: Tensor
    targets: FaceTargets
    teacher: Tensor | None
    sources: tuple[str, ...]


class FaceDataset:
    """Training faces; ``dataset.batch(step)`` is a pure function of the seed and the step.

    Every stream goes through all its faces in a new random order before it repeats one.

    Args:
        manifest: the training rows, with a column for every field of the face manifest.
        reader: the crop store.
        network: what the batches are for (input size, landmark scheme).
        configuration: the mix.
        augmentation: how crops are varied.
        seed: of the order and of the variation.
        teacher: features for the identity stream, or None.

    Raises:
        DataError: no row can be used, or a label can't be read.
        ModelError: the teacher has no feature for a named face.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        reader: CropReader,
        network: NetworkConfiguration,
        configuration: BatchConfiguration,
        augmentation: AugmentationConfiguration,
        *,
        seed: int,
        teacher: TeacherFeatures | None = None,
    ) -> None:
        self.labels = labels_of(manifest, landmark_scheme=network.landmark_scheme)
        self.size = network.input_size
        self.seed = seed
        self.teacher = teacher
        self._configuration = configuration
        self._augmentation = augmentation
        self._mirrored_order = MIRRORED_ORDER[network.landmark_scheme]
        self._reader = reader
        self._store_rows = reader.rows([str(crop) for crop in manifest["crop"]])
        self._sources = manifest["source"].astype(str).to_numpy()
        self._has = {
            view: np.array([reader.encoded(int(row), view) is not None for row in self._store_rows], dtype=bool)
            for view in CANONICAL_WARP
        }
        if configuration.unnamed_as_classes:
            self.labels = self.labels.with_own_classes((self.labels.is_face == 1) & self._has["aligned"])
        self.streams = self._split_into_streams()
        self._counts = self._shares()
        self._teacher_rows = self._match_teacher([str(face_id) for face_id in manifest["face_id"]])
        self._decoded: dict[tuple[int, View], NDArray[np.uint8]] = {}
        self._orders: dict[tuple[str, int], NDArray[np.int64]] = {}

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> FaceBatch:
        """The batch of a step, counted from 0, or the share of it that one of several processes trains on.

        A row looks the same however the batch is shared out: its variation depends on the seed, the step and its
        place in the whole batch alone.

        Args:
            step: which batch.
            rank: number of the process, from 0; it gets the rows ``rank``, ``rank + world``, ... of the batch.
            world: number of processes.
        """
        rows, views = self._rows(step)
        places = range(rank, len(rows), world)
        rows, views = rows[places], [views[place] for place in places]
        generators = [np.random.default_rng([self.seed, step, place]) for place in places]
        warps = [
            vary_view(view, self._augmentation, generator) for view, generator in zip(views, generators, strict=True)
        ]
        pixels = np.stack(
            [warp.image(self._crop(row, view), self.size) for row, view, warp in zip(rows, views, warps, strict=True)]
        )
        images = vary_pixels(pixels, self._augmentation, generators)
        mirrored = np.array([warp.mirrored for warp in warps], dtype=np.int64)
        teacher = None
        if self.teacher is not None:
            found = self._teacher_rows[rows]
            features = self.teacher.features[found, mirrored] * (found >= 0)[:, None]
            teacher = torch.from_numpy(features.astype(np.float32))
        return FaceBatch(
            images=torch.from_numpy(images).permute(0, 3, 1, 2),
            targets=self._targets(rows, views, warps),
            teacher=teacher,
            sources=tuple(sorted(set(self._sources[rows]))),
        )

    def _split_into_streams(self) -> dict[str, NDArray[np.int64]]:
        labels, aligned, box = self.labels, self._has["aligned"], self._has["box"]
        face = labels.is_face == 1
        named = face & (labels.identity >= 0) & aligned
        attributes = ~np.isnan(np.column_stack([labels.smile, labels.gender, labels.age_years])).all(axis=1)
        masks = (named, face & attributes & ~named & (aligned | box), box)
        streams = {name: np.flatnonzero(mask) for name, mask in zip(STREAMS, masks, strict=True)}
        return {name: rows for name, rows in streams.items() if len(rows) and self._share(name) > 0}

    def _share(self, stream: str) -> float:
        return float(getattr(self._configuration, f"{stream}_share"))

    def _shares(self) -> dict[str, int]:
        if not self.streams:
            raise DataError("No face of the manifest can be trained on: it has neither labels nor crops that fit.")
        total = sum(self._share(stream) for stream in self.streams)
        size = self._configuration.batch_size
        edges = np.cumsum([0.0, *(self._share(stream) / total for stream in self.streams)])
        counts = np.diff(np.rint(edges * size).astype(int))
        return dict(zip(self.streams, counts.tolist(), strict=True))

    def _match_teacher(self, face_ids: list[str]) -> NDArray[np.int64]:
        if self.teacher is None:
            return np.full(len(face_ids), -1, dtype=np.int64)
        rows = self.teacher.rows_of(face_ids)
        missing = int((rows[self.streams.get("identity", np.array([], dtype=np.int64))] < 0).sum())
        if missing:
            raise ModelError(
                f"The teacher has no feature for {missing} of the identity stream's faces: compute the table again."
            )
        return rows

    def _rows(self, step: int) -> tuple[NDArray[np.int64], list[View]]:
        rows: list[int] = []
        views: list[View] = []
        for stream, count in self._counts.items():
            for position in range(step * count, (step + 1) * count):
                row = self._at(stream, position)
                rows.append(row)
                views.append("box" if stream == "localisation" or not self._has["aligned"][row] else "aligned")
        return np.array(rows, dtype=np.int64), views

    def _at(self, stream: str, position: int) -> int:
        rows = self.streams[stream]
        epoch, place = divmod(position, len(rows))
        order = self._orders.get((stream, epoch))
        if order is None:
            number = STREAMS.index(stream)
            order = np.random.default_rng([self.seed, number, epoch, 1]).permutation(len(rows))
            self._orders = {
                key: value for key, value in self._orders.items() if key[0] != stream or key[1] >= epoch - 1
            }
            self._orders[stream, epoch] = order
        return int(rows[order[place]])

    def _crop(self, row: int, view: View) -> NDArray[np.uint8]:
        crop = self._decoded.get((row, view))
        if crop is None:
            crop = self._reader.read_row(int(self._store_rows[row]), view)
            if (len(self._decoded) + 1) * crop.nbytes <= self._configuration.decoded_mebibytes * 2**20:
                self._decoded[row, view] = crop
        return crop

    def _targets(self, rows: NDArray[np.int64], views: list[View], warps: list[Warp]) -> FaceTargets:
        labels, box = self.labels, np.array([view == "box" for view in views])
        landmarks, visibility = labels.landmarks[rows].astype(np.float64), labels.visibility[rows].copy()
        pose, yaw_range = labels.pose_deg[rows].copy(), labels.yaw_range_deg[rows].copy()
        for index, warp in enumerate(warps):
            landmarks[index] = warp.points(landmarks[index], self.size) / self.size
            pose[index, 2] += warp.rotation_deg
            if warp.mirrored:
                landmarks[index] = landmarks[index][self._mirrored_order]
                visibility[index] = visibility[index][self._mirrored_order]
                pose[index] *= (-1, 1, -1)
                yaw_range[index] = -yaw_range[index, ::-1]
        # An aligned crop hides where the face was and how it was turned; it only serves the other tasks.
        for local in (landmarks, visibility, pose, yaw_range):
            local[~box] = np.nan
        # A box crop is no identity sample: recognition always works on aligned faces.
        identity = np.where(box, -1, labels.identity[rows])
        return FaceTargets(
            is_face=_tensor(np.where(box, labels.is_face[rows], np.nan)),
            landmarks=_tensor(landmarks),
            visibility=_tensor(visibility),
            pose_deg=_tensor(pose),
            yaw_range_deg=_tensor(yaw_range),
            smile=_tensor(labels.smile[rows]),
            gender=_tensor(labels.gender[rows]),
            age_years=_tensor(labels.age_years[rows]),
            age_std=_tensor(labels.age_std[rows]),
            identity=torch.from_numpy(identity),
        )


def prefetched(
    dataset: FaceDataset, start: int, stop: int, *, ahead: int = 4, rank: int = 0, world: int = 1
) -> Iterator[FaceBatch]:
    """The batches of steps ``start`` to ``stop - 1``, made ahead of their use by one background thread.

    ``rank`` and ``world`` choose a process's share of each, as in :meth:`FaceDataset.batch`. A failure in that thread
    is raised here, at the step it belongs to.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches")
    try:
        make = partial(dataset.batch, rank=rank, world=world)
        pending = deque(pool.submit(make, step) for step in range(start, min(start + ahead, stop)))
        for step in range(start, stop):
            if step + ahead < stop:
                pending.append(pool.submit(make, step + ahead))
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


__all__ = ["BatchConfiguration", "CropReader", "FaceBatch", "FaceDataset", "FaceLabels", "prefetched"]
