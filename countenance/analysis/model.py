"""What the analyzer asks of a model, and the two models that answer: the network itself and its exported files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.views import to_network_input
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.network.export import INPUT_NAME, OUTPUT_NAMES, PROPOSAL_GEOMETRY_KEY
from countenance.network.proposals import Proposals, decode_proposals

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]

READING_FILE: Final = "model.onnx"
"""Reads crops of faces."""

PROPOSAL_FILE: Final = "proposals.onnx"
"""Looks for faces in photos."""


@dataclass(frozen=True, kw_only=True)
class FoundBoxes:
    """Where faces may be: M boxes over a batch of images.

    Attributes:
        box_xywh: [M, 4] in pixels of the images.
        score: [M] in 0..1.
        image: [M] which image of the batch.
    """

    box_xywh: Floats
    score: Floats
    image: NDArray[np.int64]


class FaceModel(Protocol):
    """What finds and reads faces.

    Attributes:
        input_size: side S of the views that are read, in pixels.
        landmark_scheme: ``"5"``, ``"21"`` or ``"68"``.
        cell_stride: sides of the images given to :meth:`propose` are multiples of it.
    """

    input_size: int
    landmark_scheme: str
    cell_stride: int

    def read(self, views: Images) -> Mapping[str, Floats]:
        """Read [N, S, S, 3] RGB views; arrays named and shaped as the first eight of ``FaceOutputs``.

        The embedding has unit norm.
        """
        ...

    def propose(self, images: Images, *, threshold: float) -> FoundBoxes:
        """Look for faces whose longer side is 0.25 to 0.6 S in [N, H, W, 3] RGB images.

        Args:
            images: H and W are multiples of ``cell_stride`` and at least S.
            threshold: boxes of a lower score aren't returned.
        """
        ...


class NetworkModel:
    """A trained network, run by PyTorch.

    Args:
        network: put on the device and into evaluation mode.
        device: where it runs.
        threads: of PyTorch, for the whole process; None leaves them as they are.
    """

    def __init__(
        self, network: AllInOneNetwork, *, device: torch.device | str = "cpu", threads: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self.input_size: int = network.configuration.input_size
        self.landmark_scheme: str = network.configuration.landmark_scheme
        self.cell_stride: int = network.trunk.cell_stride
        self._geometry = _Geometry(
            stride=network.trunk.cell_stride,
            offset=network.trunk.cell_offset,
            reference_px=network.configuration.proposal_reference_px,
        )

    def read(self, views: Images) -> Mapping[str, Floats]:
        """See :class:`FaceModel`."""
        _check_views(views, self.input_size)
        with torch.inference_mode():
            outputs: FaceOutputs = self._network(to_network_input(views, self._device))
            outputs = outputs._replace(embedding=F.normalize(outputs.embedding))
            return {name: getattr(outputs, name).float().cpu().numpy() for name in OUTPUT_NAMES}

    def propose(self, images: Images, *, threshold: float) -> FoundBoxes:
        """See :class:`FaceModel`."""
        with torch.inference_mode():
            return _found(self._network.propose(to_network_input(images, self._device)), self._geometry, threshold)


class ExportedModel:
    """An exported model, run by ONNX Runtime on the CPU.

    Args:
        reading: the bytes of ``model.onnx``.
        proposing: the bytes of ``proposals.onnx`` of the same network.
        threads: of ONNX Runtime.

    Raises:
        ModelError: a file doesn't load or isn't such a model, or they belong to models of different input sizes.
    """

    def __init__(self, reading: bytes, proposing: bytes, *, threads: int = 1) -> None:
        self._reading = _session(reading, READING_FILE, threads)
        self._proposing = _session(proposing, PROPOSAL_FILE, threads)
        size, points = _reading_shape(self._reading)
        self.input_size: int = size
        self.landmark_scheme: str = str(points)
        self._geometry = _stored_geometry(self._proposing, size)
        self.cell_stride: int = self._geometry.stride

    def read(self, views: Images) -> Mapping[str, Floats]:
        """See :class:`FaceModel`."""
        _check_views(views, self.input_size)
        outputs: list[Any] = self._reading.run(list(OUTPUT_NAMES), {INPUT_NAME: _contiguous_input(views)})
        return dict(zip(OUTPUT_NAMES, outputs, strict=True))

    def propose(self, images: Images, *, threshold: float) -> FoundBoxes:
        """See :class:`FaceModel`."""
        outputs: list[Any] = self._proposing.run(list(Proposals._fields), {INPUT_NAME: _contiguous_input(images)})
        said = Proposals(*(torch.from_numpy(output) for output in outputs))
        return _found(said, self._geometry, threshold)


def open_exported(path: Path, *, threads: int = 1) -> ExportedModel:
    """Open an exported model from the folder that holds ``model.onnx`` and ``proposals.onnx``, or from either file.

    Raises:
        ModelError: a file is missing or isn't such a model.
    """
    folder = path if path.is_dir() else path.parent
    reading = path if path.suffix == ".onnx" and path.name != PROPOSAL_FILE else folder / READING_FILE
    files = [reading, folder / PROPOSAL_FILE]
    for file in files:
        if not file.is_file():
            raise ModelError(
                f"An exported model is {READING_FILE} and {PROPOSAL_FILE} side by side, but {file} is not there: "
                "export the network again."
            )
    return ExportedModel(*(file.read_bytes() for file in files), threads=threads)


@dataclass(frozen=True, kw_only=True)
class _Geometry:
    # Where the cells of the proposals lie in the image, and what their sizes are relative to; see decode_proposals.
    stride: int
    offset: float
    reference_px: float


def _found(said: Proposals, geometry: _Geometry, threshold: float) -> FoundBoxes:
    boxes = decode_proposals(
        said.box.float(), stride=geometry.stride, offset=geometry.offset, reference_px=geometry.reference_px
    )
    score: Tensor = said.logit.float().sigmoid()
    chosen = score >= threshold
    return FoundBoxes(
        box_xywh=boxes[chosen].cpu().numpy(),
        score=score[chosen].cpu().numpy(),
        image=chosen.nonzero()[:, 0].cpu().numpy(),
    )


def _contiguous_input(images: Images) -> Floats:
    # The same arithmetic as to_network_input, laid out [N, 3, H, W]: ONNX Runtime would copy any other layout.
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    planes -= np.float32(127.5)
    planes /= np.float32(127.5)
    return planes


def _check_views(views: Images, size: int) -> None:
    if views.ndim != 4 or views.shape[1:] != (size, size, 3):
        raise ModelError(f"The model reads views of {size} x {size} x 3, not {views.shape[1:]}: resize them.")


def _session(model: bytes, name: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but Exception
        raise ModelError(f"The exported {name} does not load: export the network again.") from error
    if [given.name for given in session.get_inputs()] != [INPUT_NAME]:
        raise ModelError(f"The exported {name} does not take '{INPUT_NAME}' alone: export the network again.")
    return session


def _reading_shape(session: onnxruntime.InferenceSession) -> tuple[int, int]:
    shapes = {output.name: output.shape for output in session.get_outputs()}
    size, points = session.get_inputs()[0].shape[-1], shapes.get("landmarks", [None, None, None])[1]
    if not set(OUTPUT_NAMES) <= set(shapes) or not isinstance(size, int) or not isinstance(points, int):
        raise ModelError(f"The exported {READING_FILE} is not a model of ours: export the network again.")
    return size, points


def _stored_geometry(session: onnxruntime.InferenceSession, input_size: int) -> _Geometry:
    stored = session.get_modelmeta().custom_metadata_map.get(PROPOSAL_GEOMETRY_KEY)
    outputs = {output.name for output in session.get_outputs()}
    if stored is None or not set(Proposals._fields) <= outputs:
        raise ModelError(f"The exported {PROPOSAL_FILE} is not a model of ours: export the network again.")
    geometry = json.loads(stored)
    if geometry["input_size"] != input_size:
        raise ModelError(
            f"{READING_FILE} reads views of {input_size} pixels, but {PROPOSAL_FILE} is of a model of "
            f"{geometry['input_size']}: export both from one network."
        )
    return _Geometry(
        stride=int(geometry["stride"]), offset=float(geometry["offset"]), reference_px=float(geometry["reference_px"])
    )
