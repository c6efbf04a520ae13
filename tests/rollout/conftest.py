"""A store for every test of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from countenance.rollout.store import RolloutStore

from .scenes import ANNA


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'rollouts.db'}"


@pytest.fixture
def store(url: str) -> Iterator[RolloutStore]:
    with RolloutStore.open(url, keys=[ANNA]) as opened:
        yield opened
