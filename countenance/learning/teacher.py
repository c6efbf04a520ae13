"""What a teacher says about the training faces: computed once, looked up at every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from countenance.errors import DataError, ModelError
from countenance.learning.views import CANONICAL_WARP, to_network_input
from countenance.network.allinone import AllInOneNetwork
from countenance.progress import track

SMALLEST_WEIGHT = 1e-30


@dataclass(frozen=True)
class TeacherFeatures:
    """A table of unit-norm teacher features.

    Attributes:
        face_ids: the M faces, in row order.
        features: [M, 2, D] float32; ``[:, 0]`` of the image, ``[:, 1]`` of its mirror image.
    """

    face_ids: tuple[str, ...]
    features: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the table is whole.

        Raises:
            ModelError: the shape doesn't fit, or a feature isn't finite.
        """
        if self.features.ndim != 3 or self.features.shape[:2] != (len(self.face_ids), 2):
            raise ModelError(
                f"The teacher's feature table has shape {self.features.shape}, not ({len(self.face_ids)}, 2, D): "
                "compute it again for these faces."
            )
        damaged = int((~np.isfinite(self.features)).any(axis=(1, 2)).sum())
        if damaged:
            raise ModelError(
                f"The teacher gave NaN or infinite features for {damaged} of {len(self.face_ids)} faces: "
                "use an undamaged teacher."
            )

    @property
    def dimension(self) -> int:
        """Length D of a feature."""
        return int(self.features.shape[2])

    def rows_of(self, face_ids: Sequence[str]) -> NDArray[np.int64]:
        """Table row of each face; -1 for a face without one."""
        where = {face_id: row for row, face_id in enumerate(self.face_ids)}
        return np.array([where.get(face_id, -1) for face_id in face_ids], dtype=np.int64)


def embed_with_onnx(
    path: Path, face_ids: Sequence[str], crops: Callable[[int], NDArray[np.uint8]], *, threads: int = 0
) -> TeacherFeatures:
    """Run a face recogniser's ONNX file over aligned crops and their mirror images.

    The file takes [n, 3, 112, 112] RGB as (x - 127) / 128 and gives [n, D]. A file with a fixed batch size is fed
    that many crops at a time. Its weights below 1e-30 are taken as zero: a trained recogniser holds thousands of
    denormal numbers, which change no feature and make it four times slower on a CPU.

    Args:
        path: the ONNX file.
        face_ids: the M faces.
        crops: gives the aligned [112, 112, 3] RGB crop of face number i.
        threads: crops that are embedded at the same time, each on one thread, which is faster for a small network
            than several threads on one crop; 0 = one a core.

    Raises:
        DataError: there is no face.
        ModelError: the file isn't there or isn't such a recogniser, or a feature isn't finite.
    """
    session = _recogniser(path)
    given = session.get_inputs()[0]
    fixed = isinstance(given.shape[0], int)
    batch_size = int(given.shape[0]) if fixed else 32

    def embed(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        # A last batch that is too short for a fixed size is filled up with its own first crop.
        missing = batch_size - len(batch) if fixed else 0
        filled = np.concatenate([batch, np.repeat(batch[:1], missing, axis=0)])
        images = (filled.transpose(0, 3, 1, 2).astype(np.float32) - 127.0) / 128.0
        features: NDArray[np.float32] = session.run(None, {given.name: images})[0]
        return features[: len(batch)]

    return _embed(face_ids, crops, embed, batch_size, workers=threads or os.cpu_count() or 1)


def embed_with_network(
    network: AllInOneNetwork,
    face_ids: Sequence[str],
    crops: Callable[[int], NDArray[np.uint8]],
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
) -> TeacherFeatures:
    """Run one of our own networks over aligned crops and their mirror images.

    Args:
        network: the trained teacher; it is put into evaluation mode.
        face_ids: the M faces.
        crops: gives the aligned [112, 112, 3] RGB crop of face number i.
        device: where the network runs.
        batch_size: crops a batch.

    Raises:
        DataError: there is no face.
        ModelError: a feature isn't finite.
    """
    network.eval()
    size = network.configuration.input_size

    def embed(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        views = np.stack([CANONICAL_WARP["aligned"].image(crop, size) for crop in batch])
        with torch.inference_mode():
            features: NDArray[np.float32] = network(to_network_input(views, device)).embedding.cpu().numpy()
        return features

    return _embed(face_ids, crops, embed, batch_size)


def _recogniser(path: Path) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ModelError(f"The teacher file {path} is not there: put it there, or set 'teacher' to another one.")
    try:
        model = onnx.load(path)
        for weights in model.graph.initializer:
            values = numpy_helper.to_array(weights)
            if values.dtype == np.float32:
                small = np.abs(values) < SMALLEST_WEIGHT
                weights.CopyFrom(numpy_helper.from_array(np.where(small, 0, values).astype(np.float32), weights.name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnx and onnxruntime raise a dozen unrelated types for a bad file; all mean the same to the user.
        raise ModelError(f"The teacher file {path.name} is not a readable ONNX model: fetch it again.") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, 112, 112] or len(outputs[0].shape) != 2:
        raise ModelError(
            f"The teacher file {path.name} takes {[item.shape for item in inputs]} and gives {outputs[0].shape}: "
            "it must take one [n, 3, 112, 112] input and give [n, D]."
        )
    return session


def _embed(
    face_ids: Sequence[str],
    crops: Callable[[int], NDArray[np.uint8]],
    embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    batch_size: int,
    *,
    workers: int = 1,
) -> TeacherFeatures:
    if not face_ids:
        raise DataError("There is no named face with an aligned crop for the teacher to look at: name some people.")

    def both(start: int) -> NDArray[np.float32]:
        batch = np.stack([crops(index) for index in range(start, min(start + batch_size, len(face_ids)))])
        return np.stack([embed(batch), embed(np.ascontiguousarray(batch[:, :, ::-1]))], axis=1)

    starts = range(0, len(face_ids), batch_size)
    with ThreadPoolExecutor(workers) as pool:
        parts = list(track(pool.map(both, starts), what="Embedding with the teacher", total=len(starts), unit="batch"))
    features = np.concatenate(parts)
    lengths = np.linalg.norm(features, axis=2, keepdims=True)
    return TeacherFeatures(tuple(face_ids), (features / np.maximum(lengths, 1e-12)).astype(np.float32))
