"""From manifest rows and stored crops to batches: four streams, mixed and varied by seed, step and place alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from countenance.learning.augmentation import AugmentationConfiguration, apply_draws, pixel_draws, vary_view
from countenance.learning.balance import weights_of
from countenance.learning.crop_reader import CropReader
from countenance.learning.fingerprint import fingerprint
from countenance.learning.identity_teaching import IdentityTeaching
from countenance.learning.labels import FaceLabels, labels_of
from countenance.learning.proposal_targets import cell_grid
from countenance.learning.scenes import (
    SceneSample,
    part_of_scenes,
    region_of_scene,
    scene_targets,
    scenes_of,
)
from countenance.learning.soft_targets import SoftTeacher
from countenance.learning.streams import STREAMS, BatchConfiguration, Streams
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.views import MIRRORED_ORDER, StoredView, View, Warp
from countenance.network.configuration import NetworkConfiguration
from countenance.network.losses import FaceTargets
from countenance.network.soft_losses import SoftTargets

SCENES_BESIDE_EACH_OTHER: Final = 0.35
"""Chance that a part of a scene shows a second photo beside the first: a picture of several faces."""


@dataclass(frozen=True)
class FaceBatch:
    """One training step's data.

    Attributes:
        images: [N, 3, S, S] float32 in [-1, 1], channels last.
        targets: labels.
        teacher: [N, D] teacher features of the image as it is mirrored or not (zeros where it has none), or None.
        sources: the manifest's sources that the batch draws from, sorted.
        soft: what a teacher says of the crops beside identity, or None.
        teacher_views: [n, 112, 112, 3] what a teacher that looks itself has yet to see, of the places with an identity;
            ``teacher`` is None until :meth:`FaceDataset.taught` shows them to it. None where its table serves.
    """

    images: Tensor
    targets: FaceTargets
    teacher: Tensor | None
    sources: tuple[str, ...]
    soft: SoftTargets | None = None
    teacher_views: NDArray[np.uint8] | None = None


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
        soft: what a teacher says of the other tasks, or None.

    A column ``sampling_weight`` of the manifest says how often each face comes, relative to the others, e.g. so that
    groups come equally often (:mod:`countenance.learning.balance`); without it, all come alike.

    Raises:
        DataError: no row can be used, or a label can't be read.
        ModelError: the teacher has no feature for a named face, or its landmarks can't teach the network's.
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
        soft: SoftTeacher | None = None,
    ) -> None:
        self.labels = labels_of(manifest, landmark_scheme=network.landmark_scheme)
        self.size = network.input_size
        self.seed = seed
        self.teacher = teacher
        self.soft = None if soft is None else soft.fitted(network)
        self._configuration = configuration
        self._augmentation = augmentation
        self._mirrored_order = MIRRORED_ORDER[network.landmark_scheme]
        self._reader = reader
        self._store_rows = reader.rows([str(crop) for crop in manifest["crop"]])
        self._sources = manifest["source"].to_numpy(dtype=np.str_)
        self._has = {
            view: np.array([reader.encoded(int(row), view) is not None for row in self._store_rows], dtype=bool)
            for view in get_args(StoredView)
        }
        if configuration.unnamed_as_classes:
            self.labels = self.labels.with_own_classes((self.labels.is_face == 1) & self._has["aligned"])
        self._grid = cell_grid(network)
        self._scenes = scenes_of(manifest, self._has["scene"], self.labels.landmarks)
        self._row_weights = weights_of(manifest)
        self.streams = Streams(
            self._rows_of_streams(),
            {name: float(getattr(configuration, f"{name}_share")) for name in STREAMS},
            configuration.batch_size,
            sources=self._sources,
            source_weights=configuration.source_weights,
            seed=seed,
            row_weights=self._row_weights,
        )
        face_ids = [str(face_id) for face_id in manifest["face_id"]]
        needed = self.streams.rows.get("identity", np.array([], dtype=np.int64))
        self._teaching = None if teacher is None else IdentityTeaching(teacher, face_ids, needed)
        self._soft_rows = None if self.soft is None else self.soft.table.rows_of(face_ids)
        self._decoded: dict[tuple[int, StoredView], NDArray[np.uint8]] = {}
        self._decoded_bytes = 0

    def batch(self, step: int, *, rank: int = 0, world: int = 1) -> FaceBatch:
        """The batch of a step, counted from 0, or the share of it that one of several processes trains on.

        A row looks the same however the batch is shared out: its variation depends on the seed, the step and its
        place in the whole batch alone.

        Args:
            step: which batch.
            rank: number of the process, from 0; it gets the rows ``rank``, ``rank + world``, ... of the batch.
            world: number of processes.
        """
        placed = self.streams.batch(step)
        samples = [
            self._sample(*placed[place], np.random.default_rng([self.seed, step, place]))
            for place in range(rank, len(placed), world)
        ]
        rows = np.array([sample.row for sample in samples], dtype=np.int64)
        draws = pixel_draws([sample.generator for sample in samples])
        images = apply_draws(np.stack([sample.pixels for sample in samples]), self._augmentation, draws)
        targets, teaching = self._targets(rows, samples), self._teaching
        batch = FaceBatch(
            images=torch.from_numpy(images).permute(0, 3, 1, 2),
            targets=targets,
            teacher=None,
            sources=tuple(sorted(set(self._sources[rows]))),
            soft=self._soft_targets(rows, samples),
        )
        if teaching is None:
            return batch
        if teaching.table.live is None:
            return replace(batch, teacher=teaching.from_table(samples))
        taught = (targets.identity >= 0).numpy()
        crops = {sample.row: self._crop(sample.row, "aligned") for sample in itertools.compress(samples, taught)}
        return replace(batch, teacher_views=teaching.views(samples, taught, crops, self._augmentation, draws))

    def taught(self, batch: FaceBatch) -> FaceBatch:
        """A batch as it is trained on: a teacher that looks itself has seen its views.

        The training asks for it in its own time, not in the background: there, the teacher would only take the cores
        from the student.

        Raises:
            ModelError: the teacher can't be run, or a feature isn't finite.
        """
        if batch.teacher_views is None or self._teaching is None:
            return batch
        features = self._teaching.by_looking(batch.teacher_views, (batch.targets.identity >= 0).numpy())
        return replace(batch, teacher=features, teacher_views=None)

    def fingerprint(self) -> str:
        """Equal for data sets that give equal batches, as far as labels, settings and some of the crops tell."""
        looked_at = self._store_rows[:: 1 + len(self._store_rows) // 256].tolist()
        return fingerprint(
            self.seed,
            self.size,
            self._configuration.model_copy(update={"decoded_mebibytes": 0}),
            self._augmentation,
            self.labels,
            self._store_rows,
            self._sources,
            {str(row): scene for row, scene in self._scenes.items()},
            *(() if self._row_weights is None else (self._row_weights,)),
            self.teacher,
            self.soft,
            [self._reader.encoded(row, view) for row in looked_at for view in get_args(StoredView)],
        )

    def _rows_of_streams(self) -> dict[str, NDArray[np.int64]]:
        labels, aligned, box = self.labels, self._has["aligned"], self._has["box"]
        face = labels.is_face == 1
        named = face & (labels.identity >= 0) & aligned
        attributes = ~np.isnan(np.column_stack([labels.smile, labels.gender, labels.age_years])).all(axis=1)
        masks = (named, face & attributes & ~named & (aligned | box), box, self._has["scene"])
        return {name: np.flatnonzero(mask) for name, mask in zip(STREAMS, masks, strict=True)}

    def _sample(self, stream: str, row: int, generator: np.random.Generator) -> _Sample:
        if stream == "scenes":
            return self._scene_sample(row, generator)
        view: View = "box" if stream == "localisation" or not self._has["aligned"][row] else "aligned"
        warp = vary_view(view, self._augmentation, generator)
        pixels = warp.image(self._crop(row, view), self.size)
        return _Sample(row=row, generator=generator, pixels=pixels, mirrored=warp.mirrored, view=view, warp=warp)

    def _scene_sample(self, row: int, generator: np.random.Generator) -> _Sample:
        scene = self._scenes[row]
        if generator.random() < self._configuration.scene_regions:
            near = self._configuration.regions_near_faces
            sample = region_of_scene(scene, self._crop(row, "scene"), self._grid, generator, near=near)
        else:
            others = [scene]
            if generator.random() < SCENES_BESIDE_EACH_OTHER:
                others.append(list(self._scenes.values())[int(generator.integers(len(self._scenes)))])
            pictures = [(other, self._crop(other.row, "scene")) for other in others]
            sample = part_of_scenes(pictures, self._grid, self.labels.landmarks.shape[1], generator)
        return _Sample(
            row=row, generator=generator, pixels=sample.pixels, mirrored=sample.mirrored, view="scene", scene=sample
        )

    def _soft_targets(self, rows: NDArray[np.int64], samples: list[_Sample]) -> SoftTargets | None:
        if self.soft is None or self._soft_rows is None:
            return None
        return self.soft.table.seen(self._soft_rows[rows], samples, self.size)

    def _crop(self, row: int, view: StoredView) -> NDArray[np.uint8]:
        crop = self._decoded.get((row, view))
        if crop is None:
            crop = self._reader.read_row(int(self._store_rows[row]), view)
            if self._decoded_bytes + crop.nbytes <= self._configuration.decoded_mebibytes * 2**20:
                self._decoded[row, view] = crop
                self._decoded_bytes += crop.nbytes
        return crop

    def _targets(self, rows: NDArray[np.int64], samples: list[_Sample]) -> FaceTargets:
        labels, box = self.labels, np.array([sample.view == "box" for sample in samples])
        scene = np.array([sample.view == "scene" for sample in samples])
        aligned = ~(box | scene)
        targets = scene_targets([sample.scene for sample in samples], self._grid)
        landmarks, visibility = labels.landmarks[rows].astype(np.float64), labels.visibility[rows].copy()
        pose, yaw_range = labels.pose_deg[rows].copy(), labels.yaw_range_deg[rows].copy()
        for index, sample in enumerate(samples):
            if sample.scene is not None:
                landmarks[index] = sample.scene.landmarks / self.size
            elif sample.warp is not None:
                landmarks[index] = sample.warp.points(landmarks[index], self.size) / self.size
                pose[index, 2] += sample.warp.rotation_deg
            if sample.mirrored:
                landmarks[index] = landmarks[index][self._mirrored_order]
                visibility[index] = visibility[index][self._mirrored_order]
                pose[index] *= (-1, 1, -1)
                yaw_range[index] = -yaw_range[index, ::-1]
        # An aligned crop hides where the face was and how it was turned; it only serves the other tasks.
        landmarks[aligned] = np.nan
        for local in (visibility, pose, yaw_range):
            local[~box] = np.nan
        return FaceTargets(
            is_face=_tensor(np.where(scene, targets.is_face, np.where(box, labels.is_face[rows], np.nan))),
            landmarks=_tensor(landmarks),
            visibility=_tensor(visibility),
            pose_deg=_tensor(pose),
            yaw_range_deg=_tensor(yaw_range),
            smile=_tensor(np.where(scene, np.nan, labels.smile[rows])),
            gender=_tensor(np.where(scene, np.nan, labels.gender[rows])),
            age_years=_tensor(np.where(scene, np.nan, labels.age_years[rows])),
            age_std=_tensor(labels.age_std[rows]),
            # Only an aligned crop is an identity sample: recognition always works on aligned faces.
            identity=torch.from_numpy(np.where(aligned, labels.identity[rows], -1)),
            proposal=_tensor(targets.proposal),
            proposal_box=_tensor(targets.proposal_box),
        )


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """One place of a batch: its row, its pixels and how they were made."""

    row: int
    generator: np.random.Generator
    pixels: NDArray[np.uint8]
    mirrored: bool
    view: StoredView
    warp: Warp | None = None
    scene: SceneSample | None = None


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


__all__ = ["BatchConfiguration", "CropReader", "FaceBatch", "FaceDataset", "FaceLabels"]
