import logging
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from countenance.errors import RolloutError
from countenance.rollout import migrations, schema
from countenance.rollout.connection import connect, moving, reading
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import ANNA, LATER, step

OLD_STORE = Path(__file__).parent / "data" / "store_of_the_first_release.sql"
"""A store that the first release made, as SQL: v1 is champion, v2 in its bake after two looks, nothing projected."""


@pytest.fixture
def old_url(url: str) -> str:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executescript(OLD_STORE.read_text())
    connection.close()
    return url


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(any_empty_url: str) -> None:
    engine = connect(any_empty_url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_that_the_code_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_store_of_the_first_release_keeps_all_it_held(old_url: str) -> None:
    with RolloutStore.open(old_url, keys=[ANNA]) as store:
        assert (store.champion(), store.verify_chain()) == ("v1", 8)
        assert store.head() == "638ebbb3a8f7597783dc9c98f47a20ce45da40ccc0e73fd3f367e3d4ea994bfe"
        active = store.active()
        assert active is not None and active.state.stage is Stage.BAKING and active.policy is not None
        assert [(job.alias, job.release) for job in store.pending_outbox()] == [
            ("champion", "v1"), ("shadow", "v2"), ("canary", "v2"), ("shadow", None),
        ]  # fmt: skip
        first, second = store.looks(active.id)
        assert (first.number, second.number, second.cursor) == (1, 2, None)
        assert [batch.release for batch in second.batches] == ["v1", "v2"]
        assert len({first.hash, second.hash, ""}) == 3


def test_a_rollout_of_the_first_release_goes_on_under_this_one(old_url: str) -> None:
    with RolloutStore.open(old_url, keys=[ANNA]) as store:
        active = store.active()
        assert active is not None
        assert step(store, active).state.stage is Stage.PROMOTED
        assert store.champion() == "v2" and store.verify_chain() == 9
        store.mark_done(store.pending_outbox()[0].id, now=LATER)


def test_a_store_is_brought_up_to_date_once_and_opened_quietly(old_url: str, caplog: pytest.LogCaptureFixture) -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger().level, sorted(logging.root.manager.loggerDict))
    with caplog.at_level(logging.WARNING):
        connect(old_url).dispose()
        connect(old_url).dispose()
    assert caplog.records == []
    assert (logging.getLogger().handlers, logging.getLogger().level) == before[:2]
    with sqlite3.connect(old_url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(schema.HEAD,)]
    connection.close()


def test_a_store_of_a_newer_release_is_refused(any_url: str) -> None:
    engine = connect(any_url)
    with moving(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    engine.dispose()
    with pytest.raises(RolloutError, match="open it with the newer release"):
        connect(any_url)


def test_a_migration_that_fails_leaves_the_old_store_as_it_was(old_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from countenance.rollout import looks

    def fails(*_: object) -> str:
        raise RuntimeError("the power went out")

    monkeypatch.setattr(looks, "look_hash", fails)
    file = old_url.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        before = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    with pytest.raises(RuntimeError, match="the power went out"):
        connect(old_url)
    monkeypatch.undo()
    assert connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == before
    connection.close()
    with RolloutStore.open(old_url, keys=[ANNA]) as store:
        assert store.verify_chain() == 8


OPENED = """
import sys
from countenance.rollout.connection import connect
connect(sys.argv[1]).dispose()
"""


def test_of_several_processes_that_open_a_new_store_at_once_each_finds_it_made(any_empty_url: str) -> None:
    import subprocess

    running = [subprocess.Popen([sys.executable, "-c", OPENED, any_empty_url]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
