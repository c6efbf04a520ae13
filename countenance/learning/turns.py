"""Measuring several ways to do the same thing: each in a process of its own, in turns within one run.

A machine's speed changes from one minute to the next by more than the ways may differ, so that only ratios within a
round mean anything. A process of its own gives each way its own threads, and memory whose peak can be told.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from countenance.errors import CountenanceError, TrainingError
from countenance.process_memory import peak_mebibytes
from countenance.progress import track

MEBIBYTE: Final = 2**20

_WAIT_POLICY: Final = "OMP_WAIT_POLICY"

Step = Callable[[], object]
Preparation = Callable[[], Step]
"""Makes ready in the process that it is called in; can be sent there. What it returns does one step at each call."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the steps of one way took.

    Attributes:
        seconds: a step, one number a round.
        peak_mebibytes: most memory that its process ever held, of which
        idle_mebibytes: it held with its libraries loaded, before anything was made ready.
    """

    seconds: tuple[float, ...]
    peak_mebibytes: float
    idle_mebibytes: float

    @property
    def median(self) -> float:
        """Seconds of a step, in the middle round."""
        return float(np.median(self.seconds))

    def times_as_fast_as(self, other: Timing) -> NDArray[np.float64]:
        """The other's seconds over these, one number a round."""
        return np.asarray(np.array(other.seconds) / np.array(self.seconds))


def in_turns(
    ways: Mapping[str, Preparation], *, steps: Mapping[str, int], rounds: int, threads: int, warm_up: int = 2
) -> dict[str, Timing]:
    """Time each way in every round, the order turning round from one to the next.

    Args:
        ways: by name.
        steps: in a turn of each way; a quick one takes more, so that its turn isn't over in no time.
        rounds: turns of each.
        threads: of torch in each process; only one of them is busy at any time. Threads that wait don't spin, unless
            ``OMP_WAIT_POLICY`` says so.
        warm_up: steps of each way before the first round.

    Raises:
        TrainingError: a process ended before its time.
        CountenanceError: what a way raised.
    """
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(name, ways[name], threads)) for name in names}
        # One after the other, the first time too: getting ready takes memory and both cores.
        idle = {name: worker.ask(0) for name, worker in workers.items()}
        for worker in workers.values():
            worker.ask(warm_up)
        for number in track(range(rounds), what="measuring", total=rounds, unit="round"):
            for name in names if number % 2 == 0 else reversed(names):
                seconds[name].append(workers[name].ask(steps[name]) / steps[name])
        return {
            name: Timing(seconds=tuple(seconds[name]), peak_mebibytes=worker.ask(-1), idle_mebibytes=idle[name])
            for name, worker in workers.items()
        }


class _Worker:
    """The process of one way; it is asked for steps and answers with the seconds that they took."""

    def __init__(self, name: str, prepare: Preparation, threads: int) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_attend, args=(prepare, threads, theirs), daemon=True)
        with _patient_threads():
            self._process.start()
        theirs.close()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # at which it ends
        self._process.join(timeout=10.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def ask(self, steps: int) -> float:
        """Seconds of so many steps; 0 makes ready and tells the memory before it, -1 the most memory until now."""
        try:
            self._pipe.send(steps)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise TrainingError(
                f"The process that measures '{self._name}' was ended from outside (exit code "
                f"{self._process.exitcode}): give the measurement more memory or smaller sizes."
            ) from error
        if isinstance(answer, CountenanceError):
            raise answer
        return float(answer)


@contextmanager
def _patient_threads() -> Iterator[None]:
    # Read by OpenMP as it is loaded. Threads that spin while they wait, as they do by default, take the cores from
    # those that they wait for as soon as anything else runs on the machine: steps then take several times as long, and
    # those of many small parts the most.
    before = os.environ.get(_WAIT_POLICY)
    os.environ.setdefault(_WAIT_POLICY, "PASSIVE")
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WAIT_POLICY]


def _attend(prepare: Preparation, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    step: Step | None = None
    while True:
        try:
            steps: int = pipe.recv()
        except EOFError:
            return
        try:
            if step is None:
                idle = peak_mebibytes()
                step = prepare()
                pipe.send(idle)
            else:
                pipe.send(peak_mebibytes() if steps < 0 else _seconds(step, steps))
        except CountenanceError as error:
            pipe.send(error)
            return


def _seconds(step: Step, steps: int) -> float:
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - begin
