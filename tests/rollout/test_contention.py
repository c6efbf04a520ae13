"""Six controllers that want to move one rollout a hundred times: each epoch is won by exactly one of them."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.lease import LeaseTaken
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verification import verify_store

from .scenes import ANNA, LATER, bootstrapped, led_to, signed

CONTROLLERS = 6


def in_processes(work: Callable[[str, int], list[str]], url: str, folder: Path) -> list[str]:
    """Run ``work(url, number)`` in six processes at once; the lines that each of them returned."""
    children = []
    for number in range(CONTROLLERS):
        child = os.fork()
        if child == 0:
            try:
                (folder / f"{number}.txt").write_text("\n".join(work(url, number)))
                os._exit(0)
            finally:
                os._exit(70)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * CONTROLLERS
    return [line for number in range(CONTROLLERS) for line in (folder / f"{number}.txt").read_text().split()]


def move_on(url: str, number: int, until: int) -> list[str]:
    """Move on whatever epoch is read, until all together have come to epoch ``until``; the epochs won."""
    won: list[str] = []
    with RolloutStore.open(url, keys=[ANNA]) as store:
        while True:
            record = store.active()
            assert record is not None and record.policy is not None
            state, epoch = record.state, record.epoch
            if epoch >= until:
                return won
            after = replace(state, reason=f"controller {number} at epoch {epoch}")
            try:
                store.move(record, after, (), now=LATER)
            except RolloutError as error:
                assert "moved on since epoch" in str(error)
            else:
                won.append(str(epoch))


@pytest.mark.parametrize("moves", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_of_six_controllers_each_epoch_is_won_by_exactly_one(any_url: str, tmp_path: Path, moves: int) -> None:
    with RolloutStore.open(any_url, keys=[ANNA]) as store:
        bootstrapped(store)
        first = led_to(store, Stage.CANARY).epoch
    won = in_processes(partial(move_on, until=first + moves), any_url, tmp_path)
    with RolloutStore.open(any_url, keys=[ANNA]) as store:
        record = store.active()
        assert record is not None
        assert sorted(map(int, won)) == list(range(first, record.epoch)) and len(won) >= moves
        assert verify_store(store).events == len(won) + first + 2
        told = Counter(event.payload["epoch"] for event in store.events(record.id))
        assert set(told.values()) == {1}


def take_the_lease(url: str, number: int) -> list[str]:
    """Take the lease whenever it is free, let it go at once; the tokens got."""
    tokens: list[str] = []
    with RolloutStore.open(url, keys=[ANNA]) as store:
        while len(tokens) < 5:
            try:
                lease = store.lease(f"process {number}", timedelta(minutes=1))
            except LeaseTaken:
                continue
            tokens.append(str(lease.token))
            store.release_lease(lease)
    return tokens


def test_of_six_controllers_one_holds_the_lease(any_url: str, tmp_path: Path) -> None:
    with RolloutStore.open(any_url, keys=[ANNA]) as store:
        bootstrapped(store)
    tokens = in_processes(take_the_lease, any_url, tmp_path)
    assert sorted(map(int, tokens)) == list(range(1, 5 * CONTROLLERS + 1))


def test_one_signature_is_used_once_whoever_brings_it(any_url: str, tmp_path: Path) -> None:
    with RolloutStore.open(any_url, keys=[ANNA]) as store:
        bootstrapped(store)
        led_to(store, Stage.AWAITING_APPROVAL)
    approval = signed(Act.PROMOTE, "v2", LATER)

    def bring(url: str, _: int) -> list[str]:
        with RolloutStore.open(url, keys=[ANNA]) as store:
            try:
                store.approve(approval, now=LATER)
            except RolloutError as error:
                assert "used already" in str(error)
                return []
            return ["kept"]

    assert in_processes(bring, any_url, tmp_path) == ["kept"]
