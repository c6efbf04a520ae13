"""The project as the erasure sees it: data roots by environment, DVC's history, cache and remotes, MLflow's registries.

`[tool.countenance]` in `pyproject.toml` names :func:`open_project`, and the console command calls it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from countenance.erasure.project import DataRoot, ModelRegistry, ObjectPlace, Project
from countenance.errors import ConfigurationError
from pipelines.environment import BASE, read_environment
from pipelines.erasure.dvc_history import DvcHistory
from pipelines.erasure.mlflow_registry import MlflowRegistry
from pipelines.erasure.s3_place import s3_place

_SHORTEST_SECRET: Final = 8
_KEPT_EMPTY: Final = (".gitkeep", ".gitignore")


def open_project(folder: Path) -> Project:
    """All that a person may be in.

    Args:
        folder: of the project: with ``conf/``, and ``.dvc/`` where there is DVC.

    Raises:
        ConfigurationError: an environment has data but its secrets aren't set, or a remote is of a kind that can't be
            purged.
    """
    environments = {name: _Environment(folder, name) for name in _environments(folder)}
    used = {name: each for name, each in environments.items() if name == BASE or _has_data(each.data_root)}
    records = environments[BASE].registry_root / "erasures"
    downloads = records / "unfinished" / "downloads"
    history = DvcHistory(folder, downloads) if (folder / ".dvc").is_dir() else None
    roots: dict[Path, DataRoot] = {}
    for each in used.values():
        roots.setdefault(each.data_root, each.root())
    return Project(
        folder=folder,
        roots=tuple(roots.values()),
        scanned=tuple(_outermost([*roots, folder / "conf", *(each.registry_root for each in used.values())])),
        places=(*(history.places() if history else ()), *_artifact_places(used, downloads)),
        history=history,
        registries=tuple(_registries(used)),
        records=records,
    )


class _Environment:
    """One folder of ``conf/``, with what it takes from ``conf/base``."""

    def __init__(self, folder: Path, name: str) -> None:
        read = read_environment(folder, name)
        self._folder, self._name = folder, name
        self._parameters, self.mlflow = read.parameters, read.mlflow
        self.data_root = (folder / read.values["data_root"]).resolve()
        self.registry_root = (folder / read.values["registry_root"]).resolve()

    def root(self) -> DataRoot:
        """Its data, and the keys of its people."""
        subject = self._parameters["ingestion"]["subject_secret"]
        routing = self._parameters["rollout"]["routing_secret"]
        for name, secret in (("ingestion.subject_secret", subject), ("rollout.routing_secret", routing)):
            if len(str(secret)) < _SHORTEST_SECRET:
                raise ConfigurationError(
                    f"The data of environment '{self._name}' can't be searched without its '{name}': set the "
                    "environment variable that conf/ takes it from."
                )
        return DataRoot(
            name=self._name,
            folder=self.data_root,
            subject_secret=str(subject).encode(),
            routing_secret=str(routing).encode(),
            tombstones=self._folder / self._parameters["tombstones_file"],
        )

    def registry(self) -> MlflowRegistry | None:
        """Its registry of models; None for one that was never made."""
        uri = str(self.mlflow["server"]["mlflow_tracking_uri"])
        if uri.startswith("sqlite:///"):
            file = self._folder / uri.removeprefix("sqlite:///")
            if not file.is_file():
                return None
            uri = f"sqlite:///{file}"
        return MlflowRegistry(uri, str(self._parameters["registration"]["model"]), self._folder)


def _environments(folder: Path) -> list[str]:
    names = sorted(path.name for path in (folder / "conf").iterdir() if path.is_dir() and path.name != "local")
    if BASE not in names:
        raise ConfigurationError(f"{folder} has no conf/{BASE}: run the command in the project's folder.")
    return [BASE, *(name for name in names if name != BASE)]


def _has_data(root: Path) -> bool:
    return root.is_dir() and any(path.is_file() and path.name not in _KEPT_EMPTY for path in root.rglob("*"))


def _outermost(folders: list[Path]) -> Iterator[Path]:
    for folder in dict.fromkeys(folders):
        if folder.is_dir() and not any(folder != other and folder.is_relative_to(other) for other in folders):
            yield folder


def _registries(environments: dict[str, _Environment]) -> Iterator[ModelRegistry]:
    yield from dict.fromkeys(found for each in environments.values() if (found := each.registry()) is not None)


def _artifact_places(environments: dict[str, _Environment], downloads: Path) -> Iterator[ObjectPlace]:
    """Artifacts of MLflow that lie in an object store; those on the disk lie in the registry's folder."""
    for each in environments.values():
        location = each.mlflow["tracking"]["experiment"]["create_experiment_kwargs"]["artifact_location"]
        if str(location).startswith("s3://"):
            settings = {"endpointurl": os.environ.get("MLFLOW_S3_ENDPOINT_URL")}
            yield s3_place(f"artifacts of {location}", str(location), settings, downloads)
