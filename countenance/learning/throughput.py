"""How fast the training loop is beside a plain PyTorch loop: the same network, batches and optimiser, in turns.

Everything is made from a seed. The turns alternate within one run, since a machine's speed changes from one minute to
the next by more than the loops differ.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from countenance.data.alignment import CROP_SIZE
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceBatch, FaceDataset
from countenance.learning.identity_header import MarginSoftmaxHeader
from countenance.learning.launching import in_processes
from countenance.learning.loop import TrainingLoop
from countenance.learning.processes import Processes
from countenance.learning.schedule import TrainingConfiguration, learning_rate_at
from countenance.network.acceleration import accelerated
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.losses import task_losses, weighted_sum
from countenance.network.margin import MarginConfiguration

PEOPLE: Final = 64
CROPS_EACH: Final = 16
WARM_UP_STEPS: Final = 3
ENDLESS: Final = 10**6

LOOPS: Final = ("countenance", "plain", "plain, channels last")
"""The plain loop as it is usually written, and with the memory layout that suits convolutions on a CPU."""


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What was measured.

    Attributes:
        images_per_second: one number a round, by loop (:data:`LOOPS`).
        data_wait_share: share of our loop's time in which it waited for its next batch.
        batch_size: crops a batch.
        input_size: side of the square input.
        threads: of torch.
    """

    images_per_second: dict[str, tuple[float, ...]]
    data_wait_share: float
    batch_size: int
    input_size: int
    threads: int

    def others(self) -> tuple[str, ...]:
        """The loops that ours is compared with."""
        return LOOPS[1:]

    def ratios(self, other: str) -> NDArray[np.float64]:
        """Our speed over that of another loop, one number a round."""
        ours, theirs = (np.array(self.images_per_second[name], dtype=np.float64) for name in (LOOPS[0], other))
        return np.asarray(ours / theirs)

    def ratio(self, other: str) -> float:
        """The median of :meth:`ratios`."""
        return float(np.median(self.ratios(other)))


def measure_training(
    *, seconds: float, batch_size: int, input_size: int, threads: int, rounds: int = 5, seed: int = 0
) -> Throughput:
    """Train for about so many seconds, the loops taking turns.

    The crops are JPEGs in memory that are decoded each time: as for a set that is too large to be kept decoded.

    Args:
        seconds: for all turns together.
        batch_size: crops a batch.
        input_size: side of the square input; a multiple of 16.
        threads: of torch.
        rounds: turns of each loop.
        seed: of data and weights.
    """
    data, network = _data(seed, batch_size, input_size), NetworkConfiguration(input_size=input_size)
    plan = TrainingConfiguration(steps=ENDLESS, threads=threads)
    speeds: dict[str, list[float]] = {name: [] for name in LOOPS}
    waited: list[float] = []

    def work(processes: Processes) -> None:
        ours_alone = _network(seed, network)
        loop = TrainingLoop(ours_alone, _header(seed, network), data, plan, processes)
        # The plain loops first: their worker processes are forked, which is best done before there are threads.
        with (
            accelerated(ours_alone),
            closing(
                _plain(_network(seed, network), _header(seed, network), data, plan, torch.contiguous_format)
            ) as plain,
            closing(_plain(_network(seed, network), _header(seed, network), data, plan, torch.channels_last)) as last,
            closing(loop.steps()) as ours,
        ):
            arms: dict[str, Iterator[int]] = dict(zip(LOOPS, (ours, plain, last), strict=True))
            for name in reversed(LOOPS):
                for _ in range(WARM_UP_STEPS):
                    next(arms[name])
            loop.record.waited = loop.record.seconds = 0.0
            for turn in range(rounds):
                # The order turns round, so that none always comes after the same other.
                for name in LOOPS if turn % 2 == 0 else reversed(LOOPS):
                    speeds[name].append(batch_size * _steps_a_second(arms[name], seconds / (rounds * len(LOOPS))))
            waited.append(loop.record.waited / loop.record.seconds)

    in_processes(work, plan)
    return Throughput(
        images_per_second={name: tuple(values) for name, values in speeds.items()},
        data_wait_share=waited[0],
        batch_size=batch_size,
        input_size=input_size,
        threads=threads,
    )


def _steps_a_second(steps: Iterator[int], seconds: float) -> float:
    begin, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begin < seconds:
        next(steps)
        count += 1
    return count / (time.perf_counter() - begin)


