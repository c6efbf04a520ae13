"""However many processes share the batches, one training comes out."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from countenance.errors import DataError, TrainingError
from countenance.learning.batches import FaceDataset
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.launching import in_processes
from countenance.learning.processes import Processes
from countenance.learning.session_state import METADATA_KEY
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingSession, train_all_in_one
from countenance.network.losses import FaceTargets
from tests.learning.faces import small_world
from tests.learning.test_resume import BreaksOff, BrokenOffError
from tests.learning.test_training import PLAN, dataset, fresh_network, plain_header

SHARED = PLAN.model_copy(
    update={
        "steps": 12,
        "balance": "uncertainty",
        "average_decay": 0.9,
        "gradient_statistics_every": 2,
        "checkpoint_every": 2,
    }
)
# In float64: a rounding error of float32 carries a unit across the kink of its PReLU, on some kinds of CPU, and then
# grows tenfold every few steps, with one process as well.
TOLERANCE = 1e-8


def test_one_process_keeps_its_rows_and_sums_and_names():
    seen = []

    def look(processes: Processes):
        rows, sums = torch.arange(3.0, requires_grad=True), torch.ones(2)
        processes.add_up([sums])
        processes.take_from_first([sums])
        seen.append((processes.rank, processes.world, processes.gather([rows])[0] is rows, sums.tolist()))
        seen.append(processes.union(["b", "a", "b"]))

    assert in_processes(look, PLAN)
    assert seen == [(0, 1, True, [1.0, 1.0]), ("a", "b")]


class InFloat64(FaceDataset):
    """Batches with so many digits that rounding hides nothing."""

    def batch(self, step, *, rank=0, world=1):
        batch = super().batch(step, rank=rank, world=world)
        targets = (target.double() if target.is_floating_point() else target for target in batch.targets)
        return replace(
            batch,
            images=batch.images.double(),
            targets=FaceTargets(*targets),
            teacher=None if batch.teacher is None else batch.teacher.double(),
        )


def in_float64(data, kind=InFloat64):
    data.__class__ = kind
    return data


class BreaksOffInFloat64(InFloat64, BreaksOff):
    """The batch of one step never comes."""


def plan(processes, shard_classes=False):
    return SHARED.model_copy(update={"processes": processes, "shard_classes": shard_classes})


def taught():
    rows, reader = small_world()
    features = np.random.default_rng(0).normal(size=(len(rows), 2, 16)).astype(np.float32)
    teacher = TeacherFeatures(tuple(rows["face_id"]), features)
    return in_float64(dataset(teacher=teacher, rows_and_reader=(rows, reader)))


def distilled(processes, session=None, data=None, shard_classes=False):
    header = AdaDistillHeader(4, 16, AdaDistillConfiguration(), torch.Generator().manual_seed(1))
    return finished(fresh_network(), data or taught(), header, plan(processes, shard_classes), session)


def alone(processes, session=None, data=None, shard_classes=False):
    data = data or in_float64(dataset())
    return finished(fresh_network(), data, plain_header(data), plan(processes, shard_classes), session)


def finished(network, data, header, configuration, session):
    network, header = network.double(), header.double()
    record = train_all_in_one(network, data, configuration, header=header, session=session)
    weights = {f"network/{name}": value for name, value in network.state_dict().items()}
    return record, weights | {f"header/{name}": value for name, value in header.state_dict().items()}


def assert_one_training(left, right):
    (record, weights), (other, others) = left, right
    assert record.steps == other.steps
    assert record.images_seen == other.images_seen
    assert record.curves.keys() == other.curves.keys()
    for name, curve in record.curves.items():
        np.testing.assert_allclose(curve, other.curves[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
    for name, value in weights.items():
        assert (value - others[name]).abs().max() <= TOLERANCE, name


@pytest.mark.slow
@pytest.mark.parametrize("shard_classes", [False, True])
@pytest.mark.parametrize("train", [alone, distilled])
def test_two_and_four_processes_end_where_one_ends(train, shard_classes):
    by_one = train(1)
    assert_one_training(by_one, train(2, shard_classes=shard_classes))
    assert_one_training(by_one, train(4, shard_classes=shard_classes))


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(tmp_path):
    session = TrainingSession(tmp_path / "session")
    with pytest.raises(BrokenOffError):
        alone(1, session, BreaksOffInFloat64.at(3))
    resumed = alone(3, session)  # 16 rows, unequal shares
    assert_one_training(alone(1), resumed)


class Stalls(InFloat64):
    """The same faces, but the batch of one step keeps everybody waiting."""

    def batch(self, step, *, rank=0, world=1):
        if step == 7:
            time.sleep(3600)
        return super().batch(step, rank=rank, world=world)


def train_until_it_stalls(folder: str, kind: str) -> None:
    train, data = {"alone": (alone, dataset()), "distilled": (distilled, taught())}[kind]
    session = TrainingSession(Path(folder) / "session")
    train(4, session, in_float64(data, Stalls), shard_classes=True)


@pytest.mark.slow
@pytest.mark.parametrize("train", [alone, distilled])
@pytest.mark.parametrize(("processes", "shard_classes"), [(1, False), (2, True)])
def test_four_processes_are_killed_and_others_finish_their_training(tmp_path, train, processes, shard_classes):
    starter = started(f"train_until_it_stalls(sys.argv[1], {train.__name__!r})", tmp_path)
    session = TrainingSession(tmp_path / "session")
    while not (session.file.is_file() and step_of(session.file) == 6):
        assert starter.poll() is None
        time.sleep(0.1)
    assert len(killed_with_all_it_started(starter)) >= 4
    assert_one_training(train(1), train(processes, session, shard_classes=shard_classes))


def step_of(file: Path) -> int:
    with safe_open(file, framework="pt") as state:
        return json.loads(state.metadata()[METADATA_KEY])["step"]


def started(code: str, folder: Path):
    command = f"import sys; from tests.learning.test_processes import *; {code}"
    return subprocess.Popen([sys.executable, "-c", command, str(folder)], stderr=subprocess.DEVNULL)


def killed_with_all_it_started(starter) -> list[str]:
    """Kill a process, and wait until those that it started have ended, too."""
    children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split()
    starter.kill()
    starter.wait()
    late = time.monotonic() + 20.0
    while any(running(process) for process in children):
        assert time.monotonic() < late
        time.sleep(0.1)
    return children


class CorruptCrop(InFloat64):
    """A crop of the second process's share can't be read."""

    def batch(self, step, *, rank=0, world=1):
        if step == 2 and rank == 1:
            raise DataError("Crop 'x' does not decode: run the ingestion pipeline again.")
        return super().batch(step, rank=rank, world=world)


class Killed(InFloat64):
    """The second process is killed from outside."""

    def batch(self, step, *, rank=0, world=1):
        if step == 2 and rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(step, rank=rank, world=world)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "error", "sentence"),
    [
        (CorruptCrop, DataError, "^Crop 'x' does not decode: run the ingestion pipeline again.$"),
        (Killed, TrainingError, r"^Process 1 of the training was ended from outside \(exit code -9\): run it again"),
    ],
)
def test_what_befalls_one_process_ends_all_and_is_told_in_one_sentence(fault, error, sentence):
    data = in_float64(dataset(), fault)
    with pytest.raises(error, match=sentence):
        alone(2, data=data)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_the_sources_of_all_shares():
    rows, reader = small_world()
    rows.loc[rows["source"] == "ages", "age_years"] = math.inf
    with pytest.raises(TrainingError, match=r"The age loss is \w[\w ]+ at step 0 \(sources: ages, made, walls\)"):
        alone(2, data=in_float64(dataset(rows_and_reader=(rows, reader))))


def train_long(folder: str) -> None:
    session = TrainingSession(Path(folder) / "session")
    endless = plan(2).model_copy(update={"steps": 10**6, "checkpoint_every": 1})
    train_all_in_one(fresh_network(), dataset(), endless, header=plain_header(dataset()), session=session)


@pytest.mark.slow
def test_no_process_is_left_at_work_when_the_one_that_started_it_is_killed(tmp_path):
    starter = started("train_long(sys.argv[1])", tmp_path)
    state = tmp_path / "session" / "state.safetensors"
    while not state.is_file():
        assert starter.poll() is None
        time.sleep(0.1)
    assert len(killed_with_all_it_started(starter)) >= 2


def running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
