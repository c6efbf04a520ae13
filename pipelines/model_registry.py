"""The MLflow registry: versions of release units.

Their aliases and `rollout.*` tags are a projection of the rollout store, and `pipelines.rollout.mlflow_registry`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from countenance.errors import ModelError

if TYPE_CHECKING:
    from countenance.serving.release import ReleaseManifest

_PIP_REQUIREMENTS: Final = ("onnxruntime", "numpy")


def register_all(releases: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Register every release that its gates let pass; the record says who was refused and why."""
    record: dict[str, Any] = {}
    for name, release in releases.items():
        passed = release["decision"] == "PASS"
        version = register_release(Path(release["folder"]), release, model=model) if passed else None
        record[name] = {**release, "model": model, "version": version, "registered": passed}
    return record


def register_release(folder: Path, release: Mapping[str, Any], *, model: str) -> str:
    """Register one release unit; a unit with the same release id keeps the version that it has.

    Args:
        folder: the release unit.
        release: its ``release_id``, ``decision``, ``operating_threshold``, ``identity`` and ``waived``.
        model: name of the registered model.

    Returns:
        The version.

    Raises:
        ModelError: the unit was changed after it was built, or is so old that it has no cost-optimal threshold.
    """
    from countenance.serving.release import open_release

    unit = open_release(folder)
    if unit.release_id != release["release_id"]:
        raise ModelError(f"Release unit {folder} is {unit.release_id}, not {release['release_id']}: build it again.")
    client = MlflowClient()
    _ensure_model(client, model)
    known = version_of(client, model, unit.release_id)
    if known is not None:
        return known
    return _create_version(client, model, folder, release, unit)


def version_of(client: MlflowClient, model: str, release_id: str) -> str | None:
    """The version that carries a release id, or None."""
    found = client.search_model_versions(f"name = '{model}' and tags.release_id = '{release_id}'")
    return str(found[0].version) if found else None


def _ensure_model(client: MlflowClient, model: str) -> None:
    try:
        client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(
            model, description="Seven tasks of face analysis; every version is a release unit."
        )


def _create_version(
    client: MlflowClient, model: str, folder: Path, release: Mapping[str, Any], unit: ReleaseManifest
) -> str:
    import onnx

    proto, tags = onnx.load(folder / "model.onnx"), _tags(release, unit)
    with _run():
        logged = mlflow.onnx.log_model(
            proto, name="model", signature=_signature(proto), pip_requirements=list(_PIP_REQUIREMENTS)
        )
        mlflow.log_artifacts(str(folder), artifact_path=f"release-{release['release_id']}")
    created = client.create_model_version(
        model,
        logged.model_uri,
        run_id=logged.run_id,
        tags=tags,
        description=(folder / "model_card.md").read_text(encoding="utf-8").split("---", 2)[2].strip(),
    )
    return str(created.version)


def _tags(release: Mapping[str, Any], unit: ReleaseManifest) -> dict[str, str]:
    waived = ", ".join(release["waived"])
    return {
        "release_id": release["release_id"],
        "candidate": unit.candidate,
        "gates": release["decision"] + (f" (waived: {waived})" if waived else ""),
        "identity.tar": f"{release['identity']:.4f}",
        "operating_threshold": f"{release['operating_threshold']:.4f}",
        "cost_optimal_threshold": f"{unit.cheapest().threshold:.4f}",
    }


def _signature(proto: Any) -> Any:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def tensor(value: Any) -> TensorSpec:
        shape = [part.dim_value or -1 for part in value.type.tensor_type.shape.dim]
        return TensorSpec(np.dtype(np.float32), tuple(shape), value.name)

    return ModelSignature(
        inputs=Schema([tensor(value) for value in proto.graph.input]),
        outputs=Schema([tensor(value) for value in proto.graph.output]),
    )


@contextmanager
def _run() -> Iterator[None]:
    """The run that is active, or one of its own."""
    if mlflow.active_run() is not None:
        yield
        return
    with mlflow.start_run(run_name="registration"):
        yield
