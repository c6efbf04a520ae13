"""A face recogniser's ONNX file: read, checked and cleaned, whatever runs it then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from countenance.data.alignment import CROP_SIZE
from countenance.errors import ModelError
from countenance.learning.teachers.configuration import not_there

SMALLEST_WEIGHT: Final = 1e-30
"""Smaller weights are taken as zero: a trained recogniser holds thousands of denormal numbers, which change no feature
and make it four times slower on a CPU."""


@dataclass(frozen=True)
class RecogniserFile:
    """An ONNX recogniser in memory.

    Attributes:
        name: of the file.
        graph: the cleaned model, serialised.
        batch: the number of crops that its graph is made for; None = any.
    """

    name: str
    graph: bytes
    batch: int | None


def read_recogniser(path: Path) -> RecogniserFile:
    """Read an ONNX file that takes [n, 3, 112, 112] and gives [n, D]; n may be fixed.

    Raises:
        ModelError: the file isn't there, isn't a readable model, holds a number that isn't finite, or is of another
            shape.
    """
    if not path.is_file():
        raise ModelError(not_there(path))
    try:
        model = onnx.load(path)
    except Exception as error:
        # onnx and protobuf raise a dozen unrelated types for a bad file; all mean the same to the user.
        raise ModelError(f"The teacher file {path.name} is not a readable ONNX model: fetch it again.") from error
    _clean(model, path.name)
    return RecogniserFile(path.name, model.SerializeToString(deterministic=True), _batch(model, path.name))


def _clean(model: onnx.ModelProto, name: str) -> None:
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all():
            raise ModelError(
                f"The teacher file {name} holds numbers that are not finite in '{weights.name}': "
                "use an undamaged teacher."
            )
        small = (np.abs(values) < SMALLEST_WEIGHT) & (values != 0)
        if small.any():
            weights.CopyFrom(numpy_helper.from_array(np.where(small, 0, values).astype(values.dtype), weights.name))


def _batch(model: onnx.ModelProto, name: str) -> int | None:
    weights = {each.name for each in model.graph.initializer}
    # Old files list their weights among the inputs.
    inputs = [_shape(each) for each in model.graph.input if each.name not in weights]
    outputs = [_shape(each) for each in model.graph.output]
    expected = [3, CROP_SIZE, CROP_SIZE]
    if len(inputs) != 1 or inputs[0][1:] != expected or len(outputs) != 1 or len(outputs[0]) != 2:
        raise ModelError(
            f"The teacher file {name} takes {inputs} and gives {outputs}: "
            f"it must take one [n, 3, {CROP_SIZE}, {CROP_SIZE}] input and give one [n, D]."
        )
    first = inputs[0][0]
    return first if isinstance(first, int) and first > 0 else None


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]
