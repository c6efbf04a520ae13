"""Teachers small enough to be checked by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from countenance.learning.teachers.teacher import OpenedTeacher


def write_recogniser(path, *, batch=1, side=112, weight=None):
    """A recogniser that averages each quarter of each channel's left half: 512 weights at most, easily checked."""
    weight = np.zeros((4, 3, 112, 56), dtype=np.float32) if weight is None else weight
    if not weight.any():
        for quarter in range(4):
            weight[quarter, :, quarter * 28 : (quarter + 1) * 28] = 1 / (28 * 56 * 3)
    nodes = [
        helper.make_node("Conv", ["input", "weight"], ["map"], strides=[112, 112]),
        helper.make_node("Flatten", ["map"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 4])],
        [numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def expected_features(images, *, mean=127.0, scale=128.0):
    """What :func:`write_recogniser`'s recogniser says of [112, 112, 3] images, unit norm."""
    halves = (np.stack(images).astype(np.float64)[:, :, :56] - mean) / scale
    quarters = halves.reshape(len(images), 4, 28, 56, 3).mean(axis=(2, 3, 4))
    return quarters / np.linalg.norm(quarters, axis=1, keepdims=True)


class CountingTeacher:
    """Mixes the colours of 16 cells of an image, and counts the images that it was shown."""

    name = "counter"
    dimension = 48

    def __init__(self, seed: int = 0, *, fails_after: int | None = None) -> None:
        self.identity = hashlib.sha256(f"counter {seed}".encode()).hexdigest()
        self.seen = 0
        self.fails_after = fails_after
        self._mix = np.random.default_rng(seed).normal(size=(48, 48)).astype(np.float32)

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.fails_after is not None and self.seen + len(images) > self.fails_after:
            raise InterruptedError
        self.seen += len(images)
        cells = images.reshape(len(images), 4, 28, 4, 28, 3).mean(axis=(2, 4)).reshape(len(images), 48)
        mixed = (cells.astype(np.float32) - 127.0) @ self._mix
        return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), dtype=np.float32)


def nan_engine():
    """An engine that goes wrong from the second crop on."""

    def engine(crops):
        raw = np.ones((len(crops), 4), dtype=np.float32)
        raw[1:] = np.nan
        return raw

    return engine


def nan_teacher() -> OpenedTeacher:
    """A teacher that looks sound until it is asked about faces."""
    return OpenedTeacher("spoilt", "0" * 64, nan_engine)


def segments(cache: Path) -> list[Path]:
    """The files of a cache."""
    return sorted(cache.glob("*/*.rows"))
