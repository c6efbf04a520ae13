"""What runs a teacher: OpenVINO, ONNX Runtime or torch, each as a function from crops to raw features.

They agree on the input: uint8 RGB crops [n, 112, 112, 3], brought to the network's side by the warp that evaluation and
service use, then (pixel - mean) / scale. Batches of another size than an engine works in are cut up and filled up.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from countenance.data.alignment import CROP_SIZE
from countenance.errors import ModelError
from countenance.learning.teachers.configuration import ChannelOrder
from countenance.learning.teachers.recogniser_file import RecogniserFile
from countenance.learning.teachers.teacher import Crops, Engine
from countenance.learning.views import CANONICAL_WARP
from countenance.network.openvino_runtime import openvino_core, openvino_runtime

Precision = Literal["float32", "bfloat16", "float16"]
Floats = NDArray[np.float32]

CROPS_TOGETHER: Final = 8
"""Crops that one stream of a CPU engine works on at a time; more don't make it faster, and leave streams idle."""
TORCH_CROPS_TOGETHER: Final = 128


@dataclass(frozen=True, kw_only=True)
class InputRange:
    """How a network wants its pixels.

    Attributes:
        side: of the square input.
        mean: what is subtracted from a pixel in 0..255.
        scale: what is divided by then.
        order: of the channels.
    """

    side: int = CROP_SIZE
    mean: float
    scale: float
    order: ChannelOrder = "rgb"

    def views(self, crops: Crops) -> Crops:
        """[n, 112, 112, 3] RGB -> [n, side, side, 3] in the network's order."""
        views = crops if self.order == "rgb" else np.ascontiguousarray(crops[..., ::-1])
        if self.side == CROP_SIZE:
            return views
        return np.stack([CANONICAL_WARP["aligned"].image(view, self.side) for view in views])


_OPENVINO_NAMES: Final[dict[Precision, str]] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def fastest_precision() -> Precision:
    """What OpenVINO computes in on this CPU if it is left to choose: bfloat16 where the CPU has instructions for it.

    A CPU can also emulate bfloat16, which is slow: OpenVINO may then list it as a capability, but doesn't choose it.
    """
    core = openvino_core()
    chosen = core.get_property("CPU", "INFERENCE_PRECISION_HINT").to_string()
    return (
        "bfloat16"
        if chosen == "bf16" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        else "float32"
    )


def torch_device(device: Literal["cpu", "cuda", "auto"]) -> Literal["cpu", "cuda"]:
    """Where torch runs: ``auto`` takes a GPU where there is one."""
    return "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"


def openvino_engine(
    network: RecogniserFile | nn.Module, given: InputRange, precision: Precision, threads: int
) -> Engine:
    """OpenVINO on the CPU: as many streams as it finds best, each on a few crops at a time.

    Args:
        network: an ONNX file, or a module from images [n, 3, side, side] to [n, D].
        given: the input.
        precision: of the convolutions.
        threads: of all streams together; 0 = as many as torch has here.

    Raises:
        ModelError: OpenVINO can't run the network.
    """
    openvino, core = openvino_runtime(), openvino_core()
    try:
        if isinstance(network, RecogniserFile):
            name, batch = network.name, network.batch or CROPS_TOGETHER
            model = core.read_model(network.graph)
        else:
            name, batch = type(network).__name__, CROPS_TOGETHER
            example = torch.zeros(1, 3, given.side, given.side)
            model = openvino.convert_model(network, example_input=example, input=[-1, 3, given.side, given.side])
        _take_pixels(model, given, batch)
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "INFERENCE_PRECISION_HINT": _OPENVINO_NAMES[precision],
                "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
                # Several processes would all be bound to the first cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO can't run the teacher {name}: set 'engine' to onnxruntime or torch, whichever fits."
        ) from error
    if compiled.get_property("INFERENCE_PRECISION_HINT").to_string() != _OPENVINO_NAMES[precision]:
        raise ModelError(f"This CPU can't run the teacher {name} in {precision}: set 'precision' to fastest.")
    return _OpenVino(openvino.AsyncInferQueue(compiled), batch, given)


def _take_pixels(model: Any, given: InputRange, batch: int) -> None:
    openvino = openvino_runtime()
    model.reshape([batch, 3, given.side, given.side])
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean(given.mean).scale(given.scale)
    steps.build()


class _OpenVino:
    def __init__(self, queue: Any, batch: int, given: InputRange) -> None:
        self._queue, self._batch, self._given = queue, batch, given

    def __call__(self, crops: Crops) -> Floats:
        parts: dict[int, Floats] = {}

        def keep(request: Any, start: int) -> None:
            parts[start] = request.get_output_tensor(0).data.copy()

        self._queue.set_callback(keep)
        for start, chunk in _chunks(self._given.views(crops), self._batch):
            self._queue.start_async({0: chunk}, start)
        self._queue.wait_all()
        return np.concatenate([parts[start] for start in sorted(parts)])[: len(crops)]


def onnxruntime_engine(network: RecogniserFile, given: InputRange, threads: int) -> Engine:
    """ONNX Runtime on the CPU: some crops a thread, which is faster for a small network than all threads on one crop.

    Raises:
        ModelError: ONNX Runtime can't run the network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(network.graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # classes of its own that share no base but Exception
        raise ModelError(
            f"ONNX Runtime can't run the teacher {network.name}: set 'engine' to openvino or fetch the file again."
        ) from error
    name, workers = session.get_inputs()[0].name, threads or torch.get_num_threads()
    batch = network.batch or CROPS_TOGETHER

    def features(chunk: Crops) -> Floats:
        images = (chunk.transpose(0, 3, 1, 2).astype(np.float32) - np.float32(given.mean)) / np.float32(given.scale)
        return np.asarray(session.run(None, {name: images})[0], dtype=np.float32)

    def engine(crops: Crops) -> Floats:
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(features, (chunk for _, chunk in _chunks(given.views(crops), batch))))
        return np.concatenate(parts)[: len(crops)]

    return engine


def torch_engine(
    network: nn.Module, given: InputRange, precision: Precision, device: Literal["cpu", "cuda", "auto"]
) -> Engine:
    """torch, on the process's own GPU where the device says so.

    Raises:
        ModelError: there is no such GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("The teacher is to run on a GPU but this machine has none: set the teacher's 'device' to cpu.")
    where = torch.device(torch_device(device))
    network.to(where, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @torch.inference_mode()
    def engine(crops: Crops) -> Floats:
        parts = []
        for start in range(0, len(crops), TORCH_CROPS_TOGETHER):
            views = torch.from_numpy(given.views(np.ascontiguousarray(crops[start : start + TORCH_CROPS_TOGETHER])))
            images = views.to(where).permute(0, 3, 1, 2).float().sub_(given.mean).div_(given.scale)
            # float32 is to mean float32: by default a GPU's convolutions round to TF32.
            exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
            with exact, torch.autocast(where.type, torch.bfloat16, enabled=precision == "bfloat16"):
                parts.append(network(images).float().cpu().numpy())
        return np.concatenate(parts)

    return engine


def _chunks(views: Crops, batch: int) -> Iterator[tuple[int, Crops]]:
    for start in range(0, len(views), batch):
        chunk = views[start : start + batch]
        # A last one that is too short is filled up with its own first crop.
        missing = batch - len(chunk)
        yield start, np.concatenate([chunk, np.repeat(chunk[:1], missing, axis=0)]) if missing else chunk
