import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import connect, moving, reading
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import (
    ANNA,
    NOON,
    bootstrapped,
    led_to,
    policy,
    step,
)


def test_a_store_is_still_there_when_it_is_opened_again(store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    store.close()
    with RolloutStore.open(url, keys=[ANNA]) as again:
        assert again.champion() == "v1"
        assert again.active() == record
        assert again.events() == store.events()


def test_a_database_in_memory_or_elsewhere_is_refused() -> None:
    for address in ("sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense"):
        with pytest.raises(RolloutError, match="sqlite:///PATH"):
            RolloutStore.open(address)


def test_the_database_itself_refuses_a_second_active_rollout_and_a_line_without_one(url: str) -> None:
    row = {"model": "m", "release": "v2", "stage": "SHADOW", "state": "{}", "epoch": 1, "started_at": NOON}
    engine = connect(url)
    with moving(engine) as connection:
        connection.execute(insert(schema.rollout).values(**row, ended_at=NOON))
        connection.execute(insert(schema.rollout).values(**row))
    with pytest.raises(IntegrityError, match="UNIQUE"), moving(engine) as connection:
        connection.execute(insert(schema.rollout).values(**row))
    alias = {"model": "m", "event": 99, "alias": "champion", "created_at": NOON}
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), moving(engine) as connection:
        connection.execute(insert(schema.outbox).values(**alias))
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()


def test_a_moment_without_a_time_zone_is_refused(store: RolloutStore) -> None:
    bootstrapped(store)
    with pytest.raises(RolloutError, match="has no time zone"):
        store.start("v2", policy(), evidence_key="key", now=NOON.replace(tzinfo=None))
    assert store.active() is None


def test_of_two_controllers_at_one_epoch_one_moves(store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)

    def attempt(_: int) -> bool:
        with RolloutStore.open(url, keys=[ANNA]) as mine:
            try:
                step(mine, record)
            except RolloutError as error:
                assert "moved on since epoch" in str(error)
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]
    assert store.verify_chain() == len(store.events())


KILLED_BEFORE = """
import os, signal, sys
from sqlalchemy import Engine, event
from tests.rollout.scenes import ANNA, NOON, policy, step
from countenance.rollout.store import RolloutStore

url, statement = sys.argv[1:]
store = RolloutStore.open(url, keys=[ANNA])
record = store.active()

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def before(connection, cursor, text, *_):
    if text.startswith(statement):
        die()

event.listen(Engine, "before_cursor_execute", before)
if statement == "COMMIT":
    event.listen(Engine, "commit", die)
step(store, record)
"""


@pytest.mark.parametrize("statement", ["UPDATE champion", "INSERT INTO event", "INSERT INTO outbox", "COMMIT"])
def test_a_promotion_killed_in_the_middle_has_not_happened_at_all(
    store: RolloutStore, url: str, statement: str
) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.BAKING, promotion_needs_approval=False)
    before = (store.active(), store.champion(), store.previous(), store.events(), store.pending_outbox())
    done = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE, url, statement],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert (store.active(), store.champion(), store.previous(), store.events(), store.pending_outbox()) == before
    assert store.verify_chain() == len(before[3])
    assert step(store, record).state.stage is Stage.PROMOTED
    assert store.champion() == "v2"
