"""The project's rollout as the verbs of ``countenance rollout`` see it.

`[tool.countenance]` in `pyproject.toml` names :func:`open_rollout`, and the console command calls it.
"""

from __future__ import annotations

import os
from pathlib import Path

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.rollout.notifications.configuration import channels_of
from countenance.rollout.project import RolloutProject
from pipelines.environment import BASE, read_environment
from pipelines.rollout.configuration import RolloutConfiguration
from pipelines.rollout.mlflow_registry import MlflowRegistry

_FILE = "sqlite:///"


def open_rollout(folder: Path, environment: str | None = None) -> RolloutProject:
    """Store, keys, registry and channels of an environment.

    Args:
        folder: of the project.
        environment: a folder of ``conf/``; None takes KEDRO_ENV, or what ``kedro run`` takes: base with ``conf/local``.

    Raises:
        ConfigurationError: there is no such environment, or its secrets aren't set.
    """
    name = environment or os.environ.get("KEDRO_ENV") or ("local" if (folder / "conf" / "local").is_dir() else BASE)
    if not (folder / "conf" / name).is_dir():
        raise ConfigurationError(f"{folder} has no conf/{name}: give one of its environments with --env.")
    read = read_environment(folder, name)
    rollout = narrow(RolloutConfiguration, read.parameters["rollout"], where="parameters_rollout.yml")
    model = str(read.parameters["registration"]["model"])
    tracking = _within(folder, str(read.mlflow["server"]["mlflow_tracking_uri"]))
    return RolloutProject(
        store=_within(folder, rollout.store),
        model=model,
        keys=rollout.keys(),
        registry=lambda: MlflowRegistry(model, tracking),
        channels=channels_of(rollout.notifications, folder),
        evidence=folder / read.parameters["releases_folder"],
    )


def _within(folder: Path, url: str) -> str:
    """A relative file of SQLite's, as seen from the project's folder."""
    return f"{_FILE}{folder / url.removeprefix(_FILE)}" if url.startswith(_FILE) else url
