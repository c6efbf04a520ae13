"""An environment of `conf/`, read as Kedro reads it, for commands that are no run of Kedro."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BASE: Final = "base"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What one folder of `conf/` says, with what it takes from `conf/base`.

    Attributes:
        values: of `globals.yml`.
        parameters: of all rooms; secrets that the environment doesn't set are empty.
        mlflow: of `mlflow.yml`.
    """

    values: dict[str, Any]
    parameters: dict[str, Any]
    mlflow: dict[str, Any]


def read_environment(folder: Path, name: str) -> Environment:
    """Read it.

    Args:
        folder: of the project.
        name: of the environment.
    """
    from kedro.config import OmegaConfigLoader

    from pipelines.settings import CONFIG_LOADER_ARGS

    arguments: dict[str, Any] = {**CONFIG_LOADER_ARGS, "base_env": BASE, "default_run_env": name}
    loader = OmegaConfigLoader(str(folder / "conf"), env=name, **arguments)
    # All at once: the next loader takes `${globals:...}` away from this one, since there is one resolver for all.
    return Environment(values=loader["globals"], parameters=loader["parameters"], mlflow=loader["mlflow"])