def _network(seed: int, configuration: NetworkConfiguration) -> AllInOneNetwork:
    torch.manual_seed(seed)
    return AllInOneNetwork(configuration)


def _header(seed: int, network: NetworkConfiguration) -> MarginSoftmaxHeader:
    generator = torch.Generator().manual_seed(seed)
    return MarginSoftmaxHeader(PEOPLE, network.embedding_dimension, MarginConfiguration(), generator)


def _plain(
    network: AllInOneNetwork,
    header: MarginSoftmaxHeader,
    data: FaceDataset,
    plan: TrainingConfiguration,
    memory_format: torch.memory_format,
) -> Generator[int]:
    """The same training in the usual few lines: a DataLoader with one worker, SGD, no more."""
    network.to(memory_format=memory_format).train()  # type: ignore[call-overload]
    batches = DataLoader(_Batches(data, memory_format), batch_size=None, num_workers=1, prefetch_factor=4)
    kernels = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    chosen = {id(weight) for weight in kernels}
    free = [weight for weight in network.parameters() if id(weight) not in chosen]
    groups = [
        {"params": [*kernels, *header.parameters()], "weight_decay": plan.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=plan.learning_rate, momentum=plan.momentum, nesterov=True)
    for step, batch in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(step, plan)
        outputs = network(batch.images)
        losses = task_losses(outputs, batch.targets, age_annealing=0.0)
        identity = header(outputs.embedding, batch.targets.identity, None)
        if identity is not None:
            losses["identity"] = identity
        total = weighted_sum(losses, plan.weights)
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), plan.gradient_clip)
        optimiser.step()
        yield step


class _Batches(Dataset[FaceBatch]):
    def __init__(self, data: FaceDataset, memory_format: torch.memory_format) -> None:
        self._data, self._memory_format = data, memory_format

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, step: int) -> FaceBatch:
        batch = self._data.batch(step)
        images: Tensor = batch.images.contiguous(memory_format=self._memory_format)
        return FaceBatch(images=images, targets=batch.targets, teacher=None, sources=batch.sources)


def _data(seed: int, batch_size: int, input_size: int) -> FaceDataset:
    """People made of coloured clouds, who have every label."""
    generator = np.random.default_rng(seed)
    corner, side = np.array([21.0, 21.0]), 70.0
    rows, jpegs = [], []
    for place in range(PEOPLE * CROPS_EACH):
        points = corner + side * generator.uniform(0.2, 0.8, (5, 2))
        jpegs.append(_cloud(generator))
        rows.append(
            {
                "face_id": str(place), "crop": str(place), "source": "clouds", "photo_sha256": str(place),
                "subject_id": str(place % PEOPLE), "is_face": True, "box_xywh": [*corner, side, side],
                "landmarks": points.ravel().tolist(), "landmark_scheme": "5", "visibility": [1.0] * 5,
                "yaw_deg": generator.normal(0, 20), "pitch_deg": generator.normal(0, 10), "yaw_range": None,
                "roll_deg": generator.normal(0, 10), "gender": str(generator.choice(["female", "male"])),
                "smiling": bool(generator.random() < 0.5), "age_years": generator.uniform(5, 80), "age_std": np.nan,
                "scene_scale": np.nan,
            }
        )  # fmt: skip
    mix = BatchConfiguration(batch_size=batch_size, decoded_mebibytes=0)
    network = NetworkConfiguration(input_size=input_size)
    return FaceDataset(pd.DataFrame(rows), _Jpegs(jpegs), network, mix, AugmentationConfiguration(), seed=seed)


def _cloud(generator: np.random.Generator) -> NDArray[np.uint8]:
    coarse = generator.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    fine = generator.integers(0, 40, (CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.imencode(".jpg", smooth // 2 + fine, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


class _Jpegs:
    """A crop reader over JPEGs in memory; both views of a face are the same."""

    def __init__(self, jpegs: Sequence[NDArray[np.uint8]]) -> None:
        self._jpegs = jpegs

    def rows(self, crops: Sequence[str]) -> NDArray[np.int64]:
        return np.array([int(crop) for crop in crops], dtype=np.int64)

    def encoded(self, row: int, view: str) -> Any:
        return None if view == "scene" else self._jpegs[row]

    def read_row(self, row: int, view: str) -> NDArray[np.uint8]:
        return np.asarray(cv2.imdecode(self._jpegs[row], cv2.IMREAD_COLOR_RGB), dtype=np.uint8)
