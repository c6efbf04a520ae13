"""kill -9 at every write of a whole rollout: the next process goes on, nothing happens twice, nothing is lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from countenance.rollout import schema
from countenance.rollout.connection import connect
from countenance.rollout.store import RolloutStore
from countenance.rollout.verification import verify_store

from .scenes import ANNA, LATER, hours
from .whole_rollout import FILE, Countdown, killed_at, play


@pytest.fixture
def emptied(any_url: str, tmp_path: Path) -> Callable[[], str]:
    """Gives a store with tables and without rows, again and again; quicker than a new one each time."""
    connect(any_url).dispose()
    if any_url.startswith("sqlite"):
        made = Path(any_url.removeprefix("sqlite:///"))
        shutil.copy(made, tmp_path / "empty.db")

        def copied() -> str:
            for suffix in ("-wal", "-shm"):
                made.with_name(made.name + suffix).unlink(missing_ok=True)
            shutil.copy(tmp_path / "empty.db", made)
            return any_url

        return copied
    engine = create_engine(any_url, poolclass=NullPool)
    tables = ", ".join(schema.metadata.tables)

    def truncated() -> str:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY")
        return any_url

    return truncated


Told = tuple[list[tuple[str, str | None, str | None]], list[str], dict[str, int]]


def told_of(url: str) -> Told:
    """What happened, without moments: events, jobs of the outbox, rows of each table."""
    with RolloutStore.open(url, keys=[ANNA]) as store:
        verify_store(store)
        assert (store.champion(), store.previous(), store.active()) == ("v2", "v1", None)
        assert store.pending_outbox(None) == () and store.queued() == ()
        events = [(each.kind, each.payload.get("stage"), each.payload.get("release")) for each in store.events()]
        with store._engine.connect() as connection:
            rows = {
                name: int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())
                for name in schema.metadata.tables
            }
            query = "SELECT kind, alias, release FROM outbox ORDER BY id"
            jobs = [" ".join(map(str, row)) for row in connection.exec_driver_sql(query)]
    return events, jobs, rows


def resumes(url: str, world: Path, number: int, uncut: Told) -> None:
    """A second process takes up what the killed one left; in the end all is as if nobody had been killed."""
    play(url, world, LATER + hours(1))
    assert told_of(url) == uncut, f"killed at write {number}"
    # A job may be carried out twice when its process dies before noting it, and never not at all.
    done = world.read_text().split("\n")[:-1]
    with RolloutStore.open(url) as store, store._engine.connect() as connection:
        query = "SELECT id, kind FROM outbox ORDER BY id"
        jobs = [f"{number} {kind}" for number, kind in connection.exec_driver_sql(query)]
    assert list(dict.fromkeys(done)) == jobs and len(done) <= len(jobs) + 1


@pytest.fixture
def uncut(emptied: Callable[[], str], tmp_path: Path) -> Iterator[tuple[Told, int]]:
    """A rollout that nobody kills, and how many writes it takes."""
    writes, url = Countdown(), emptied()
    play(url, tmp_path / "uncut.txt", LATER, writes)
    yield told_of(url), writes.count


def kill_at(numbers: range, emptied: Callable[[], str], tmp_path: Path, uncut: Told) -> None:
    for number in numbers:
        url, world = emptied(), tmp_path / f"world-{number}.txt"
        assert killed_at(number, url, world)
        resumes(url, world, number, uncut)


def test_a_whole_rollout_leaves_what_is_expected(uncut: tuple[Told, int]) -> None:
    (events, jobs, rows), writes = uncut
    assert [kind for kind, *_ in events] == [
        "approved", "bootstrapped", "started", *["moved"] * 6, "approved", "moved", "attached", "started", "approved",
        "moved",
    ]  # fmt: skip
    assert jobs[0] == "notify None None" and "alias champion v2" in jobs
    assert (rows["champion"], rows["rollout"], rows["evidence"], rows["attachment"]) == (1, 3, 4, 1)
    assert writes > 100 and FILE


def test_a_rollout_killed_at_some_of_its_writes_ends_as_if_nobody_had_been_killed(
    emptied: Callable[[], str], uncut: tuple[Told, int], tmp_path: Path
) -> None:
    told, writes = uncut
    kill_at(range(5, writes + 1, writes // 7), emptied, tmp_path, told)


@pytest.mark.slow
def test_a_rollout_killed_at_any_write_ends_as_if_nobody_had_been_killed(
    emptied: Callable[[], str], uncut: tuple[Told, int], tmp_path: Path
) -> None:
    told, writes = uncut
    kill_at(range(1, writes + 1), emptied, tmp_path, told)
    url, world = emptied(), tmp_path / "world-beyond.txt"
    assert not killed_at(writes + 1, url, world)
