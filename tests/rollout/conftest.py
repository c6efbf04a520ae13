"""A store for every test of this room; tests that name ``any_url`` or ``any_store`` run on both databases."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from countenance.rollout.connection import connect
from countenance.rollout.store import RolloutStore

from . import postgresql
from .scenes import ANNA

_DATABASES = count(1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'rollouts.db'}"


@pytest.fixture
def store(url: str) -> Iterator[RolloutStore]:
    with RolloutStore.open(url, keys=[ANNA]) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with postgresql.server() as address:
        yield address


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> Iterator[str]:
    """The name of a database whose tables were made already; copying it is quicker than making them for every test."""
    with postgresql.database(postgresql_server, "made") as address:
        connect(address).dispose()
        yield "made"


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[str]:
    name = f"test{next(_DATABASES)}"
    with postgresql.database(postgresql_server, name, template=postgresql_template) as address:
        yield address


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    with postgresql.database(postgresql_server, f"test{next(_DATABASES)}") as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def any_empty_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("url" if request.param == "sqlite" else "empty_postgresql_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("url" if request.param == "sqlite" else "postgresql_url"))


@pytest.fixture
def any_store(any_url: str) -> Iterator[RolloutStore]:
    with RolloutStore.open(any_url, keys=[ANNA]) as opened:
        yield opened
