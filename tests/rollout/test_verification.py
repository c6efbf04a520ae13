"""Forgeries: whoever can write to the database drops the triggers first, and is found all the same."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.connection import reading
from countenance.rollout.ledger import GENESIS, canonical_json, link_hash
from countenance.rollout.looks import look_hash, rows_of
from countenance.rollout.records import DecisionBatch, Look
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verdict import judge
from countenance.rollout.verification import verify_store

from . import postgresql
from .scenes import ANNA, LATER, NOON, bootstrapped, good_evidence, hours, policy, signed, started, step

_COPIES = count(1)
REPORT = b"what the offline gates measured"
TABLES = ("event", "approval", "evidence", "answered", "decision", "label", "attachment", "notification")


def force(url: str, *statements: str) -> None:
    """Write past the store: triggers and foreign keys are out of the way."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            # Past SQLAlchemy, which would hand on parameters, so that a % would be one.
            connection.connection.cursor().execute(statement)


def looked(store: RolloutStore, number: int) -> str:
    record = store.active()
    assert record is not None and record.policy is not None
    found, state = good_evidence(), record.state
    batch = DecisionBatch(
        release="v1", first_at=NOON, last_at=LATER, requests=100, new_people=0, false_matches=1, false_non_matches=2,
        champion_false_matches=1, champion_false_non_matches=2,
    )  # fmt: skip
    verdict = judge(found, record.policy).summary()
    look = Look(
        number=number, at=LATER, stage=state.stage, stage_key=state.stage_key, share=state.share, measured=found,
        verdict=verdict, batches=(batch,),
    )  # fmt: skip
    return store.observe(record, look, cursor=f'{{"decisions":{number * 100}}}')


def tell(url: str) -> None:
    """A whole story: v1, then v2 promoted on three looks and taken back, and v3 in shadow."""
    with RolloutStore.open(url, keys=[ANNA]) as store:
        bootstrapped(store)
        record = started(store)
        store.attach(record, "v2/report.json", hashlib.sha256(REPORT).hexdigest(), len(REPORT), now=NOON)
        looks = 0
        while record.state.stage is not Stage.PROMOTED:
            if record.state.stage in (Stage.SHADOW, Stage.CANARY):
                looks += 1
                looked(store, looks)
            if record.state.awaited is not None:
                store.approve(signed(Act.PROMOTE, "v2", LATER), now=LATER)
            record = step(store, record)
        store.roll_back(LATER + hours(1), signed(Act.ROLL_BACK, "v2", LATER))
        step(store, step(store, store.start("v3", policy(), evidence_key="key", now=LATER)))
        looked(store, 1)
        looked(store, 2)


@pytest.fixture(scope="module")
def told_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("told") / "rollouts.db"
    tell(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def told_database(postgresql_server: str) -> Iterator[str]:
    with postgresql.database(postgresql_server, "told") as address:
        tell(address)
        yield "told"


@pytest.fixture(params=["sqlite", "postgresql"])
def told_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A copy of the story, on either database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("told_file"), tmp_path / "rollouts.db")
        yield f"sqlite:///{tmp_path / 'rollouts.db'}"
        return
    server, template = (request.getfixturevalue(name) for name in ("postgresql_server", "told_database"))
    with postgresql.database(server, f"told{next(_COPIES)}", template=template) as address:
        yield address


@pytest.fixture
def told(told_url: str, tmp_path: Path) -> Iterator[RolloutStore]:
    (tmp_path / "report.json").write_bytes(REPORT)
    with RolloutStore.open(told_url, keys=[ANNA]) as store:
        yield store


def test_a_store_that_nobody_touched_verifies_and_says_how_much_was_checked(told: RolloutStore, tmp_path: Path) -> None:
    files = {"v2/report.json": tmp_path / "report.json"}
    found = verify_store(told, expected_head=told.head(), files=files)
    assert (found.events, found.rollouts, found.looks) == (len(told.events()), 3, 5)
    assert (found.approvals, found.attachments, found.files, found.unchecked_signatures) == (3, 1, 1, 0)


