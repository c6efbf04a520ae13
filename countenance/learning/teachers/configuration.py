"""Which teacher, and how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from countenance.configuration import Configuration

TRAINED_TEACHER: Final = "trained"
"""Names the all-in-one network of the training room as the teacher, in place of a file."""

Kind = Literal["onnx", "checkpoint", "table", "trained"]
EngineName = Literal["openvino", "onnxruntime", "torch"]
ChannelOrder = Literal["rgb", "bgr"]
TeacherSees = Literal["crop", "augmented"]
"""What a teacher looks at: the stored crop or its mirror image, or the crop as it was varied for the student.

In the AdaDistill paper and its published code teacher and student get the same tensor, and the only variation is the
mirror image; that is ``crop`` here. With more variation ``crop`` still asks for the feature of the unvaried face.
"""

_KIND_OF: Final[dict[str, Kind]] = {
    ".onnx": "onnx",
    ".safetensors": "checkpoint",
    ".pt": "checkpoint",
    ".pth": "checkpoint",
    ".parquet": "table",
}
_ENGINES_OF: Final[dict[Kind, tuple[EngineName, ...]]] = {
    "onnx": ("openvino", "onnxruntime"),
    "checkpoint": ("openvino", "torch"),
    "trained": ("openvino", "torch"),
    "table": ("openvino", "onnxruntime", "torch"),
}
_PRECISIONS_OF: Final[dict[EngineName, tuple[str, ...]]] = {
    "openvino": ("fastest", "float32", "bfloat16", "float16"),
    "onnxruntime": ("fastest", "float32"),
    "torch": ("fastest", "float32", "bfloat16"),
}
_INPUT_OF: Final[dict[Kind, tuple[float, float]]] = {"onnx": (127.0, 128.0), "checkpoint": (127.5, 127.5)}


class TeacherConfiguration(Configuration):
    """Which teacher, and how it is run; a plain text stands for ``{path: text}``.

    Attributes:
        path: ``trained`` (the training room's network), or a file: ``.onnx`` (one input [n, 3, 112, 112] RGB, one
            output [n, D]), a ``.safetensors``, ``.pt`` or ``.pth`` checkpoint of a published recogniser or of our own
            all-in-one network, or a ``.parquet`` table of embeddings by ``face_id``.
        kind: what the file is, where its ending doesn't tell.
        engine: what runs it. OpenVINO is the fastest on a CPU; checkpoints can be run by torch, on a GPU too, and ONNX
            files by ONNX Runtime.
        precision: ``fastest`` is bfloat16 with OpenVINO on a CPU that computes in it natively, and float32 otherwise.
            It belongs to the teacher's identity. Cosines to float32, least and mean of 64 faces: bfloat16 .9990 and
            .9997 for a MobileFaceNet, .9999 for an IResNet50; float16, for CPUs that have it, .99998.
        input_mean: what is subtracted from a pixel in 0..255; where it isn't given, 127 for an ONNX file and 127.5
            otherwise. Our own networks know theirs.
        input_scale: what is divided by then; 128, or 127.5.
        input_order: ``bgr`` for a network that was trained on pictures as OpenCV reads them.
        device: of torch.
        threads: of the engine; 0 = as many as torch has in the process that asks.
        batch_size: crops that are embedded, with their mirror images, between two writes to the cache.
        cached_as: what the cache keeps features in. A float16 row's cosine to its float32 row is above .999999.
    """

    path: str = TRAINED_TEACHER
    kind: Kind | None = None
    engine: EngineName = "openvino"
    precision: Literal["fastest", "float32", "bfloat16", "float16"] = "fastest"
    input_mean: float | None = None
    input_scale: float | None = Field(default=None, gt=0)
    input_order: ChannelOrder = "rgb"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: int = Field(default=0, ge=0)
    batch_size: int = Field(default=64, ge=1)
    cached_as: Literal["float16", "float32"] = "float16"

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, given: Any) -> Any:
        return {"path": str(given)} if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _fits_together(self) -> TeacherConfiguration:
        if self.kind is None and self.path != TRAINED_TEACHER and Path(self.path).suffix not in _KIND_OF:
            endings = ", ".join(_KIND_OF)
            raise ValueError(f"the ending of '{self.path}' is none of {endings}; set 'kind' or choose another file")
        kind = self.kind_of_file
        if (kind == "trained") != (self.path == TRAINED_TEACHER):
            raise ValueError(f"the path '{self.path}' is not of the kind '{kind}'; leave 'kind' away")
        if self.engine not in _ENGINES_OF[kind]:
            engines = " or ".join(_ENGINES_OF[kind])
            raise ValueError(f"the engine '{self.engine}' can't run a teacher of the kind '{kind}'; choose {engines}")
        if self.device != "cpu" and self.engine != "torch":
            raise ValueError(f"the engine '{self.engine}' runs on the CPU only; set 'engine' to torch")
        if self.precision not in _PRECISIONS_OF[self.engine]:
            raise ValueError(
                f"the engine '{self.engine}' doesn't compute in {self.precision}; "
                f"choose {' or '.join(_PRECISIONS_OF[self.engine])}"
            )
        if kind not in _INPUT_OF and (self.input_mean, self.input_scale, self.input_order) != (None, None, "rgb"):
            raise ValueError(f"a teacher of the kind '{kind}' has an input of its own; leave 'input_…' away")
        return self

    @property
    def kind_of_file(self) -> Kind:
        """The kind, as given or as the file's ending tells."""
        if self.kind is not None:
            return self.kind
        return "trained" if self.path == TRAINED_TEACHER else _KIND_OF[Path(self.path).suffix]

    @property
    def input_range(self) -> tuple[float, float]:
        """What is subtracted from a pixel in 0..255, and what is divided by then."""
        mean, scale = _INPUT_OF.get(self.kind_of_file, (127.5, 127.5))
        return (
            mean if self.input_mean is None else self.input_mean,
            scale if self.input_scale is None else self.input_scale,
        )


def not_there(path: Path) -> str:
    """What to say of a teacher's file that is missing; an unset variable leaves a path that begins at the root."""
    return (
        f"The teacher's file {path} is not there: put it there, set 'teacher' to another one, or set the variable that "
        "its folder comes from, such as COUNTENANCE_FACES."
    )
