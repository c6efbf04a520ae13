"""Loss and centres of real trainings beside the formulas in plain NumPy, killed on the way; and torchrun."""

import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from countenance.errors import TrainingError
from countenance.learning.batches import FaceDataset
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.launching import in_processes
from countenance.learning.loop import TrainingLoop
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingSession, train_all_in_one
from tests.learning.faces import small_world
from tests.learning.test_distillation import ARC, loss_in_numpy, moved_in_numpy
from tests.learning.test_processes import TOLERANCE, distilled, killed_with_all_it_started, step_of
from tests.learning.test_training import PLAN, dataset, fresh_network, plain_header

TWENTY = PLAN.model_copy(update={"steps": 20, "checkpoint_every": 2})
ROOT = Path(__file__).parents[2]


class Noting(AdaDistillHeader):
    """Writes down what it is given at every step."""

    def __init__(self, folder, step=0):
        super().__init__(4, 16, AdaDistillConfiguration(), torch.Generator().manual_seed(1))
        self.folder, self.step = folder, step

    def forward(self, embedding, labels, teacher):
        if self.shard is None or self.shard.rank == 0:
            rows = {"student": embedding, "labels": labels, "teacher": teacher}
            arrays = {name: tensor.detach().numpy() for name, tensor in rows.items()}
            np.savez(self.folder / f"step-{self.step}.npz", **arrays)
        self.step += 1
        return super().forward(embedding, labels, teacher)


class StallsAtTheTwelfth(FaceDataset):
    """The same faces, but the batch of one step keeps everybody waiting."""

    def batch(self, step, *, rank=0, world=1):
        if step == 11:
            time.sleep(3600)
        return super().batch(step, rank=rank, world=world)


def train_noting(folder, kind, step, processes):
    rows, reader = small_world()
    features = np.random.default_rng(0).normal(size=(len(rows), 2, 16)).astype(np.float32)
    data = dataset(teacher=TeacherFeatures(tuple(rows["face_id"]), features), rows_and_reader=(rows, reader))
    data.__class__ = kind
    header = Noting(folder, step)
    plan = TWENTY.model_copy(update={"processes": processes, "shard_classes": processes > 1})
    record = train_all_in_one(fresh_network(), data, plan, header=header, session=TrainingSession(folder / "session"))
    return record.curves["loss/identity"], header.centres.numpy()


def train_until_it_stalls(folder):
    train_noting(Path(folder), StallsAtTheTwelfth, 0, 2)


def python(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_twenty_steps_killed_on_the_way_and_finished_by_another_number_of_processes_equal_the_formulas(
    tmp_path, processes
):
    code = "import sys; from tests.learning.test_parity import *; train_until_it_stalls(sys.argv[1])"
    starter, session = python("-c", code, str(tmp_path)), TrainingSession(tmp_path / "session")
    while not (session.file.is_file() and step_of(session.file) == 10):
        assert starter.poll() is None
        time.sleep(0.1)
    killed_with_all_it_started(starter)
    losses, found = train_noting(tmp_path, FaceDataset, 10, processes)
    centres, expected = Noting(tmp_path).centres.double().numpy(), []
    for step in range(20):
        given = np.load(tmp_path / f"step-{step}.npz")
        assert len(set(given["labels"])) < len(given["labels"])  # -1 and repeated ones among them
        centres = moved_in_numpy(centres, given["student"], given["teacher"], given["labels"], "weighted")
        expected.append(loss_in_numpy(centres, given["student"], given["labels"], ARC))
    assert losses == pytest.approx(expected, rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(found, centres, rtol=0, atol=1e-5)


SCRIPT = """
import os, sys, torch
from tests.learning.test_processes import alone, distilled
alone(1)  # one training after another
record, weights = distilled(1, shard_classes=True)
torch.save({"loss": list(record.curves["loss"]), "weights": weights}, sys.argv[1] + "/" + os.environ["RANK"] + ".pt")
"""


@pytest.mark.slow
def test_two_processes_that_torchrun_started_end_where_one_ends(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    together = python(
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script), str(tmp_path)
    )
    assert together.wait() == 0
    record, weights = distilled(1)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        np.testing.assert_allclose(found["loss"], record.curves["loss"], rtol=TOLERANCE, atol=TOLERANCE)
        for name, value in weights.items():
            assert (value - found["weights"][name]).abs().max() <= TOLERANCE, name


def test_each_machine_of_torchrun_needs_gpus_for_its_own_processes_only(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "16", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(TrainingError, match="is to use 4 GPUs but this machine has 3"):
        in_processes(lambda _: None, PLAN.model_copy(update={"device": "cuda", "processes": 16}))


class EachItsOwnFolder:
    """Three steps by one process, kept in the folder of the first; then two go on, with a folder each."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, processes):
        data = dataset()
        loop = TrainingLoop(fresh_network(), plain_header(data), data, TWENTY, processes)
        session = TrainingSession(self.folder / str(processes.rank))
        if processes.world > 1:
            loop.run(session)
        list(islice(loop.steps(), 3))
        session.save(loop.state(), {})


@pytest.mark.slow
def test_processes_that_dont_see_the_same_session_dont_go_on(tmp_path):
    work = EachItsOwnFolder(tmp_path)
    assert in_processes(work, PLAN)
    with pytest.raises(TrainingError, match="found states after 0 and 3 steps: keep the training session in a folder"):
        in_processes(work, PLAN.model_copy(update={"processes": 2}))
