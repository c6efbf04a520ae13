import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from countenance.errors import RolloutError
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import (
    ANNA,
    bootstrapped,
    led_to,
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
    for address in ("sqlite://", "sqlite:///:memory:", "postgresql://host/db", "nonsense"):
        with pytest.raises(RolloutError, match="sqlite:///PATH"):
            RolloutStore.open(address)


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
from tests.rollout.scenes import ANNA, step
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
