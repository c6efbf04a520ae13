"""The rollout command: registered releases enter, the controller steps, the registry and the operators are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow import MlflowClient

from countenance.configuration import narrow
from countenance.errors import ConfigurationError, RolloutError
from countenance.governance.legal_gates import LICENSE_GATE, PURPOSE_GATE
from countenance.rollout.store import RolloutStore
from countenance.serving.release import InputSpecification, ReleaseDetails, build_release
from pipelines.model_registry import register_all
from pipelines.rollout.candidates import RegisteredRelease, preconditions_of, registered_releases
from pipelines.rollout.configuration import RolloutConfiguration, open_store
from pipelines.rollout.nodes import reconcile_registry, send_notifications, start_candidate, step_controller
from tests.pipelines.test_model_registry import CARD, CHEAPEST, exported

PROJECT = Path(__file__).parents[2]
BASE = yaml.safe_load((PROJECT / "conf" / "base" / "parameters_rollout.yml").read_text())["rollout"]
REGISTRATION = {"model": "faces", "gates": {"tar_margin": 0.02}, "candidates": {}}


def decided(name: str, verdict: str, reason: str = "It is so.") -> dict[str, str]:
    return {"name": name, "verdict": verdict, "reason": reason}


GATES = (
    decided("bias index", "PASS"),
    decided("model size", "WAIVED", "9 MB of 8 MB."),
    decided(LICENSE_GATE, "PASS"),
    decided(PURPOSE_GATE, "PASS"),
)


def unit(folder: Path, candidate: str, gates: tuple[dict[str, str], ...] = GATES, **changes: object) -> dict[str, Any]:
    """A release unit with its gates, and what the registration room knows of it."""
    details = ReleaseDetails(
        candidate=candidate,
        input=InputSpecification(size=32),
        embedding_dimension=8,
        thresholds=(),
        cost_optimal=CHEAPEST,
        operating_threshold=0.25,
        dataset_sha256="d" * 64,
        code_sha256="c" * 64,
        licenses=("CC-BY-4.0",),
    )
    built = build_release(
        folder / candidate, exported(32), details, model_card=CARD, reports={"gates": {"gates": list(gates)}}
    )
    return {
        "release_id": built.release_id,
        "folder": str(folder / candidate),
        "operating_threshold": 0.25,
        "identity": 0.9,
        "decision": "PASS",
        "reason": "All gates passed.",
        "waived": [],
        "registered": True,
    } | changes


@dataclass
class Project:
    """Parameters and reports of a project whose store, registry and releases lie in a temporary folder."""

    folder: Path
    record: dict[str, Any]

    def parameters(self, **changes: object) -> dict[str, Any]:
        own = {
            "store": f"sqlite:///{self.folder / 'rollout.db'}",
            "notifications": {"log": str(self.folder / "told.jsonl")},
        }
        return BASE | own | changes

    def start(self, candidate: str | None, **changes: object) -> str:
        evaluation = {"compatibility": [COMPATIBLE]}
        return start_candidate(self.parameters(candidate=candidate, **changes), REGISTRATION, self.record, evaluation)

    def step(self, **changes: object) -> dict[str, Any]:
        return step_controller("", self.parameters(**changes), REGISTRATION, self.record)

    def store(self) -> RolloutStore:
        return open_store(narrow(RolloutConfiguration, self.parameters(), where="a test"), model="faces")

    def id_of(self, candidate: str) -> str:
        return str(self.record[candidate]["release_id"])


COMPATIBLE = {
    "model": "second",
    "other": "first",
    "comparisons": [
        {"probes": "second", "references": "first", "headline": {"value": 0.93}},
        {"probes": "first", "references": "first", "headline": {"value": 0.94}},
    ],
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, {name: unit(tmp_path / "releases", name) for name in ("first", "second", "third")})


def test_without_a_candidate_or_a_champion_a_run_says_so_and_does_nothing(project: Project, caplog: Any) -> None:
    assert project.start(None) == ""
    with caplog.at_level(logging.INFO, logger="pipelines"):
        report = project.step()
    assert report["idle"] == "There is no champion yet: bootstrap a first release, which an operator signs."
    assert report["idle"] in caplog.text


def test_a_run_needs_no_report_of_another_room_unless_it_starts_somebody(project: Project) -> None:
    project.record = {}
    parameters = project.parameters()
    assert start_candidate(parameters, REGISTRATION, None, None) == ""
    assert step_controller("", parameters, REGISTRATION, None)["idle"]


def test_the_first_release_must_be_bootstrapped_and_the_sentence_says_how(project: Project) -> None:
    with pytest.raises(RolloutError, match=r"--params rollout.candidate=first,rollout.enters=bootstrap"):
        project.start("first")
    told = project.start("first", enters="bootstrap")
    assert told == "'first' is the first champion, signed by 'demo-operator'."
    assert project.start("first", enters="bootstrap") == "'first' is the champion already."
    with project.store() as store:
        assert store.champion() == project.id_of("first")
        assert [event.kind for event in store.events()].count("bootstrapped") == 1


def test_a_candidate_starts_with_its_gates_and_evidence_and_steps_into_shadow(project: Project) -> None:
    project.start("first", enters="bootstrap")
    assert project.start("second") == "The rollout of 'second' was started."
    report = project.step()
    assert (report["stage"], report["release"]) == ("SHADOW", project.id_of("second"))
    assert report["moves"] == ["Every registration gate passed.", "Every offline gate passed."]
    assert "labelled requests of this stage have matured" in report["waits_for"][0]
    assert project.start("second") == "The rollout of 'second' is under way: it is SHADOW."
    with project.store() as store:
        record = store.active()
        assert record is not None
        started = store.events(record.id)[0].payload
        names = {attached.name for attached in store.attachments(record.id)}
    assert [gate["name"] for gate in started["registration"]] == [
        "every file has its hash",
        "signature",
        "hash of the data",
        "hash of the code",
        "licences",
        "consent",
    ]
    assert started["offline"][1] == {"name": "model size", "passed": True, "detail": "waived: 9 MB of 8 MB"}
    assert started["preconditions"] == {
        "embedding_space": project.id_of("second"),
        "champion_space": project.id_of("first"),
        "cross_model_tar": 0.93,
        "required_tar": pytest.approx(0.92),
        "re_enrolled": False,
        "threshold": 0.25,
    }
    assert names == {f"second/{name}" for name in ("release.json", "gates.json", "model_card.md")}


def test_a_candidate_that_meets_an_active_one_waits_where_the_policy_says_so(project: Project) -> None:
    queueing = {"policy": BASE["policy"] | {"on_active": "queue"}}
    project.start("first", enters="bootstrap")
    project.start("second", **queueing)
    assert project.start("third", **queueing) == "'third' waits for the rollout that is under way to end."
    assert project.start("third", **queueing) == "'third' waits for its rollout."
    with pytest.raises(RolloutError, match="is still REGISTERED"):
        project.record["fourth"] = unit(project.folder / "releases", "fourth")
        project.start("fourth")


def test_an_unknown_or_refused_candidate_is_not_started(project: Project) -> None:
    with pytest.raises(
        RolloutError, match="no candidate 'nobody' to roll out: the candidates are first, second, third"
    ):
        project.start("nobody")
    project.record["second"] |= {"registered": False, "reason": "Failed: bias index."}
    with pytest.raises(
        RolloutError, match="'second' was not registered, so it cannot be rolled out: Failed: bias index"
    ):
        project.start("second")


def test_a_release_unit_that_was_changed_fails_its_gate(project: Project) -> None:
    project.start("first", enters="bootstrap")
    card = project.folder / "releases" / "second" / "model_card.md"
    card.write_text("It is much better than that.")
    project.start("second")
    report = project.step()
    assert report["stage"] == "REJECTED"
    assert "Gate 'every file has its hash' failed" in report["moves"][0]


def test_a_release_that_was_built_again_is_not_the_one_that_was_registered(project: Project) -> None:
    project.record["second"]["release_id"] = "0123456789abcdef"
    with pytest.raises(RolloutError, match="and 0123456789abcdef was registered: run the registration pipeline again"):
        project.start("second")


@pytest.mark.parametrize(
    ("verdict", "passed"), [("PASS", True), ("WAIVED", True), ("FAIL", False), ("INCONCLUSIVE", None)]
)
def test_a_legal_gate_passes_as_it_was_decided_and_never_without_a_decision(
    tmp_path: Path, verdict: str, passed: bool | None
) -> None:
    record = {"one": unit(tmp_path, "one", (decided(LICENSE_GATE, verdict), decided("bias index", verdict)))}
    release = registered_releases(record)["one"]
    gates = {gate.name: gate for gate in release.registration}
    assert gates["licences"].passed is passed and gates["consent"].passed is None
    assert [gate.passed for gate in release.offline] == [passed]


def test_preconditions_know_only_what_was_measured(project: Project) -> None:
    releases = registered_releases(project.record)

    def known(name: str, champion: RegisteredRelease | None, re_enrolled: bool = False) -> Any:
        found = {"compatibility": [COMPATIBLE]}
        return preconditions_of(releases[name], champion, found, margin=0.02, re_enrolled=re_enrolled)

    assert known("second", releases["first"]).unmet() == ()
    assert "Nobody measured" in known("third", releases["first"]).unmet()[0]
    assert known("third", releases["first"], re_enrolled=True).unmet() == ()
    assert known("first", None).unmet() == ()
    assert preconditions_of(releases["second"], releases["first"], None, margin=0.02, re_enrolled=False).unmet()


def test_a_gallery_that_was_enrolled_again_counts_from_then_on(project: Project) -> None:
    project.start("first", enters="bootstrap")
    project.start("third")
    assert "Nobody measured" in project.step()["waits_for"][0]
    assert project.step(re_enrolled=["third"])["stage"] == "SHADOW"


@pytest.fixture
def registry(project: Project) -> Iterator[MlflowClient]:
    """An MLflow of its own in which the project's releases are registered."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{project.folder / 'mlflow.db'}")
    client = MlflowClient()
    experiment = client.create_experiment("registration", artifact_location=(project.folder / "artifacts").as_uri())
    try:
        with mlflow.start_run(experiment_id=experiment):
            releases = {name: project.record[name] for name in ("first", "second")}
            project.record |= register_all(releases, model="faces")
        yield client
    finally:
        mlflow.set_tracking_uri(before)