FORGERIES = {
    "an event's payload": (
        "UPDATE event SET payload = replace(payload, '\"share\":0.05', '\"share\":0.5') WHERE sequence = 7",
        r"broken at event 7 \(moved\)",
    ),
    "an event's time": ("UPDATE event SET at = '2024-01-01 00:00:00.000000+00:00' WHERE sequence = 5",
                        r"broken at event 5 \(moved\)"),
    "an event's kind": ("UPDATE event SET kind = 'seen' WHERE sequence = 3", r"broken at event 3 \(seen\)"),
    "an event that is no JSON": ("UPDATE event SET payload = '{' WHERE sequence = 4", "broken at event 4"),
    "a deleted event": ("DELETE FROM event WHERE sequence = 6", "broken at event 6"),
    "the first event deleted": ("DELETE FROM event WHERE sequence = 1", "broken at event 1"),
    "a look's evidence": (
        "UPDATE evidence SET measured = replace(measured, '8000', '9000') WHERE look = 2 AND rollout = 2",
        "Look 2 of rollout 2 was tampered with",
    ),
    "a look's verdict": ("UPDATE evidence SET verdict = '{}' WHERE look = 1 AND rollout = 3",
                         "Look 1 of rollout 3 was tampered with"),
    "a look's cursor": ("UPDATE evidence SET cursor = NULL WHERE look = 3 AND rollout = 2",
                        "Look 3 of rollout 2 was tampered with"),
    "a deleted look": ("DELETE FROM evidence WHERE look = 2 AND rollout = 2", "Look 2 of rollout 2 is gone"),
    "the newest look deleted": ("DELETE FROM evidence WHERE look = 2 AND rollout = 3",
                                "looks of rollout 3 do not end with look 1"),
    "a look put in": (
        "INSERT INTO evidence (id, rollout, look, at, stage, stage_key, share, measured, verdict, cursor, hash) "
        "SELECT 99, rollout, 3, at, stage, stage_key, share, measured, verdict, cursor, hash FROM evidence "
        "WHERE look = 2 AND rollout = 3",
        "Look 3 of rollout 3 was tampered with",
    ),
    "what was answered": ("UPDATE answered SET false_matches = 0 WHERE rollout = 2 AND look = 1",
                          "Look 1 of rollout 2 was tampered with"),
    "answers put in": (
        "INSERT INTO answered SELECT 99, rollout, 7, release, first_at, last_at, requests, new_people, false_matches, "
        "false_non_matches, champion_false_matches, champion_false_non_matches FROM answered WHERE look = 3",
        "answered before look 7 of rollout 2 was put in",
    ),
    "a rollout's stage": ("UPDATE rollout SET stage = 'CANARY' WHERE id = 3",
                          r"row of rollout 3 \('v3'\) \(stage\) was tampered with"),
    "a rollout's share": ("UPDATE rollout SET state = replace(state, '\"share\":0.0', '\"share\":0.5') WHERE id = 3",
                          r"row of rollout 3 \('v3'\) \(share\)"),
    "a rollout's deadline": (
        "UPDATE rollout SET state = replace(state, '2025-03-03', '2026-03-03') WHERE id = 3",
        r"row of rollout 3 \('v3'\) \(state\)",
    ),
    "a rollout's epoch": ("UPDATE rollout SET epoch = epoch + 1 WHERE id = 3", r"row of rollout 3 \('v3'\) \(epoch\)"),
    "a rollout's promotion": ("UPDATE rollout SET promoted_at = NULL WHERE id = 2",
                              r"row of rollout 2 \('v2'\) \(promoted_at\)"),
    "a rollout's policy": ("UPDATE rollout SET policy = replace(policy, '0.05', '0.04') WHERE id = 3",
                           r"row of rollout 3 \('v3'\) \(policy\)"),
    "a rollout put in": (
        "INSERT INTO rollout (id, model, release, stage, state, epoch, started_at, ended_at) SELECT 99, model, 'v9', "
        "stage, state, 1, started_at, ended_at FROM rollout WHERE id = 2",
        r"row of rollout 99 \('v9'\) was put in",
    ),
    "a deleted rollout": ("DELETE FROM rollout WHERE id = 3", r"row of rollout 3 \('v3'\) is gone"),
    "the champion": ("UPDATE champion SET release = 'v9'", r"champion of 'countenance' \(release\)"),
    "the champion's epoch": ("UPDATE champion SET epoch = 1", r"champion of 'countenance' \(epoch\)"),
    "a champion put in": (
        "INSERT INTO champion SELECT 'another', release, previous, since, epoch FROM champion",
        "champion of 'another' was put in",
    ),
    "no champion": ("DELETE FROM champion", "champion of 'countenance' is gone"),
    "an approval's reason": ("UPDATE approval SET reason = 'Why not.' WHERE act = 'promote'",
                             "approval to promote 'v2' by 'anna' was tampered with"),
    "an approval's signature": ("UPDATE approval SET signature = 'f00d' WHERE act = 'promote'",
                                "approval to promote 'v2' by 'anna' was put in"),
    "a deleted approval": ("DELETE FROM approval WHERE act = 'promote'", "approval to promote 'v2' by 'anna' is gone"),
    "an approval put in": (
        "INSERT INTO approval SELECT 99, 3, actor, act, 'v3', at, reason, 'f00d' FROM approval WHERE act = 'promote'",
        "approval to promote 'v3' by 'anna' was put in",
    ),
    "an attachment": ("UPDATE attachment SET sha256 = replace(sha256, 'a', 'b')",
                      r"evidence file 'v2/report.json' of rollout 2 \(sha256\)"),
    "a deleted attachment": ("DELETE FROM attachment", "evidence file 'v2/report.json' of rollout 2 is gone"),
    "a lost move of an alias": ("DELETE FROM outbox WHERE kind = 'alias' AND release = 'v3'",
                                "lead the alias 'shadow' to None"),
    "a moved alias": ("UPDATE outbox SET release = 'v9' WHERE kind = 'alias' AND alias = 'shadow' AND release = 'v3'",
                      "lead the alias 'shadow' to 'v9'"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_is_found_and_named(told: RolloutStore, told_url: str, forgery: str) -> None:
    statement, said = FORGERIES[forgery]
    force(told_url, statement)
    with pytest.raises(RolloutError, match=said):
        verify_store(told)


def test_swapped_events_are_found(told: RolloutStore, told_url: str) -> None:
    swap = "UPDATE event SET sequence = {1} WHERE sequence = {0}"
    force(told_url, swap.format(5, 99), swap.format(6, 5), swap.format(99, 6))
    with pytest.raises(RolloutError, match="broken at event 5"):
        verify_store(told)


def test_an_event_with_a_hash_made_anew_breaks_the_chain_after_it(told: RolloutStore, told_url: str) -> None:
    event = told.events()[4]
    made = link_hash(replace(event, kind="seen"))
    force(told_url, f"UPDATE event SET kind = 'seen', hash = '{made}' WHERE sequence = 5")
    with pytest.raises(RolloutError, match="broken at event 6"):
        verify_store(told)


def test_a_tail_that_was_cut_off_is_found_by_the_rows_and_by_a_head_noted_elsewhere(
    told: RolloutStore, told_url: str
) -> None:
    head = told.head()
    force(told_url, f"DELETE FROM event WHERE sequence = {len(told.events())}")
    with pytest.raises(RolloutError, match="broken after event 16: the hash noted earlier is not in it"):
        verify_store(told, expected_head=head)
    with pytest.raises(RolloutError, match=r"row of rollout 3 \('v3'\)"):
        verify_store(told)


def test_a_look_that_was_hashed_anew_with_all_after_it_is_found_by_the_event_that_rests_on_it(
    told: RolloutStore, told_url: str
) -> None:
    engine = create_engine(told_url, poolclass=NullPool)
    before, changes = GENESIS, []
    with reading(engine) as connection:
        for row, batches in rows_of(connection, 2):
            forged = row._asdict() | {"verdict": "{}"}
            before = look_hash(before, forged, [batch._asdict() for batch in batches])
            changes.append(f"UPDATE evidence SET verdict = '{{}}', hash = '{before}' WHERE id = {row.id}")
    force(told_url, *changes, f"UPDATE rollout SET evidence_head = '{before}' WHERE id = 2")
    with pytest.raises(RolloutError, match="Event 7 rests on a look of rollout 2"):
        verify_store(told)


def test_an_approval_forged_with_its_event_and_the_whole_chain_fails_on_its_signature(
    told: RolloutStore, told_url: str
) -> None:
    statements, before = ["UPDATE approval SET reason = 'Why not.' WHERE act = 'promote'"], ""
    for event in told.events():
        payload = event.payload | ({"reason": "Why not."} if event.payload.get("act") == "promote" else {})
        forged = replace(event, payload=payload, previous_hash=before or event.previous_hash)
        before = link_hash(forged)
        text_of = canonical_json(payload).replace("'", "''")
        statements.append(f"UPDATE event SET hash = 'x{event.sequence}' WHERE sequence = {event.sequence}")
        statements.append(
            f"UPDATE event SET payload = '{text_of}', previous_hash = '{forged.previous_hash}', hash = '{before}' "
            f"WHERE sequence = {event.sequence}"
        )
    force(told_url, *statements)
    assert told.verify_chain() == len(told.events())
    with pytest.raises(RolloutError, match="carries a wrong signature"):
        verify_store(told)
    with RolloutStore.open(told_url) as without_keys:
        assert verify_store(without_keys).unchecked_signatures == 3


@pytest.mark.parametrize("what", ["changed", "longer", "missing"])
def test_an_evidence_file_that_was_changed_or_is_missing_is_named(
    told: RolloutStore, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "report.json"
    if what == "missing":
        path.unlink()
    else:
        path.write_bytes(REPORT.swapcase() if what == "changed" else REPORT + b".")
    said = "'v2/report.json' is missing" if what == "missing" else "'v2/report.json' was changed"
    with pytest.raises(RolloutError, match=said):
        verify_store(told, files={"v2/report.json": path})
    assert verify_store(told).files == 0


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = 99", "DELETE FROM {}"])
def test_both_databases_refuse_to_change_or_remove_history(
    told: RolloutStore, told_url: str, table: str, verb: str
) -> None:
    told_of_by = "sequence" if table == "event" else "id"
    engine = create_engine(told_url, poolclass=NullPool)
    with engine.connect() as connection:
        if connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0:
            pytest.skip("is empty in this story: see test_recorder.py")
        with pytest.raises(Exception, match=f"the table {table} is append-only"):
            connection.exec_driver_sql(verb.format(table).replace(" id ", f" {told_of_by} "))


def test_one_story_has_one_head_on_both_databases(told_file: Path, told_database: str, postgresql_server: str) -> None:
    urls = (f"sqlite:///{told_file}", f"{postgresql_server}/{told_database}")
    stories = []
    for url in urls:
        with RolloutStore.open(url) as store:
            stories.append((store.head(), store.events(), store.looks(2), [look.hash for look in store.looks(2)]))
    assert stories[0] == stories[1]
