"""MLflow's registry: which registered versions were made from data that a person was in."""

from __future__ import annotations

import contextlib
import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countenance.erasure.project import AffectedModel
from countenance.errors import ModelError


@dataclass(frozen=True)
class MlflowRegistry:
    """The versions of one registered model.

    Attributes:
        tracking_uri: of the registry.
        model: its name.
        folder: of the project: runs may say relative to it where their artifacts lie.
    """

    tracking_uri: str
    model: str
    folder: Path

    def made_from(self, datasets: Sequence[str]) -> list[AffectedModel]:
        """Every version whose release unit says that it was made from one of these data sets.

        Raises:
            ModelError: a version's release unit can't be read, so nobody can tell what it was made from.
        """
        # MLflow's database announces every migration that it looks at.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)
        versions = sorted(client.search_model_versions(f"name = '{self.model}'"), key=lambda each: int(each.version))
        with contextlib.chdir(self.folder):
            releases = [(version, self._release(client, version)) for version in versions]
        return [
            AffectedModel(
                what=f"registered model {self.model}, version {version.version}",
                where=f"release {release['release_id']}",
                dataset_sha256=release["dataset_sha256"],
            )
            for version, release in releases
            if release["dataset_sha256"] in datasets
        ]

    def _release(self, client: Any, version: Any) -> dict[str, Any]:
        from mlflow.exceptions import MlflowException

        release_id = version.tags.get("release_id")
        path = f"release-{release_id}/release.json"
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = client.download_artifacts(version.run_id, path, folder)
                release: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
                return release
        except (MlflowException, OSError, ValueError) as error:
            raise ModelError(
                f"Version {version.version} of model '{self.model}' has no readable {path}, so nobody can tell what it "
                "was made from: restore the artifact, or delete the version."
            ) from error
