"""The operators' verbs in a project: its store, its keys, its registry and its messages; also while MLflow is away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from countenance.commands import main
from countenance.errors import ConfigurationError
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Act
from countenance.rollout.state import Evidence, Stage
from countenance.rollout.store import RolloutStore
from pipelines.rollout.opening import open_rollout
from tests.rollout.scenes import OFFLINE, REGISTRATION, good_evidence, policy

from .conftest import PROJECT
from .mlflow_server import free_port

SIGNED = ["--as", "demo-operator", "--reason", "The gate was closed."]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own with an empty registry."""
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    shutil.copytree(PROJECT / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data" / "09_registry").mkdir(parents=True)
    monkeypatch.delenv("COUNTENANCE_OPERATOR_SECRET", raising=False)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[RolloutStore]:
    """The project's own store, where v2 was promoted over v1 and v3 answers some."""
    project = open_rollout(folder)
    key = project.keys[0]
    with project.open_store() as opened:
        now = opened.now()
        approval = key.sign(Act.BOOTSTRAP, subject="v1", at=now, reason="The first.")
        opened.bootstrap("v1", registration=REGISTRATION, offline=OFFLINE, approval=approval, now=now)
        led_to_now(opened, Stage.PROMOTED, "v2", promotion_needs_approval=False)
        led_to_now(opened, Stage.CANARY, "v3")
        yield opened


def led_to_now(store: RolloutStore, stage: Stage, release: str, **changes: object) -> None:
    """As the scenes do, by the database's clock."""

    record = store.start(release, policy(**changes), evidence_key="key")
    while record.state.stage is not stage:
        evidence = Evidence(measured=good_evidence(), registration=REGISTRATION, offline=OFFLINE)
        now = store.now()
        assert record.policy is not None
        after, actions = advance(record.state, evidence, record.policy, now)
        assert after != record.state
        record = store.move(record, after, actions, measured=evidence.measured)


def registered(folder: Path) -> MlflowClient:
    uri = f"sqlite:///{folder / 'data' / '09_registry' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model("countenance")
    for release in ("v1", "v2", "v3"):
        client.create_model_version("countenance", f"s3://nowhere/{release}", tags={"release_id": release})
    return client


def away(folder: Path) -> None:
    """Let the project's MLflow be a server that nobody has started."""
    file = folder / "conf" / "base" / "mlflow.yml"
    values = yaml.safe_load(file.read_text())
    values["server"]["mlflow_tracking_uri"] = f"http://127.0.0.1:{free_port()}"
    file.write_text(yaml.safe_dump(values))


def test_a_project_is_opened_by_its_own_settings(folder: Path) -> None:
    project = open_rollout(folder)
    assert project.store == f"sqlite:///{folder}/data/09_registry/rollout.db"
    assert (project.model, project.keys[0].name) == ("countenance", "demo-operator")
    assert [channel.name for channel in project.channels] == ["log"]
    assert "secret" not in repr(project)
    with pytest.raises(ConfigurationError, match="has no conf/nowhere: give one of its environments with --env"):
        open_rollout(folder, "nowhere")


def test_an_environment_s_secrets_are_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTENANCE_ROUTING_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match="has a wrong value"):
        open_rollout(folder, "production")


def test_an_abort_is_shown_in_the_registry_and_told_at_once(
    folder: Path, store: RolloutStore, capsys: pytest.CaptureFixture[str]
) -> None:
    client = registered(folder)
    capsys.readouterr()
    assert main(["rollout", "abort", "--project", str(folder), *SIGNED]) == 0
    said = capsys.readouterr()
    assert "'v3' is ROLLED_BACK" in said.out and said.err == ""
    model = client.get_registered_model("countenance")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "2", "previous": "1"}
    assert client.get_model_version("countenance", "3").tags["rollout.state"] == "ROLLED_BACK"
    told = [json.loads(line) for line in (folder / "data/09_registry/notifications.jsonl").read_text().splitlines()]
    assert told[-1]["message"] == "demo-operator aborted the rollout: The gate was closed."
    assert store.pending_outbox(None) == ()

    assert main(["rollout", "verify", "--project", str(folder)]) == 0
    assert "aliases, tags and texts of the registry are as they were told" in capsys.readouterr().out
    client.set_model_version_tag("countenance", "3", "rollout.state", "PROMOTED")
    assert main(["rollout", "verify", "--project", str(folder)]) == 1
    assert "Tag 'rollout.state' of release 'v3' (version 3)" in capsys.readouterr().err


def test_a_rollback_holds_while_mlflow_is_away(
    folder: Path, store: RolloutStore, capsys: pytest.CaptureFixture[str]
) -> None:
    away(folder)
    began = time.perf_counter()
    assert main(["rollout", "rollback", "--project", str(folder), *SIGNED]) == 0
    assert time.perf_counter() - began < 20
    said = capsys.readouterr()
    assert said.out == "'v2' was taken back: 'v1' answers everybody again.\n"
    assert "routing doesn't depend on it" in said.err and "wait in the outbox" in said.err
    assert store.champion() == "v1" and store.pending_outbox("alias")
    assert main(["rollout", "verify", "--project", str(folder)]) == 1
    assert "MLflow's registry of 'countenance' doesn't answer" in capsys.readouterr().err


@pytest.mark.slow
def test_kedro_s_rollback_holds_while_mlflow_is_away_and_the_registry_follows(
    folder: Path, store: RolloutStore
) -> None:
    before = (folder / "conf" / "base" / "mlflow.yml").read_text()
    (folder / "conf" / "local").mkdir()
    away(folder)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", "rollback"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.perf_counter() - began < 90
    said = " ".join((done.stdout + done.stderr).split())
    assert "The rollback is done" in said and "will follow" in said
    assert store.champion() == "v1" and store.pending_outbox("alias")

    (folder / "conf" / "base" / "mlflow.yml").write_text(before)
    client = registered(folder)
    from countenance.rollout.registry.reconciling import reconcile

    project = open_rollout(folder)
    assert project.registry is not None
    assert reconcile(store, project.registry()).edits == ()
    model = client.get_registered_model("countenance")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {"champion": "1"}
