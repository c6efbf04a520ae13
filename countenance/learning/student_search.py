"""Which student fits a device best: networks of a budget, each distilled briefly and scored on people for validation.

The library knows what a candidate is, what it costs and how it is tried; who proposes the next one, and when a trial is
given up, is for the caller to say. An Optuna trial, for one, suggests values as :class:`Suggests` asks for them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol

import pandas as pd
from pydantic import Field, model_validator

from countenance.configuration import Configuration, narrow
from countenance.data.crop_store import CropStore
from countenance.learning.fingerprint import fingerprint
from countenance.learning.kept_runs import data_digest, what_counts
from countenance.learning.recipe import DistillationConfiguration, train_student_distilled
from countenance.learning.soft_targets import SoftTable
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingRecord
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import cost_of, measure_milliseconds

SearchedTrunk = Literal["residual", "mobilefacenet"]

CHANNELS: Final = 4
"""Widths of a residual student are multiples of this, but for those that it has from the base network unchanged."""

_NOT_READ: Final = ("teacher", "alone", "faulty")
"""Of the distillation room's parameters: the teacher counts with what it says."""


class Suggests(Protocol):
    """Somebody who proposes values; ``optuna.Trial`` is one."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, step: float) -> float:
        """One of low, low + step, ... high."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int) -> int:
        """One of low, low + step, ... high."""
        ...


class Multiples(Configuration):
    """Multiples of what the base network has: low, low + step, ... high."""

    low: float = Field(gt=0)
    high: float = Field(gt=0)
    step: float = Field(gt=0)


class Sizes(Configuration):
    """Sides of the input in pixels: low, low + step, ... high; all are multiples of 16."""

    low: int = Field(ge=32, multiple_of=16)
    high: int = Field(ge=32, multiple_of=16)
    step: int = Field(default=16, ge=16, multiple_of=16)


class SearchSpace(Configuration):
    """What may be chosen.

    Attributes:
        trunks: kinds of trunks.
        width: of all channels, as multiples of the base network's (of the published layout for another trunk).
        depth: of the blocks in each stage, likewise.
        input_size: sides of the input.
    """

    trunks: tuple[SearchedTrunk, ...] = Field(default=("residual", "mobilefacenet"), min_length=1)
    width: Multiples = Multiples(low=0.5, high=1.5, step=0.25)
    depth: Multiples = Multiples(low=0.5, high=1.5, step=0.5)
    input_size: Sizes = Sizes(low=48, high=80)

    @model_validator(mode="after")
    def _ranges_are_ranges(self) -> SearchSpace:
        for name in ("width", "depth", "input_size"):
            given = getattr(self, name)
            if given.high < given.low:
                raise ValueError(f"{name} goes from {given.low} to {given.high}: put the smaller one first")
        return self


class StudentBudget(Configuration):
    """What a student may cost at most; None = no matter.

    Attributes:
        parameters: trained scalars.
        multiply_adds: for one image.
        milliseconds: for one image, of the exported network.
    """

    parameters: int | None = Field(default=None, gt=0)
    multiply_adds: int | None = Field(default=None, gt=0)
    milliseconds: float | None = Field(default=None, gt=0)


class StudentSearchConfiguration(Configuration):
    """Parameters of the student search; everything else is the distillation room's.

    Attributes:
        seed: of the proposals; the trainings have the distillation room's.
        trials: students that are trained, to the end or until they are given up.
        proposals: students that are looked at, over-budget ones included; the search ends here at the latest.
        steps: of each training; the warm-up keeps its share of them.
        looks: how often a training is scored on its way, and may be given up.
        people_share: of the training people, set apart to score by beside those for validation.
        space: what may be chosen.
        budget: what a student may cost.
        threads: of the engine that is timed.
        repetitions: of the timing; 0 = students aren't timed.
    """

    seed: int = Field(ge=0)
    trials: int = Field(ge=1)
    proposals: int = Field(default=200, ge=1)
    steps: int = Field(ge=1)
    looks: int = Field(default=3, ge=0)
    people_share: float = Field(default=0.0, ge=0.0, lt=1.0)
    space: SearchSpace = SearchSpace()
    budget: StudentBudget = StudentBudget()
    threads: int = Field(default=1, ge=1)
    repetitions: int = Field(default=30, ge=0)

    @model_validator(mode="after")
    def _a_limit_on_time_is_measured(self) -> StudentSearchConfiguration:
        if self.budget.milliseconds is not None and self.repetitions == 0:
            raise ValueError("budget.milliseconds needs students to be timed: set repetitions to 1 or more")
        return self


class StudentCost(NamedTuple):
    """What a student costs; ``milliseconds`` is None where it was not measured."""

    parameters: int
    multiply_adds: int
    milliseconds: float | None

    def excess(self, budget: StudentBudget) -> dict[str, float]:
        """By how much each limit is exceeded, as a share of it; at or below 0 it is kept."""
        return {
            name: amount / limit - 1.0
            for name, amount in self._asdict().items()
            if amount is not None and (limit := getattr(budget, name)) is not None
        }


