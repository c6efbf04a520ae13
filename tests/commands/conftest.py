"""A tiny network on disk that takes nearly everything for a face, and photos, for every test of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from countenance.learning.checkpoint import save_network
from tests.analysis.conftest import exported_tiny_network, tiny_network
from tests.conftest import picture, write_jpeg


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "network.safetensors"
    save_network(tiny_network(), path)
    return path


@pytest.fixture(scope="session")
def exported_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported_tiny_network(tmp_path_factory)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "photos" / f"{name}.jpg" for name in ("one", "two", "three")]
    for seed, path in enumerate(paths):
        write_jpeg(path, picture(70, 90, seed=seed))
    return paths
