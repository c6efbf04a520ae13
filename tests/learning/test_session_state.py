import json
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from countenance.errors import TrainingError
from countenance.learning.record import RunningRecord
from countenance.learning.session_state import TrainingSession, TrainingState

RUN = {"training": {"learning_rate": 0.1, "weights": {"face": 1.0}}, "data": "abc"}


def state(step=3):
    record = RunningRecord(points=[(0, {"loss": 0.1 + 0.2, "loss/age": math.nan})], images_seen=9, seconds=1.5)
    tensors = {
        "network/weight": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "count": torch.tensor(7),
    }
    return TrainingState(step=step, record=record, tensors=tensors)


@pytest.fixture
def session(tmp_path):
    return TrainingSession(tmp_path / "run.session")


def test_a_state_comes_back_bit_for_bit(session):
    saved = state()
    session.save(saved, RUN)
    loaded = session.load(RUN)
    assert loaded.step == 3
    assert loaded.record.points[0][1]["loss"] == 0.1 + 0.2
    assert math.isnan(loaded.record.points[0][1]["loss/age"])
    assert (loaded.record.images_seen, loaded.record.seconds) == (9, 1.5)
    assert set(loaded.tensors) == set(saved.tensors)
    assert all(torch.equal(loaded.tensors[name], saved.tensors[name]) for name in saved.tensors)


def test_a_new_session_has_no_state_and_a_removed_one_neither(session):
    assert session.load(RUN) is None
    session.save(state(), RUN)
    session.remove()
    assert session.load(RUN) is None
    assert not session.folder.exists()


def test_the_last_state_wins_and_nothing_lies_beside_it(session):
    session.save(state(step=1), RUN)
    session.save(state(step=2), RUN)
    assert session.load(RUN).step == 2
    assert list(session.folder.iterdir()) == [session.file]


def test_a_failed_write_leaves_the_last_state(session):
    session.save(state(step=1), RUN)
    with pytest.raises(TypeError):
        session.save(state(step=2), {"not": object()})
    assert session.load(RUN).step == 1


def test_what_a_killed_writer_left_is_swept_up(session):
    session.save(state(step=1), RUN)
    half = session.folder / f".{session.file.name}.12345.part"
    half.write_bytes(session.file.read_bytes()[:100])
    assert session.load(RUN).step == 1
    assert not half.exists()


def test_another_run_is_refused_and_what_differs_is_named(session):
    session.save(state(), RUN)
    other = {"training": {"learning_rate": 0.2, "weights": {"face": 1.0}}, "data": "xyz", "network": 1}
    with pytest.raises(TrainingError, match=r"another run \(data, network, training.learning_rate differ\)"):
        session.load(other)
    assert session.load(RUN) is not None


def test_another_run_is_discarded_where_the_caller_says_so(session):
    session.save(state(), RUN)
    willing = TrainingSession(session.folder, of_another_run="discard")
    assert willing.load({**RUN, "data": "xyz"}) is None
    assert not session.file.exists()


@pytest.mark.parametrize("damage", ["short", "foreign", "version"])
def test_a_damaged_or_foreign_file_is_refused_in_one_sentence(session, damage):
    session.save(state(), RUN)
    if damage == "short":
        session.file.write_bytes(session.file.read_bytes()[:-10])
    elif damage == "foreign":
        save_file({"x": torch.zeros(1)}, session.file)
    else:
        notes = {"countenance_training_session": json.dumps({"format": 99})}
        save_file(load_file(session.file), session.file, metadata=notes)
    with pytest.raises(TrainingError, match=r"is damaged or of another version: remove that folder to start anew\.$"):
        session.load(RUN)
    assert TrainingSession(session.folder, of_another_run="discard").load(RUN) is None
