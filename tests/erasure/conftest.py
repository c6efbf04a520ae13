"""A world in which a person may be erased, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.erasure.world import World, make_world


@pytest.fixture(scope="session")
def finished_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """To be read."""
    return make_world(tmp_path_factory.mktemp("world") / "project")


@pytest.fixture
def world(finished_world: World, tmp_path: Path) -> World:
    """To be changed."""
    shutil.copytree(finished_world.folder, tmp_path / "project")
    return World(tmp_path / "project")
