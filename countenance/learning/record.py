"""What a training run was: its curves, and what they cost."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """What a training run was.

    Attributes:
        steps: step (from 0) of each point of the curves.
        curves: for each curve one number a point: the task losses (``loss/face`` ...), their weighted sum (``loss``),
            ``learning_rate``, learned weights (``weight/face`` ...), gradient statistics (``gradient/face``,
            ``gradient_cosine/face/age`` ...) and what the identity header logs. Where there was none, it is NaN.
        images_seen: crops trained on, with repeats.
        seconds: wall-clock time of the steps, over all sittings of an interrupted run.
        parameters: trained scalars of the network, without the identity header.
        data_wait_share: share of ``seconds`` in which the loop waited for its next batch.
    """

    steps: tuple[int, ...]
    curves: dict[str, tuple[float, ...]]
    images_seen: int
    seconds: float
    parameters: int
    data_wait_share: float = 0.0


@dataclass
class RunningRecord:
    """The record of a run that goes on.

    Attributes:
        points: (step, value by curve) of each point.
        images_seen: as in :class:`TrainingRecord`.
        seconds: likewise.
        waited: seconds spent waiting for data.
    """

    points: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    images_seen: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def to_json(self) -> str:
        """All of it; numbers come back as they were, bit for bit."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunningRecord:
        """The inverse of :meth:`to_json`."""
        values = json.loads(text)
        return cls(**values | {"points": [(step, named) for step, named in values["points"]]})

    def finished(self, parameters: int) -> TrainingRecord:
        """The record of the run, of a network with so many parameters."""
        names = sorted({name for _, values in self.points for name in values})
        return TrainingRecord(
            steps=tuple(step for step, _ in self.points),
            curves={name: tuple(values.get(name, math.nan) for _, values in self.points) for name in names},
            images_seen=self.images_seen,
            seconds=self.seconds,
            parameters=parameters,
            data_wait_share=self.waited / self.seconds if self.seconds else 0.0,
        )