def proposed_network(suggests: Suggests, space: SearchSpace, base: NetworkConfiguration) -> NetworkConfiguration:
    """The next candidate: ``base`` with another trunk, width, depth and input size.

    Raises:
        ConfigurationError: no network can be built so.
    """
    trunk = suggests.suggest_categorical("trunk", list(space.trunks))
    width = suggests.suggest_float("width", space.width.low, space.width.high, step=space.width.step)
    depth = suggests.suggest_float("depth", space.depth.low, space.depth.high, step=space.depth.step)
    sizes = space.input_size
    size = suggests.suggest_int("input_size", sizes.low, sizes.high, step=sizes.step)
    usual = base if base.trunk == trunk else NetworkConfiguration()
    if trunk == "mobilefacenet":
        own: dict[str, Any] = {
            "width_multiplier": usual.width_multiplier * width,
            "blocks": tuple(max(min(blocks, 1), _rounded(blocks * depth)) for blocks in usual.blocks),
        }
    else:
        own = {
            "widths": tuple(_channels(channels, width) for channels in usual.widths),
            "depths": tuple(_rounded(blocks * depth) for blocks in usual.depths),
            "identity_width": _channels(usual.identity_width, width),
        }
    chosen = base.model_dump() | {"trunk": trunk, "input_size": size} | own
    return narrow(NetworkConfiguration, chosen, where="parameters_student_search.yml")


def searched_values(network: NetworkConfiguration) -> dict[str, Any]:
    """The part of a network's configuration that the search chooses, as it stands in a configuration file."""
    of_trunk = ("width_multiplier", "blocks") if network.trunk == "mobilefacenet" else (
        "widths", "depths", "identity_width",
    )  # fmt: skip
    values = network.model_dump(mode="json")
    return {name: values[name] for name in ("trunk", "input_size", *of_trunk)}


def cost_of_student(network: NetworkConfiguration, configuration: StudentSearchConfiguration) -> StudentCost:
    """Count a candidate, and time it unless the counts alone are beyond the budget or nothing is to be timed."""
    counted = StudentCost(*cost_of(network), milliseconds=None)
    if not configuration.repetitions or any(share > 0 for share in counted.excess(configuration.budget).values()):
        return counted
    timed = measure_milliseconds(
        AllInOneNetwork(network), threads=configuration.threads, repetitions=configuration.repetitions
    )
    return counted._replace(milliseconds=timed.median)


def try_student(
    network: NetworkConfiguration,
    manifest: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures,
    distillation: DistillationConfiguration,
    configuration: StudentSearchConfiguration,
    *,
    soft: SoftTable | None,
    look: Callable[[int, AllInOneNetwork], None],
) -> tuple[AllInOneNetwork, TrainingRecord]:
    """Distil a candidate briefly.

    Args:
        network: the candidate.
        manifest: every row; only the training split is used.
        crops: the crop store.
        teacher: its features.
        distillation: how students are distilled, but for network and steps.
        configuration: steps and looks.
        soft: what the teacher of the other tasks says, or None.
        look: called on the way with the number of steps done and a copy of the network as it is then; what it raises
            gives the trial up.
    """
    asked = distillation.training
    training = asked.model_copy(
        update={
            "steps": configuration.steps,
            "warmup_steps": round(asked.warmup_steps * configuration.steps / asked.steps),
            "processes": 1,
        }
    )
    shortened = distillation.model_copy(update={"network": network, "training": training})
    looks = set(steps_of_looks(configuration.steps, configuration.looks))

    def watch(step: int, trained: AllInOneNetwork) -> None:
        if step in looks:
            seen = AllInOneNetwork(network)
            seen.load_state_dict(trained.state_dict())
            look(step, seen.eval())

    return train_student_distilled(manifest, crops, teacher, shortened, soft=soft, watch=watch)


def steps_of_looks(steps: int, looks: int) -> list[int]:
    """After how many steps a training of so many is looked at: evenly spaced, neither at its start nor at its end."""
    places = {_rounded(steps * number / (looks + 1)) for number in range(1, looks + 1)}
    return sorted(places - {0, steps})


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """[N] which candidates no other beats: none is both no costlier and no worse, and better in one of the two."""
    every = list(zip(costs, scores, strict=True))
    return [not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in every) for cost, score in every]


def search_digest(
    manifest: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures,
    soft: SoftTable | None,
    distillation: DistillationConfiguration,
    configuration: StudentSearchConfiguration,
) -> str:
    """Equal for searches whose trials may be counted together: same data, teacher, recipe, space and budget."""
    return fingerprint(
        data_digest(manifest, crops, distillation.network.landmark_scheme),
        teacher,
        soft,
        what_counts(distillation, without=_NOT_READ),
        json.dumps(configuration.model_dump(mode="json", exclude={"trials", "proposals"}), sort_keys=True),
    )


def _channels(usual: int, width: float) -> int:
    # Of width 1 the base network is in the space as it is, whatever its channels are multiples of.
    return usual if math.isclose(width, 1.0) else max(CHANNELS, CHANNELS * _rounded(usual * width / CHANNELS))


def _rounded(amount: float) -> int:
    """To the nearest whole number, halves up: Python rounds them to even ones."""
    return math.floor(amount + 0.5)