def test_a_whole_run_shows_the_step_in_the_registry_and_tells_the_operators(
    project: Project, registry: MlflowClient
) -> None:
    project.start("first", enters="bootstrap")
    project.start("second")
    state = reconcile_registry(project.step(), project.parameters(), REGISTRATION)
    aliases = registry.get_registered_model("faces").aliases
    assert {name: str(version) for name, version in aliases.items()} == {"champion": "1", "shadow": "2"}
    assert state["away"] is None
    sent = send_notifications(state, project.parameters(), REGISTRATION)
    assert sent["waiting"] == 0 and sent["failures"] == []
    told = [json.loads(line) for line in (project.folder / "told.jsonl").read_text().splitlines()]
    assert len(told) == sent["done"] == 1
    assert send_notifications(state, project.parameters(), REGISTRATION)["done"] == 0


def test_a_policy_comes_from_the_parameters_or_from_a_file_but_not_from_both(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("alpha: 0.01\n")
    chosen = narrow(RolloutConfiguration, BASE | {"policy": None, "policy_file": str(file)}, where="a test")
    assert chosen.rules().alpha == 0.01
    for wrong in ({"policy_file": str(file)}, {"policy": None}):
        with pytest.raises(ConfigurationError, match="give either 'policy' or 'policy_file'"):
            narrow(RolloutConfiguration, BASE | wrong, where="a test")


def test_every_operator_may_sign_and_the_first_one_signs_here() -> None:
    others = [{"name": "second", "secret": "the second operator's key"}]
    keys = narrow(RolloutConfiguration, BASE | {"operators": others}, where="a test").keys()
    assert [key.name for key in keys] == ["demo-operator", "second"]
