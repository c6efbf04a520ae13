"""How fast a step of distillation is beside the published algorithm in plain PyTorch: networks, classes, batch alike.

Ours has all that a training of ours has: fused kernels, channels-last memory that is kept from step to step, the header
in one pass, and the teacher's features from a table or from the fastest engine here. The published one has what PyTorch
does by default. Weights and images are made up, which changes no time, and the images are ready in memory for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from countenance.data.alignment import CROP_SIZE
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.published_distillation import GRADIENT_CLIP, PublishedHeader, PublishedStep
from countenance.learning.teachers.checkpoint import IdentityPart
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.teachers.running import InputRange, fastest_precision, openvino_engine
from countenance.learning.turns import Preparation, Step, Timing, in_turns
from countenance.learning.views import to_network_input
from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration

TeacherName = Literal["iresnet18", "iresnet50", "iresnet100"]

PUBLISHED: Final = "published, plain PyTorch"
CACHED: Final = "countenance, warm cache"
LIVE: Final = "countenance, live teacher"
STEPS: Final = (PUBLISHED, CACHED, LIVE)

BATCHES: Final = 4
"""Different batches that come round and round."""

DIMENSION: Final = 512
LEARNING_RATE: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class DistillationSize:
    """What is measured.

    Attributes:
        batch_size: images a step.
        classes: class centres.
        input_size: side of the square input of student and teacher; a multiple of 16.
        teacher: trunk of the teacher.
        seed: of weights and images.
    """

    batch_size: int = 64
    classes: int = 85_742
    input_size: int = CROP_SIZE
    teacher: TeacherName = "iresnet50"
    seed: int = 0

    def student_network(self) -> AllInOneNetwork:
        """MobileFaceNet with the published 1.2 million weights."""
        return self._network("mobilefacenet", self.seed)

    def teacher_network(self) -> AllInOneNetwork:
        """IResNet."""
        return self._network(self.teacher, self.seed + 1)

    def generator(self) -> torch.Generator:
        """Gives the first centres."""
        return torch.Generator().manual_seed(self.seed)

    def _network(self, trunk: Literal["mobilefacenet"] | TeacherName, seed: int) -> AllInOneNetwork:
        torch.manual_seed(seed)
        configuration = NetworkConfiguration(
            trunk=trunk, input_size=self.input_size, embedding_dimension=DIMENSION, tasks="identity", closing_gain=False
        )
        return AllInOneNetwork(configuration)

    def crops(self) -> NDArray[np.uint8]:
        """[BATCHES, N, 112, 112, 3] crops."""
        shape = (BATCHES, self.batch_size, CROP_SIZE, CROP_SIZE, 3)
        return np.random.default_rng(self.seed).integers(0, 256, shape, dtype=np.uint8)

    def labels(self) -> Tensor:
        """[BATCHES, N] classes; no two rows of a batch share one, as the published algorithm can't tell them apart."""
        generator = np.random.default_rng(self.seed)
        rows = [generator.choice(self.classes, self.batch_size, replace=False) for _ in range(BATCHES)]
        return torch.from_numpy(np.stack(rows))

    def input_range(self) -> InputRange:
        """Of both networks."""
        return InputRange(side=self.input_size, mean=127.5, scale=127.5)


@dataclass(frozen=True, kw_only=True)
class DistillationSpeed:
    """What was measured.

    Attributes:
        size: of what.
        threads: of torch, and of the live teacher.
        steps: whole steps of training, by name (:data:`STEPS`).
        published_header: the header alone, forwards and backwards: the published one in plain PyTorch.
        header: ours.
        loss_difference: of the two headers' losses of one batch, relative to the loss.
        gradient_difference: of the gradients of its embeddings, relative in the 2-norm.
        live_precision: what the live teacher computes in.
    """

    size: DistillationSize
    threads: int
    steps: dict[str, Timing]
    published_header: Timing
    header: Timing
    loss_difference: float
    gradient_difference: float
    live_precision: str


def measure_distillation(size: DistillationSize, *, threads: int, rounds: int = 5) -> DistillationSpeed:
    """Measure whole steps, then headers alone; some minutes at the default size.

    Raises:
        TrainingError: a measuring process ended before its time, as for want of memory.
        ModelError: the live teacher can't be run.
    """
    ways: dict[str, Preparation] = {PUBLISHED: _Published(size), CACHED: _Ours(size, live=False)}
    ways[LIVE] = _Ours(size, live=True)
    steps = in_turns(ways, steps={PUBLISHED: 1, CACHED: 3, LIVE: 2}, rounds=rounds, threads=threads)
    headers: dict[str, Preparation] = {PUBLISHED: _Header(size, published=True), CACHED: _Header(size, published=False)}
    alone = in_turns(headers, steps={PUBLISHED: 2, CACHED: 10}, rounds=rounds, threads=threads)
    loss, gradient = differences(size)
    return DistillationSpeed(
        size=size,
        threads=threads,
        steps=steps,
        published_header=alone[PUBLISHED],
        header=alone[CACHED],
        loss_difference=loss,
        gradient_difference=gradient,
        live_precision=fastest_precision(),
    )


