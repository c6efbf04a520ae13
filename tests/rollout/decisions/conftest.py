"""A store that has a champion, on SQLite and, where it matters, on PostgreSQL."""

import pytest

from countenance.rollout.store import RolloutStore

from ..scenes import bootstrapped


@pytest.fixture
def service(store: RolloutStore) -> RolloutStore:
    bootstrapped(store)
    return store


@pytest.fixture
def any_service(any_store: RolloutStore) -> RolloutStore:
    bootstrapped(any_store)
    return any_store
