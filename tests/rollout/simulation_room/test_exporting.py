"""A rollout's decisions come out of the store as they went in, a page at a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.decisions import intake
from countenance.rollout.decisions.decision import Decision
from countenance.rollout.decisions.labels import sign_label
from countenance.rollout.simulation.exporting import PAGE, Exported, export_log
from countenance.rollout.simulation.log import DecisionLog, read_log
from countenance.rollout.store import RolloutStore
from countenance.rollout.tape import as_datetime

from ..scenes import ANNA, LATER, NOON, bootstrapped, policy
from .logs import known_log

SECRET = b"the secret of those who label"
COUNT = 90


def filled(url: str) -> DecisionLog:
    """A store with the first decisions of a log, three at a time in one moment, and the log itself."""
    log = known_log()
    log = log.rows(np.arange(COUNT))
    log = log.rows(np.arange(COUNT), at=np.repeat(log.at[::3], 3)[:COUNT])
    with RolloutStore.open(url, keys=[ANNA]) as store:
        bootstrapped(store, "old", at=as_datetime(log.at[0]) - timedelta(hours=1))
        store.start("new", policy(), evidence_key="key", now=as_datetime(log.at[0]))
        intake.record(store, (decision(log, row) for row in range(COUNT)), now=as_datetime(log.at[-1]))
        for row in range(COUNT):
            if log.mated[row] >= 0:
                truth = bool(log.mated[row])
                message = sign_label(f"d{row}", mated=truth, source="desk", secret=SECRET, model="countenance")
                intake.label(store, message, SECRET, now=as_datetime(log.label_at[row]))
    return log


def exported(url: str, out: Path, *, rollout: int | None = None, page: int = PAGE) -> Exported:
    with RolloutStore.open(url, keys=[ANNA]) as store:
        return export_log(store, out, rollout=rollout, page=page)


def decision(log: DecisionLog, row: int) -> Decision:
    return Decision(
        decision_id=f"d{row}",
        champion="old",
        candidate="new",
        candidate_match=bool(log.candidate_match[row]),
        champion_match=bool(log.champion_match[row]),
        candidate_score=0.5,
        group=log.groups[log.group[row]],
        routing_key=str(log.keys[log.person[row]]),
        site=log.sites[log.site[row]],
        candidate_ms=float(log.candidate_ms[row]),
        champion_ms=float(log.champion_ms[row]),
        stage_key="shadow",
        at=as_datetime(log.at[row]),
    )


def test_what_was_recorded_is_what_is_exported(any_url: str, tmp_path: Path) -> None:
    log = filled(any_url)
    out = tmp_path / "decisions.parquet"
    done = exported(any_url, out, page=40)
    assert (done.rollout, done.candidate, done.champion, done.decisions) == (2, "new", "old", COUNT)
    read = read_log(out)
    assert (read.candidate, read.champion, len(read)) == ("new", "old", COUNT)
    assert done.labelled == int((~np.isnat(read.label_at)).sum()) == int((log.mated >= 0).sum())
    for name in ("at", "label_at", "mated", "candidate_match", "champion_match", "candidate_ms", "champion_ms"):
        np.testing.assert_array_equal(getattr(read, name), getattr(log, name))
    assert [read.keys[person] for person in read.person] == [log.keys[person] for person in log.person]
    assert [read.groups[group] for group in read.group] == [log.groups[group] for group in log.group]
    assert set(tmp_path.glob("*.parquet")) == {out} and (read.candidate_score == 0.5).all()


def test_the_size_of_a_page_changes_nothing(url: str, tmp_path: Path) -> None:
    filled(url)
    logs = []
    for page in (1, 7, COUNT, 10_000):
        exported(url, tmp_path / f"{page}.parquet", page=page)
        logs.append(read_log(tmp_path / f"{page}.parquet"))
    for other in logs[1:]:
        assert (other.at == logs[0].at).all() and (other.candidate_match == logs[0].candidate_match).all()


def test_each_request_of_an_erased_person_is_a_persons_own(url: str, tmp_path: Path) -> None:
    log = filled(url)
    visits = np.bincount(log.person)
    often = int(visits.argmax())
    with RolloutStore.open(url, keys=[ANNA]) as store:
        assert store.forget(str(log.keys[often])) == visits[often] > 1
    exported(url, tmp_path / "decisions.parquet")
    read = read_log(tmp_path / "decisions.parquet")
    assert str(log.keys[often]) not in set(read.keys)
    assert len(read.keys) == len(set(log.person.tolist())) - 1 + visits[often]


def test_a_rollout_without_decisions_is_told(url: str, tmp_path: Path) -> None:
    with RolloutStore.open(url, keys=[ANNA]) as store:
        bootstrapped(store, "old", at=NOON)
        store.start("new", policy(), evidence_key="key", now=LATER)
    out = tmp_path / "decisions.parquet"
    for number, sentence in (
        (None, "No rollout with decisions of model 'countenance'"),
        (1, "Rollout 1 began without a champion"),
        (2, "No decision of rollout 2 is recorded"),
        (9, "No rollout 9 of model 'countenance'"),
    ):
        with pytest.raises(RolloutError, match=sentence):
            exported(url, out, rollout=number)
    assert list(tmp_path.glob("*.parquet*")) == []