def differences(size: DistillationSize) -> tuple[float, float]:
    """How far our header's loss, and its gradient of the embeddings, are from the published ones; both relative."""
    losses, gradients = [], []
    for published in (True, False):
        header = _Header(size, published=published)
        loss, gradient = header.loss_and_gradient()
        losses.append(loss)
        gradients.append(gradient)
    distance = float((gradients[1] - gradients[0]).norm() / gradients[0].norm())
    return abs(losses[1] - losses[0]) / abs(losses[0]), distance


class OurStep:
    """One step of training after the other, as the training loop does them; accelerated until it is closed.

    Args:
        student: trained.
        header: gives the loss.
        learning_rate: of SGD with momentum .9 and weight decay 5e-4.
    """

    def __init__(self, student: AllInOneNetwork, header: AdaDistillHeader, learning_rate: float) -> None:
        self.student = student.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.header = header
        self._acceleration = ExitStack()
        self._acceleration.enter_context(accelerated(student))
        self._optimiser = torch.optim.SGD(student.parameters(), lr=learning_rate, momentum=0.9, weight_decay=5e-4)

    def close(self) -> None:
        """Give the student back as it was, but for what it has learned."""
        self._acceleration.close()

    def __call__(self, images: Tensor, labels: Tensor, features: Tensor) -> float:
        """Train on [N, 3, S, S] images in [-1, 1] of [N] classes, with the teacher's [N, D] features; the loss."""
        self._optimiser.zero_grad(set_to_none=True)
        loss = self.header(self.student(images).embedding, labels, features)
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), GRADIENT_CLIP)
        self._optimiser.step()
        return float(loss.detach())


@dataclass(frozen=True)
class _Published:
    size: DistillationSize

    def __call__(self) -> Step:
        size = self.size
        header = PublishedHeader(size.classes, DIMENSION, AdaDistillConfiguration().margin, size.generator())
        step = PublishedStep(size.student_network(), size.teacher_network(), header, LEARNING_RATE)
        batches = _rounds(size)

        def once() -> float:
            _, crops, labels = next(batches)
            return step(to_network_input(size.input_range().views(crops)).contiguous(), labels)

        return once


@dataclass(frozen=True)
class _Ours:
    size: DistillationSize
    live: bool

    def __call__(self) -> Step:
        size, count = self.size, self.size.batch_size
        header = AdaDistillHeader(size.classes, DIMENSION, AdaDistillConfiguration(), size.generator())
        step = OurStep(size.student_network(), header, LEARNING_RATE)
        features_of = self._live_teacher() if self.live else self._cache()
        batches = _rounds(size)

        def once() -> float:
            number, crops, labels = next(batches)
            features = torch.from_numpy(features_of(np.arange(number * count, (number + 1) * count), crops))
            return step(to_network_input(size.input_range().views(crops)), labels, features)

        return once

    def _cache(self) -> Callable[[NDArray[np.int64], NDArray[np.uint8]], NDArray[np.float32]]:
        rows = BATCHES * self.size.batch_size
        said = np.random.default_rng(self.size.seed).standard_normal((rows, 2, DIMENSION)).astype(np.float16)
        table = TeacherFeatures(tuple(map(str, range(rows))), said)
        return lambda rows, crops: table.take(rows)

    def _live_teacher(self) -> Callable[[NDArray[np.int64], NDArray[np.uint8]], NDArray[np.float32]]:
        part = IdentityPart(self.size.teacher_network(), self.size.teacher)
        engine = openvino_engine(part, self.size.input_range(), fastest_precision(), torch.get_num_threads())
        return lambda rows, crops: engine(crops)


@dataclass(frozen=True)
class _Header:
    """The header alone: loss and gradient of a batch of embeddings."""

    size: DistillationSize
    published: bool

    def __call__(self) -> Step:
        return self._prepared()[0]

    def loss_and_gradient(self) -> tuple[float, Tensor]:
        """Of the first batch."""
        step, embedding = self._prepared()
        loss = step()
        assert isinstance(loss, float) and embedding.grad is not None
        return loss, embedding.grad

    def _prepared(self) -> tuple[Step, Tensor]:
        size, generator = self.size, torch.Generator().manual_seed(self.size.seed + 2)
        embedding, features = torch.randn(2, size.batch_size, DIMENSION, generator=generator)
        embedding.requires_grad_()
        first, margin = size.generator(), AdaDistillConfiguration()
        header: nn.Module = (
            PublishedHeader(size.classes, DIMENSION, margin.margin, first)
            if self.published
            else AdaDistillHeader(size.classes, DIMENSION, margin, first)
        )
        labels = cycle(size.labels())

        def once() -> float:
            embedding.grad = None
            header.zero_grad()
            loss = header(embedding, next(labels), features)
            loss.backward()
            return float(loss.detach())

        return once, embedding


def _rounds(size: DistillationSize) -> Iterator[tuple[int, NDArray[np.uint8], Tensor]]:
    return cycle(zip(range(BATCHES), size.crops(), size.labels(), strict=True))
