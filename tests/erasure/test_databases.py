import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from countenance.erasure.byte_search import ByteSearch
from countenance.erasure.databases import Database
from countenance.erasure.reading import Wanted, holds
from countenance.erasure.registry import STORES
from countenance.erasure.trace import Trace
from countenance.errors import DataError
from countenance.rollout import schema
from countenance.rollout.connection import moving
from countenance.rollout.store import RolloutStore

KEY = "0badcafe" * 8
ADA = Trace(subject_id="album:Ada_Lovelace", faces=frozenset({"face-0001"}), keys=frozenset({KEY}))
GALLERY = Database(
    name="gallery", patterns=(), people={"template": ("subject",), "decision": ("probe", "reference"), "absent": ("x",)}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A gallery and a log of single decisions, as a gateway may keep them, in a write-ahead log."""
    generator = np.random.default_rng(0)
    with closing(sqlite3.connect(tmp_path / "gallery.db")) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE template (subject TEXT, features BLOB)")
        connection.execute("CREATE TABLE decision (at TEXT, probe TEXT, reference TEXT, score REAL)")
        people = ["album:Ada_Lovelace", "album:Ada_Lovelace_2", "album:Bob_Smith"]
        connection.executemany("INSERT INTO template VALUES (?, ?)", [(who, generator.bytes(512)) for who in people])
        keys = ["0badcafe" * 8, "00c0ffee" * 8]
        decisions = [("t", keys[at % 2], keys[at % 3 % 2], at / 8) for at in range(8)]
        connection.executemany("INSERT INTO decision VALUES (?, ?, ?, ?)", decisions)
    return tmp_path / "gallery.db"


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def test_gallery_entries_and_single_decisions_go_and_others_stay(path: Path):
    others = [row for row in rows(path, "template") if row[0] != "album:Ada_Lovelace"]
    decisions = [row for row in rows(path, "decision") if "0badcafe" * 8 not in row]
    found = GALLERY.find(path, ADA)
    assert found is not None
    assert found.rows == 1 + 8 - len(decisions)
    assert len(found.contents) == 1
    GALLERY.erase(path, ADA, {})
    assert rows(path, "template") == others
    assert rows(path, "decision") == decisions
    assert decisions
    assert GALLERY.find(path, ADA) is None


def test_no_byte_is_left_in_the_database_nor_in_its_log(path: Path):
    found = GALLERY.find(path, ADA)
    assert found is not None
    GALLERY.erase(path, ADA, {})
    needles = [*(content for content in found.contents), b"0badcafe" * 8]
    search = Wanted(ByteSearch(needles, bounded=[b"album:Ada_Lovelace"]))
    assert not [file for file in path.parent.iterdir() if holds(file, search)]


def test_many_identifiers_are_looked_for_in_parts(path: Path):
    many = Trace(subject_id="album:Nobody", faces=frozenset(f"face {at}" for at in range(3000)), keys=ADA.keys)
    found = GALLERY.find(path, many)
    assert found is not None
    assert found.rows == 6


def test_a_database_that_is_in_use_or_damaged_is_said_so(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("countenance.erasure.databases._WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match=r"gallery.db can't be rewritten \(database is locked\): stop what uses it"):
            GALLERY.erase(path, ADA, {})
    (tmp_path / "no.db").write_bytes(b"SQLite format 3\0 and nothing that it should be" * 40)
    with pytest.raises(DataError, match=r"no.db can't be rewritten"):
        GALLERY.find(tmp_path / "no.db", ADA)


def test_requests_in_the_rollout_store_stay_counted_and_stand_for_nobody(tmp_path: Path):
    path = tmp_path / "rollout.db"
    (rollouts,) = [store for store in STORES if isinstance(store, Database)]
    others = "00c0ffee" * 8
    with RolloutStore.open(f"sqlite:///{path}") as store, moving(store._engine) as connection:
        fixed = {
            "model": "countenance", "at": datetime(2025, 3, 1, tzinfo=UTC), "stage_key": "shadow", "failed": False,
            "by_candidate": False, "shadow_dropped": False, "audit_probability": 1.0, "audited": True,
        }  # fmt: skip
        made = [fixed | {"decision_id": f"d{at}", "routing_key": (KEY, others)[at % 2]} for at in range(6)]
        connection.execute(insert(schema.decision), made)
    found = rollouts.find(path, ADA)
    assert found is not None
    assert found.rows == 3
    rollouts.erase(path, ADA, {})
    assert rollouts.find(path, ADA) is None
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT routing_key FROM decision ORDER BY id").fetchall()
    assert [key for (key,) in kept] == ["", others] * 3
    search = Wanted(ByteSearch([KEY.encode()]))
    assert not [file for file in tmp_path.iterdir() if holds(file, search)]
