"""What a trained network says about the faces of a manifest, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from countenance.data.alignment import box_transform
from countenance.learning.batches import CropReader
from countenance.learning.views import CANONICAL_WARP, MIRRORED_ORDER, View, to_network_input
from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.network.configuration import NetworkConfiguration
from countenance.progress import track

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FaceReadings:
    """Outputs for M faces, row-aligned with the manifest; NaN where a face has no crop for it.

    Attributes:
        embedding: [M, D] unit norm, from the aligned crop: f(x) + f(mirrored x), made unit-norm.
        male_probability: [M]; this and the next two are means over the aligned crop, the box crop, as far as the face
            has them, and their mirror images.
        smile_probability: [M].
        age_years: [M].
        face_probability: [M]; this and the following from the box crop and its mirror image.
        landmarks: [M, K, 2] in photo pixels; NaN for a face without a box.
        visibility: [M, K] in 0..1.
        pose_deg: [M, 3] yaw, pitch, roll.
    """

    embedding: Floats
    male_probability: Floats
    smile_probability: Floats
    age_years: Floats
    face_probability: Floats
    landmarks: Floats
    visibility: Floats
    pose_deg: Floats


def read_faces(
    network: AllInOneNetwork,
    manifest: pd.DataFrame,
    reader: CropReader,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
) -> FaceReadings:
    """Run ``network`` over the canonical views of all rows of ``manifest``.

    A task that the network doesn't do is NaN for all faces.

    Raises:
        DataError: a crop isn't in the store or doesn't decode.
    """
    readings = _empty(len(manifest), network)
    size = network.configuration.input_size
    for seen in canonical_views(network, manifest, reader, device=device, batch_size=batch_size):
        rows, outputs, mirrored = seen.rows, seen.outputs, seen.mirrored
        _add_attributes(readings, rows, seen.views, outputs, mirrored)
        if seen.view == "aligned":
            readings.embedding[rows] = F.normalize(outputs.embedding + mirrored.embedding).cpu().numpy()
        else:
            _put_local(readings, rows, with_mirror_image(outputs, mirrored, network.configuration), size)
    _landmarks_to_photo(readings, manifest)
    return readings


class SeenView(NamedTuple):
    """What a network says of one view of some faces.

    Attributes:
        view: which.
        rows: [n] of the manifest.
        views: [n] how many views of each face there are.
        outputs: of the n views.
        mirrored: of the same, flipped left to right.
    """

    view: View
    rows: NDArray[np.int64]
    views: NDArray[np.int64]
    outputs: FaceOutputs
    mirrored: FaceOutputs


def canonical_views(
    network: AllInOneNetwork,
    manifest: pd.DataFrame,
    reader: CropReader,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
) -> Iterator[SeenView]:
    """What ``network`` says of every stored view that each row has, batch by batch: aligned ones first, then boxes.

    Raises:
        DataError: a crop isn't in the store or doesn't decode.
    """
    network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    store_rows = reader.rows([str(crop) for crop in manifest["crop"]])
    seen_by: tuple[View, ...] = ("aligned", "box") if network.configuration.tasks == "all" else ("aligned",)
    has = {
        view: np.array([reader.encoded(int(row), view) is not None for row in store_rows], dtype=bool)
        for view in seen_by
    }
    views = np.sum(list(has.values()), axis=0)
    jobs: list[tuple[View, NDArray[np.int64]]] = []
    for view, present in has.items():
        rows = np.flatnonzero(present)
        jobs.extend((view, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size))
    size = network.configuration.input_size
    with accelerated(network, enabled=torch.device(device).type == "cpu"):
        for view, rows in track(jobs, what="reading faces", total=len(jobs), unit="batch"):
            crops = [reader.read_row(int(store_rows[row]), view) for row in rows]
            images = to_network_input(np.stack([CANONICAL_WARP[view].image(crop, size) for crop in crops]), device)
            with torch.inference_mode():
                outputs, mirrored = network(images), network(images.flip(3))
            yield SeenView(view, rows, views[rows], outputs, mirrored)


def _empty(count: int, network: AllInOneNetwork) -> FaceReadings:
    points, dimension = network.configuration.landmark_count, network.configuration.embedding_dimension

    def unknown(*shape: int) -> Floats:
        return np.full((count, *shape), np.nan, dtype=np.float32)

    return FaceReadings(
        embedding=unknown(dimension),
        male_probability=unknown(),
        smile_probability=unknown(),
        age_years=unknown(),
        face_probability=unknown(),
        landmarks=unknown(points, 2),
        visibility=unknown(points),
        pose_deg=unknown(3),
    )


def with_mirror_image(outputs: FaceOutputs, mirrored: FaceOutputs, configuration: NetworkConfiguration) -> FaceOutputs:
    """The local outputs of N views, averaged with what is said of their mirror images.

    Args:
        outputs: of the views.
        mirrored: of the views flipped left to right, pixel for pixel.
        configuration: of the network: names the points that change places.
    """
    order = torch.from_numpy(MIRRORED_ORDER[configuration.landmark_scheme])
    landmarks = mirrored.landmarks[:, order]
    last = (configuration.input_size - 1) / configuration.input_size
    landmarks = torch.stack([last - landmarks[..., 0], landmarks[..., 1]], dim=2)
    pose = mirrored.pose_deg * mirrored.pose_deg.new_tensor([-1.0, 1.0, -1.0])
    return outputs._replace(
        face_logit=(outputs.face_logit + mirrored.face_logit) / 2,
        landmarks=(outputs.landmarks + landmarks) / 2,
        visibility_logit=(outputs.visibility_logit + mirrored.visibility_logit[:, order]) / 2,
        pose_deg=(outputs.pose_deg + pose) / 2,
    )


def _add_attributes(
    readings: FaceReadings,
    rows: NDArray[np.int64],
    views: NDArray[np.int64],
    straight: FaceOutputs,
    mirrored: FaceOutputs,
) -> None:
    # The two views of a face are cut and turned differently, so they err differently: their mean errs least.
    male = (straight.gender_logit.sigmoid() + mirrored.gender_logit.sigmoid()) / 2
    smile = (straight.smile_logit.sigmoid() + mirrored.smile_logit.sigmoid()) / 2
    age = (straight.age_years + mirrored.age_years) / 2
    whole = {"male_probability": male, "smile_probability": smile, "age_years": age}
    for name, values in whole.items():
        means = getattr(readings, name)
        means[rows] = np.nan_to_num(means[rows]) + values.cpu().numpy() / views


def _put_local(readings: FaceReadings, rows: NDArray[np.int64], outputs: FaceOutputs, size: int) -> None:
    warp = CANONICAL_WARP["box"]
    view_xy = outputs.landmarks.cpu().numpy() * size
    readings.landmarks[rows] = np.stack([warp.points_back(points, size) for points in view_xy])
    readings.face_probability[rows] = outputs.face_logit.sigmoid().cpu().numpy()
    readings.visibility[rows] = outputs.visibility_logit.sigmoid().cpu().numpy()
    readings.pose_deg[rows] = outputs.pose_deg.cpu().numpy()


def _landmarks_to_photo(readings: FaceReadings, manifest: pd.DataFrame) -> None:
    for row, box in enumerate(manifest["box_xywh"]):
        if box is None or (isinstance(box, float) and np.isnan(box)):
            readings.landmarks[row] = np.nan
            continue
        matrix = box_transform(np.asarray(box, dtype=np.float32))
        readings.landmarks[row] = (readings.landmarks[row] - matrix[:, 2]) / (matrix[0, 0], matrix[1, 1])
