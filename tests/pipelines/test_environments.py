"""Every conf environment loads, and narrows."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.configuration import narrow
from countenance.data.sources import IngestionConfiguration
from countenance.learning.recipe import DistillationConfiguration, Recipe
from countenance.rollout.rehearsal import RehearsalConfiguration
from pipelines.monitoring.drift import MonitoringConfiguration
from pipelines.registration.gating import RegistrationConfiguration
from pipelines.reporting.faces import ReportingConfiguration
from pipelines.settings import CONFIG_LOADER_ARGS
from pipelines.validation.expectations import ValidationConfiguration

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(path.name for path in (PROJECT / "conf").iterdir() if path.is_dir() and path.name != "local")
MODELS = {
    "ingestion": IngestionConfiguration,
    "validation": ValidationConfiguration,
    "training": Recipe,
    "distillation": DistillationConfiguration,
    "evaluation": AssessmentConfiguration,
    "bias": FairnessConfiguration,
    "registration": RegistrationConfiguration,
    "rollout": RehearsalConfiguration,
    "monitoring": MonitoringConfiguration,
    "reporting": ReportingConfiguration,
}
SECRETS = ("COUNTENANCE_SUBJECT_SECRET", "COUNTENANCE_OPERATOR_SECRET", "COUNTENANCE_ROUTING_SECRET")


def parameters(environment: str) -> dict[str, object]:
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    loaded: dict[str, object] = loader["parameters"]
    return loaded


def test_the_environments_are_the_ones_that_the_readme_speaks_of():
    assert ENVIRONMENTS == ["base", "production", "real", "small"]


@pytest.mark.parametrize("room", MODELS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_room_accepts_its_parameters(environment: str, room: str, monkeypatch: pytest.MonkeyPatch):
    for secret in SECRETS:
        monkeypatch.setenv(secret, "a secret long enough to be taken for one")
    values = parameters(environment)[room]
    assert isinstance(values, dict)
    narrow(MODELS[room], values, where=f"parameters_{room}.yml")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_has_a_catalog_and_a_registry(environment: str):
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    assert loader["catalog"]["manifest"]["filepath"].endswith("manifest.parquet")
    assert loader["mlflow"]["server"]["mlflow_tracking_uri"].startswith("sqlite:///data")


def test_environments_do_not_share_data():
    roots = set()
    for environment in ENVIRONMENTS:
        loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
        roots.add(loader["catalog"]["manifest"]["filepath"])
    assert len(roots) == len(ENVIRONMENTS)


def test_production_takes_its_secrets_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    for secret in SECRETS:
        monkeypatch.setenv(secret, f"{secret.lower()} of a test")
    values = parameters("production")
    assert values["ingestion"]["subject_secret"] == "countenance_subject_secret of a test"  # type: ignore[index]
    assert "demonstration" not in str(values["rollout"])
