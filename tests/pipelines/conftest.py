"""A tiny chain on embedded people, run room by room with a real SQLite MLflow, once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
import yaml

PROJECT = Path(__file__).parents[2]

TINY: dict[str, Any] = {
    "ingestion": {
        "splits": {"train": 0.4, "validation": 0.25, "test": 0.35},
        "sources": {"embedded": {"people": {"subjects": 36, "photos_per_subject": 4, "scenes": 2}}},
    },
    "training": {
        "network": {"input_size": 32, "widths": [8, 8, 16, 16], "embedding_dimension": 16},
        "batches": {"batch_size": 16},
        "training": {"steps": 4, "threads": 1},
    },
    "distillation": {
        "network": {"input_size": 32, "widths": [8, 8, 8, 8], "embedding_dimension": 16},
        "batches": {"batch_size": 16},
        "training": {"steps": 4, "threads": 1},
        "faulty": {"steps": 2},
    },
    "evaluation": {"resampling": {"resamples": 20}},
    "bias": {"sizes": {"minimum": 2, "sufficient": 3}},
    "rehearsal": {"non_mated_limit": 400},
    "ablation": {"steps": 2},
    "method_comparison": {"steps": 2, "seeds": [7], "judged": {"folds": 2, "pairs_per_fold": 20}},
}


def end_runs() -> None:
    """End every MLflow run that is open: a test's, or the one that kedro-mlflow leaves open within a process.

    With a run open, kedro-mlflow takes the tracking server from it and does not read `mlflow.yml`.
    """
    while mlflow.active_run() is not None:
        mlflow.end_run()


class Chain:
    """Runs rooms of the project in an environment whose data lie in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        shutil.copytree(PROJECT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
        (folder / "conf" / "local").mkdir()
        environment = folder / "conf" / "tiny"
        environment.mkdir()
        roots = {"data_root": str(self.data), "registry_root": str(self.data / "09_registry"), "seed": 7}
        (environment / "globals.yml").write_text(yaml.safe_dump(roots))
        (environment / "parameters_tiny.yml").write_text(yaml.safe_dump(TINY))

    def run(self, *rooms: str, **parameters: Any) -> None:
        """Run rooms as `kedro run --env tiny --pipelines …` does; a test's MLflow run isn't theirs."""
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        end_runs()
        bootstrap_project(PROJECT)
        with KedroSession.create(
            PROJECT, env="tiny", conf_source=str(self.folder / "conf"), runtime_params=parameters
        ) as session:
            session.run(pipeline_names=list(rooms))
        end_runs()

    def catalog(self) -> Any:
        """The data catalog of this environment."""
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        bootstrap_project(PROJECT)
        with KedroSession.create(PROJECT, env="tiny", conf_source=str(self.folder / "conf")) as session:
            return session.load_context().catalog


@pytest.fixture(scope="session")
def finished_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain in which every room has run, alone and in order. Tests read it; they don't change it."""
    from pipelines.pipeline_registry import ROOMS

    before, threads = Path.cwd(), torch.get_num_threads()
    os.chdir(PROJECT)
    chain = Chain(tmp_path_factory.mktemp("chain"))
    chain.rooms_run = []  # type: ignore[attr-defined]
    try:
        for room in ROOMS:
            chain.run(room)
            chain.rooms_run.append(room)  # type: ignore[attr-defined]
        yield chain
    finally:
        torch.set_num_threads(threads)
        os.chdir(before)


@pytest.fixture
def chain(finished_chain: Chain, tmp_path: Path) -> Chain:
    """A copy of the finished chain that a test may spoil."""
    copy = Chain(tmp_path / "project")
    shutil.copytree(finished_chain.data, copy.data, ignore=shutil.ignore_patterns("09_registry"))
    return copy
