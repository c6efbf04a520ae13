"""Every conf environment loads, and narrows."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from pipelines.parameters import MODELS, check_parameters, configuration_model
from pipelines.registration.gating import RegistrationConfiguration
from pipelines.settings import CONFIG_LOADER_ARGS

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(path.name for path in (PROJECT / "conf").iterdir() if path.is_dir() and path.name != "local")
SECRETS = (
    "COUNTENANCE_SUBJECT_SECRET",
    "COUNTENANCE_OPERATOR_SECRET",
    "COUNTENANCE_ROUTING_SECRET",
    "COUNTENANCE_LABEL_SECRET",
)


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
    narrow(configuration_model(room), values, where=f"parameters_{room}.yml")


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
    assert values["rollout"]["label_secret"] == "countenance_label_secret of a test"  # type: ignore[index]
    assert values["rehearsal"]["entries"] == []  # type: ignore[index]


def test_a_misspelt_room_or_parameter_is_refused_with_the_right_word():
    with pytest.raises(ConfigurationError, match="Unknown parameter 'evalution'.*did you mean 'evaluation'"):
        check_parameters({"evalution": {}}, [])
    with pytest.raises(ConfigurationError, match="Unknown parameter 'sed'.*did you mean 'seed'"):
        check_parameters({"sed": 3}, [])


def test_parameters_are_checked_before_the_first_room_runs():
    values = parameters("base")
    values["reporting"] = {**values["reporting"], "titel": "x"}  # type: ignore[dict-item]
    with pytest.raises(ConfigurationError, match="'titel' in parameters_reporting.yml: did you mean 'title'"):
        check_parameters(values, ["ingestion", "reporting"])
    check_parameters(values, ["ingestion"])


def test_production_keeps_the_limits_of_the_policy_and_waives_nothing(monkeypatch: pytest.MonkeyPatch):
    for secret in SECRETS:
        monkeypatch.setenv(secret, "a secret long enough to be taken for one")
    values = parameters("production")
    registration = narrow(RegistrationConfiguration, values["registration"], where="a test")  # type: ignore[arg-type]
    narrow(FairnessConfiguration, values["bias"], where="a test")  # type: ignore[arg-type]
    assert values["bias"]["sizes"]["sufficient"] == 100  # type: ignore[index]
    found, usual = registration.gates.model_dump(), GatePolicy().model_dump()
    of_this_use = {"nominal_fmr", "model_bytes", "latency_ms"}
    assert {name: found[name] for name in found.keys() - of_this_use} == {
        name: usual[name] for name in usual.keys() - of_this_use
    }
    assert found["nominal_fmr"] == values["evaluation"]["operating_far"]  # type: ignore[index]
    assert registration.waivers == ()
    assert not any(rules.waivers for rules in registration.candidates.values())
