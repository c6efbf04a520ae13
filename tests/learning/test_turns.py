"""Several ways to do the same, each in a process of its own, in turns."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from countenance.errors import ModelError, TrainingError
from countenance.learning.turns import Timing, in_turns, peak_mebibytes


@dataclass(frozen=True)
class Sleeps:
    seconds: float

    def __call__(self):
        return lambda: time.sleep(self.seconds)


@dataclass(frozen=True)
class Holds:
    mebibytes: int

    def __call__(self):
        held = []
        return lambda: held.append(np.ones(self.mebibytes * 2**20, dtype=np.uint8))


def fails():
    def step():
        raise ModelError("The teacher is not there: fetch it.")

    return step


def is_killed():
    return lambda: os.kill(os.getpid(), signal.SIGKILL)


def says_its_threads():
    if torch.get_num_threads() != 3:
        raise ModelError("It has other threads than it was given: give it three.")
    return lambda: None


def timing(*seconds):
    return Timing(seconds=seconds, peak_mebibytes=2.0, idle_mebibytes=1.0)


def test_ratios_are_taken_within_a_round():
    slow, quick = timing(2.0, 9.0, 4.0), timing(1.0, 3.0, 4.0)
    assert quick.times_as_fast_as(slow).tolist() == [2.0, 3.0, 1.0]
    assert slow.median == 4.0


def test_a_process_of_its_own_remembers_its_peak():
    before = peak_mebibytes()
    held = np.ones(64 * 2**20, dtype=np.uint8)
    assert peak_mebibytes() >= before
    del held


@pytest.mark.slow
def test_each_way_is_timed_in_every_round_and_its_memory_told():
    ways = {"quick": Sleeps(0.01), "slow": Sleeps(0.05), "large": Holds(50)}
    told = in_turns(ways, steps={"quick": 3, "slow": 1, "large": 1}, rounds=3, threads=1, warm_up=1)
    assert list(told) == ["quick", "slow", "large"]
    assert all(len(each.seconds) == 3 for each in told.values())
    assert min(told["quick"].seconds) >= 0.01
    assert min(told["slow"].seconds) >= 0.05
    # Four steps of 50 MiB were held; the others hold what every process does.
    grown = {name: each.peak_mebibytes - each.idle_mebibytes for name, each in told.items()}
    assert 190.0 <= grown["large"] <= 260.0
    assert grown["quick"] < 60.0


@pytest.mark.slow
def test_each_process_has_the_threads_it_is_given():
    assert in_turns({"it": says_its_threads}, steps={"it": 1}, rounds=1, threads=3)["it"].seconds


@pytest.mark.slow
def test_what_a_way_raises_is_raised_here():
    with pytest.raises(ModelError, match="The teacher is not there"):
        in_turns({"it": fails}, steps={"it": 1}, rounds=1, threads=1)


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_in_one_sentence():
    with pytest.raises(TrainingError, match=r"measures 'it' was ended from outside \(exit code -9\)"):
        in_turns({"it": is_killed}, steps={"it": 1}, rounds=1, threads=1)
