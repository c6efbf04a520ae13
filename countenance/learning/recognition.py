"""Recognition first: the trunk knows faces before the other tasks join.

Either it starts from a published recogniser's weights, or it learns the embedding of a teacher, for which nobody has
to be named: every face is a class of its own whose centre the teacher gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from countenance.configuration import Configuration
from countenance.data.crop_store import CropStore
from countenance.learning.batches import BatchConfiguration
from countenance.learning.distillation import AdaDistillConfiguration
from countenance.learning.schedule import TrainingConfiguration
from countenance.learning.teachers.asking import aligned_faces
from countenance.learning.teachers.configuration import TeacherConfiguration, TeacherSees
from countenance.learning.training import TrainingRecord
from countenance.learning.views import CANONICAL_WARP, to_network_input
from countenance.network.allinone import AllInOneNetwork
from countenance.network.losses import MultiTaskWeights
from countenance.network.normalisation import settle_normalisation
from countenance.network.pretrained import load_recognition

_SETTLING_CROPS = 512


class RecognitionConfiguration(Configuration):
    """Where the trunk's knowledge of faces comes from.

    Attributes:
        checkpoint: a published recogniser whose weights the trunk and the identity branch start from (safetensors,
            torch weights or an ONNX MobileFaceNet; see :func:`countenance.network.pretrained.load_recognition`).
        input_mean: what that recogniser subtracts from a pixel in 0..255.
        input_scale: what it then divides by.
        keeps_early_layers: whether what leads to the trunk's shallow tap stays as the checkpoint has it, statistics
            too. A training then takes about half as long.
        teacher: a recogniser whose embedding is learned, all through training: the path of its file, or a mapping that
            also says how it is run.
        teacher_sees: whether it looks at the crop, once for all, or at every crop as it is varied.
        steps: of training on identity alone, before the other tasks join.
        learning_rate: of those steps.
        adadistill: how the class centres follow the teacher.
    """

    checkpoint: str | None = None
    input_mean: float = 127.5
    input_scale: float = Field(default=127.5, gt=0)
    keeps_early_layers: bool = False
    teacher: TeacherConfiguration | None = None
    teacher_sees: TeacherSees = "crop"
    steps: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=0.2, gt=0)
    adadistill: AdaDistillConfiguration = AdaDistillConfiguration()

    @field_validator("teacher")
    @classmethod
    def _is_somebody_else(cls, teacher: TeacherConfiguration | None) -> TeacherConfiguration | None:
        if teacher is not None and teacher.kind_of_file == "trained":
            raise ValueError("the network that is trained here can't be its own teacher; name a file")
        return teacher

    @model_validator(mode="after")
    def _keeps_what_was_learned(self) -> Self:
        if self.keeps_early_layers and self.checkpoint is None:
            raise ValueError("keeps_early_layers keeps random weights without a checkpoint; name one")
        return self


def start_from_checkpoint(
    network: AllInOneNetwork, recognition: RecognitionConfiguration, faces: pd.DataFrame, crops: CropStore
) -> None:
    """Load the configured recogniser into the trunk and identity branch, ready to be trained on.

    Raises:
        ModelError: the file doesn't fit the network, key by key.
    """
    path = Path(str(recognition.checkpoint))
    load_recognition(network, path, input_mean=recognition.input_mean, input_scale=recognition.input_scale)
    if path.suffix == ".onnx":
        settle_normalisation(network, _some_aligned(network, faces, crops))
    if recognition.keeps_early_layers:
        network.keep_early_layers()


def identity_alone(
    batches: BatchConfiguration, training: TrainingConfiguration, recognition: RecognitionConfiguration
) -> tuple[BatchConfiguration, TrainingConfiguration]:
    """The first steps' batches and schedule: aligned faces only, and no loss but identity's."""
    alone = batches.model_copy(
        update={"identity_share": 1.0, "attributes_share": 0.0, "localisation_share": 0.0, "scenes_share": 0.0}
    )
    nothing = dict.fromkeys(MultiTaskWeights.model_fields, 0.0)
    return alone, training.model_copy(
        update={
            "steps": recognition.steps,
            "learning_rate": recognition.learning_rate,
            "weights": MultiTaskWeights(**nothing | {"identity": training.weights.identity}),
        }
    )


def joined(first: TrainingRecord, then: TrainingRecord) -> TrainingRecord:
    """One record of two trainings of the same network, one after the other."""
    begin = first.steps[-1] + 1 if first.steps else 0
    curves = {}
    for name in sorted({*first.curves, *then.curves}):
        before = first.curves.get(name, (float("nan"),) * len(first.steps))
        after = then.curves.get(name, (float("nan"),) * len(then.steps))
        curves[name] = (*before, *after)
    seconds = first.seconds + then.seconds
    waited = first.data_wait_share * first.seconds + then.data_wait_share * then.seconds
    return replace(
        then,
        steps=(*first.steps, *(begin + step for step in then.steps)),
        curves=curves,
        images_seen=first.images_seen + then.images_seen,
        seconds=seconds,
        data_wait_share=waited / seconds if seconds else 0.0,
    )


def _some_aligned(network: AllInOneNetwork, faces: pd.DataFrame, crops: CropStore) -> Iterator[Tensor]:
    size = network.configuration.input_size
    _, rows = aligned_faces(faces, crops)
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SETTLING_CROPS)).astype(int)]
    for start in range(0, len(chosen), 64):
        pixels = [crops.read_row(int(row), "aligned") for row in chosen[start : start + 64]]
        images = to_network_input(np.stack([CANONICAL_WARP["aligned"].image(crop, size) for crop in pixels]))
        yield images.to(memory_format=torch.channels_last)
