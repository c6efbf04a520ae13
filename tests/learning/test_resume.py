"""A training that is broken off and goes on is the same training."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from countenance.errors import TrainingError
from countenance.learning.batches import FaceDataset
from countenance.learning.loop import TrainingLoop
from countenance.learning.training import TrainingSession, train_all_in_one
from tests.learning.faces import small_world
from tests.learning.test_training import PLAN, dataset, fresh_network, plain_header

EVERYTHING = PLAN.model_copy(
    update={"balance": "uncertainty", "average_decay": 0.9, "gradient_statistics_every": 2, "checkpoint_every": 2}
)


class BrokenOffError(Exception):
    """Stands for the power cut in tests that don't need a process to be killed."""


class BreaksOff(FaceDataset):
    """The same faces, but the batch of one step never comes."""

    broken_at = 99

    def batch(self, step, **share):
        if step == self.broken_at:
            raise BrokenOffError
        return super().batch(step, **share)

    @classmethod
    def at(cls, step):
        data = dataset()
        data.__class__, data.broken_at = cls, step
        return data


def run(data, session=None, plan=EVERYTHING):
    network, header = fresh_network(), plain_header(data)
    record = train_all_in_one(network, data, plan, header=header, session=session)
    return record, network.state_dict() | header.state_dict()


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("broken_at", [1, 2, 3, 5])
def test_a_broken_training_ends_as_an_unbroken_one_bit_for_bit(tmp_path, broken_at):
    record, weights = run(dataset())
    session = TrainingSession(tmp_path / "session")
    with pytest.raises(BrokenOffError):
        run(BreaksOff.at(broken_at), session)
    resumed, resumed_weights = run(BreaksOff.at(broken_at - 2 if broken_at > 2 else 99), session)
    assert str(resumed.curves) == str(record.curves)  # as text, so that NaN equals NaN
    assert resumed.steps == record.steps
    assert resumed.images_seen == record.images_seen
    assert same(resumed_weights, weights)


def test_every_tensor_of_a_state_is_restored(tmp_path):
    from countenance.learning.launching import in_processes

    states = []

    def work(processes):
        data = dataset()
        first, second = (
            TrainingLoop(fresh_network(), plain_header(data), data, EVERYTHING, processes) for _ in range(2)
        )
        list(islice(first.steps(), 3))
        states.append(first.state())
        second.restore(states[0])
        states.append(second.state())

    assert in_processes(work, EVERYTHING)
    assert states[1].step == 3
    assert any(name.startswith("momentum/balance") for name in states[0].tensors)
    assert same(states[0].tensors, states[1].tensors)


def test_a_finished_session_gives_its_result_at_once(tmp_path):
    session = TrainingSession(tmp_path / "session")
    record, weights = run(dataset(), session)
    again, again_weights = run(BreaksOff.at(0), session)
    assert again == record
    assert same(again_weights, weights)
    session.remove()
    with pytest.raises(BrokenOffError):
        run(BreaksOff.at(0), session)


@pytest.mark.parametrize("change", ["plan", "data", "weights"])
def test_another_run_does_not_go_on_from_a_foreign_state(tmp_path, change):
    session = TrainingSession(tmp_path / "session")
    run(dataset(), session)
    plan = EVERYTHING.model_copy(update={"learning_rate": 0.2}) if change == "plan" else EVERYTHING
    data = dataset(seed=1) if change == "data" else dataset()
    network = fresh_network()
    if change == "weights":
        torch.nn.init.ones_(network.face.weight)
    named = {"plan": "training.learning_rate", "data": "data", "weights": "first weights"}[change]
    with pytest.raises(TrainingError, match=f"belongs to another run \\({named} differ\\)"):
        train_all_in_one(network, data, plan, header=plain_header(data), session=session)


def test_where_it_runs_and_how_often_it_is_saved_may_change(tmp_path):
    session = TrainingSession(tmp_path / "session")
    with pytest.raises(BrokenOffError):
        run(BreaksOff.at(5), session)
    record, _ = run(dataset(), session, EVERYTHING.model_copy(update={"checkpoint_every": 1, "device": "auto"}))
    assert record.steps[-1] == 5


class SpoiltLater(FaceDataset):
    """The same faces, whose ages are infinite from the fifth step on."""

    def batch(self, step, **share):
        batch = super().batch(step, **share)
        if step >= 4:
            batch.targets.age_years.fill_(float("inf"))
        return batch


def test_a_loss_that_is_not_finite_leaves_the_last_good_state_and_says_where_it_is(tmp_path):
    session = TrainingSession(tmp_path / "session")
    data = dataset()
    data.__class__ = SpoiltLater
    with pytest.raises(TrainingError) as raised:
        run(data, session)
    assert str(raised.value) == (
        "The age loss is infinite at step 4 (sources: ages, made, walls): lower the learning rate or check these "
        f"sources' labels. The last good state is kept in {session.file}."
    )
    tensors = load_file(session.file)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


LONG = EVERYTHING.model_copy(update={"steps": 120, "checkpoint_every": 1})


def train_in_this_process(folder: Path) -> None:
    """What the killed process runs: a session, and its result when it gets that far."""
    torch.set_num_threads(1)
    record, weights = run(dataset(rows_and_reader=small_world()), TrainingSession(folder / "session"), LONG)
    torch.save(weights, folder / "weights.pt")
    (folder / "curves.json").write_text(json.dumps({"steps": record.steps, **record.curves}))


def start(folder):
    command = [sys.executable, "-c", "import sys; from tests.learning.test_resume import *; "
               "train_in_this_process(Path(sys.argv[1]))", str(folder)]  # fmt: skip
    return subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)


def kill_when(process, happened, later=0.0):
    while not happened():
        assert process.poll() is None, "it ended before it could be killed"
    time.sleep(later)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_kill_9_at_any_moment_even_while_the_state_is_written_changes_nothing(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    assert start(whole).wait() == 0
    session = broken / "session"
    state_file = session / "state.safetensors"

    def half_written():
        return session.is_dir() and any(file.suffix == ".part" for file in session.iterdir())

    def written_again(before):
        return state_file.stat().st_mtime_ns != before

    kill_when(start(broken), half_written)  # at the very first state
    kill_when(start(broken), state_file.is_file)
    process = start(broken)
    kill_when(process, half_written)
    process, before = start(broken), state_file.stat().st_mtime_ns
    kill_when(process, lambda: written_again(before), later=random.Random(0).random())
    assert not (broken / "curves.json").exists()
    assert start(broken).wait() == 0
    assert (broken / "curves.json").read_text() == (whole / "curves.json").read_text()
    left, right = (torch.load(folder / "weights.pt", weights_only=True) for folder in (whole, broken))
    assert same(left, right)
