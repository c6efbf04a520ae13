"""An erasure is killed (SIGKILL) before every single change that it makes on the disk; the next run ends it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from countenance.erasure.erasing import erase_subject
from tests.erasure.killing import killed_before
from tests.erasure.looking import places_with, traces_of
from tests.erasure.world import PERSON, World

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def prepared(world: World) -> World:
    """With a cache of old versions, so that there is something to purge."""
    for number, source in enumerate(sorted((world.data / "03_primary").rglob("*.parquet"))):
        shutil.copy(source, world.folder / "cache" / f"{number:032x}")
    return world


def relevant(world: World) -> dict[str, bytes]:
    """Every file but the receipts, whose times and process numbers differ."""
    records = world.project().records
    return {
        path.relative_to(world.folder).as_posix(): path.read_bytes()
        for path in sorted(world.folder.rglob("*"))
        if path.is_file() and not (path.is_relative_to(records) and path.parent == records)
    }


@pytest.mark.slow
def test_killed_at_any_change_it_finishes_on_the_next_run(world: World, tmp_path: Path):
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    prepared(world)
    traces = traces_of(world)

    def copied(name: str) -> World:
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        shutil.copytree(world.folder, tmp_path / name)
        return World(tmp_path / name)

    whole = copied("whole")
    receipt, _ = erase_subject(whole.project(), PERSON, now=NOW)
    assert places_with(whole.folder, traces) == []
    expected, removed = relevant(whole), [(each["what"], each["rows"]) for each in receipt["removed"]]
    change, was_killed = 0, True
    while was_killed:
        change += 1
        begun = copied("begun")
        was_killed = killed_before(change, lambda world=begun: erase_subject(world.project(), PERSON, now=NOW))
        if not was_killed:
            break
        was_told = any(begun.project().records.glob("2026-*.json"))
        finished, _ = erase_subject(begun.project(), PERSON, now=NOW)
        assert finished["complete"], change
        assert relevant(begun) == expected, change
        assert was_told or [(each["what"], each["rows"]) for each in finished["removed"]] == removed, change
    assert change > 60
