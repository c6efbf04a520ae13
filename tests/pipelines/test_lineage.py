"""What each candidate was made of, as the parameters of every environment tell it."""

from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.legal_gates import license_gate
from countenance.governance.materials import Material
from countenance.learning.recipe import DistillationConfiguration, Recipe
from pipelines.models import CANDIDATES
from pipelines.registration.gating import RegistrationConfiguration
from pipelines.registration.lineage import materials_of, teacher_files
from pipelines.settings import CONFIG_LOADER_ARGS

from ..governance.declarations import manifest

PROJECT = Path(__file__).parents[2]
TEACHER = "fr_feature.onnx"


def parameters(environment: str) -> dict[str, Any]:
    loader = OmegaConfigLoader(str(PROJECT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    loaded: dict[str, Any] = loader["parameters"]
    return loaded


def narrowed(
    environment: str, **changes: dict[str, Any]
) -> tuple[DistillationConfiguration, Recipe, GovernanceConfiguration]:
    values = parameters(environment)
    merged = {name: values[name] | changes.get(name, {}) for name in ("distillation", "training", "governance")}
    return (
        narrow(DistillationConfiguration, merged["distillation"], where="a test"),
        narrow(Recipe, merged["training"], where="a test"),
        narrow(GovernanceConfiguration, merged["governance"], where="a test"),
    )


def materials(environment: str, *rows: dict[str, Any]) -> dict[str, list[Material]]:
    distillation, training, governance = narrowed(environment)
    return materials_of(dict.fromkeys(CANDIDATES), manifest(*(rows or ({},))), governance, distillation, training)


@pytest.mark.parametrize("environment", ["base", "small"])
def test_the_demonstration_goes_back_to_no_network_of_others(environment: str):
    assert all({item.kind for item in found} == {"photographs"} for found in materials(environment).values())


def test_on_real_photographs_the_taught_students_go_back_to_the_teacher_and_the_student_alone_does_not(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COUNTENANCE_FACES", "/nowhere")
    found = materials("real", {"source": "lfw", "license": "research-only", "purpose": "research"})
    assert [item.kind for item in found["student_alone"]] == ["photographs"]
    for name in ("student_distilled", "student_damaged"):
        _, network, data = found[name]
        assert (network.name, network.license, network.role) == (TEACHER, "MIT", "teacher")
        assert (data.license, data.stated_by) == ("unknown", "nobody")


def test_a_teacher_that_was_trained_here_hands_on_what_it_started_from_itself():
    recognition = {"checkpoint": "start.onnx", "teacher": "other.onnx"}
    distillation, training, _ = narrowed("base", training={"recognition": recognition})
    assert teacher_files(distillation, training) == {
        "start.onnx": ["initial network of the teacher"],
        "other.onnx": ["teacher of the teacher"],
    }
    same = narrowed("base", training={"recognition": {"checkpoint": "start.onnx", "teacher": "start.onnx"}})
    assert teacher_files(*same[:2]) == {"start.onnx": ["initial network of the teacher", "teacher of the teacher"]}


def test_what_the_trained_network_says_of_other_tasks_counts_as_teaching_too():
    recognition = {"checkpoint": "start.onnx"}
    taught = {"teacher": "a.onnx", "soft": {"smile": 1}}
    distillation, training, _ = narrowed("base", training={"recognition": recognition}, distillation=taught)
    assert set(teacher_files(distillation, training)) == {"a.onnx", "start.onnx"}
    distillation, training, _ = narrowed(
        "base", training={"recognition": recognition}, distillation={"teacher": "a.onnx"}
    )
    assert set(teacher_files(distillation, training)) == {"a.onnx"}


ROWS = {
    "base": {},
    "real": {"source": "lfw", "license": "research-only", "purpose": "research"},
    "production": {"source": "lfw", "license": "research-only", "purpose": "research"},
}


@pytest.mark.parametrize(
    ("environment", "candidate", "verdict"),
    [
        ("base", "student_distilled", "PASS"),
        ("real", "student_alone", "PASS"),
        ("real", "student_distilled", "INCONCLUSIVE"),
        ("production", "student_alone", "FAIL"),
    ],
)
def test_what_each_environment_declares_is_held_against_what_it_reads(
    environment: str, candidate: str, verdict: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("SUBJECT_SECRET", "OPERATOR_SECRET", "ROUTING_SECRET", "FACES"):
        monkeypatch.setenv(f"COUNTENANCE_{name}", "long enough to be taken for one")
    governance = narrowed(environment)[2]
    found = materials(environment, ROWS[environment])[candidate]
    assert license_gate(governance.intended_use, found, governance.license_table).verdict == verdict


@pytest.mark.parametrize("gate", ["licences against the intended use", "data purposes against the intended use"])
def test_what_is_forbidden_cannot_be_waived(gate: str):
    waiver = {
        "gates": [gate],
        "verdicts": ["FAIL"],
        "signed_by": "somebody",
        "signed_on": "2026-01-31",
        "reason": "in a hurry",
        "days": 1,
    }
    values = {"model": "faces", "candidates": {"student_alone": {"waivers": [waiver]}}}
    with pytest.raises(ConfigurationError, match=f"a FAIL of '{gate}' can't be waived"):
        narrow(RegistrationConfiguration, values, where="a test")
    with pytest.raises(ConfigurationError, match="can't be waived"):
        narrow(RegistrationConfiguration, {"model": "faces", "candidates": {}, "waivers": [waiver]}, where="a test")
    values["candidates"]["student_alone"]["waivers"] = [waiver | {"verdicts": ["INCONCLUSIVE"]}]
    assert narrow(RegistrationConfiguration, values, where="a test").rules_of("student_alone").waivers


def test_waivers_for_all_are_added_to_those_of_each():
    usual = {
        "gates": ["bias index"],
        "verdicts": ["FAIL"],
        "signed_by": "a",
        "signed_on": "2026-01-31",
        "reason": "b",
        "days": 1,
    }
    values = {
        "model": "faces",
        "waivers": [usual | {"signed_by": "c"}],
        "candidates": {"one": {"waivers": [usual]}, "two": {}},
    }
    rules = narrow(RegistrationConfiguration, values, where="a test")
    assert [waiver.signed_by for waiver in rules.rules_of("one").waivers] == ["a", "c"]
    assert [waiver.signed_by for waiver in rules.rules_of("two").waivers] == ["c"]


@pytest.mark.parametrize("environment", ["base", "real", "production", "small"])
def test_every_source_that_an_environment_reads_has_its_statement(environment: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("SUBJECT_SECRET", "OPERATOR_SECRET", "ROUTING_SECRET", "FACES"):
        monkeypatch.setenv(f"COUNTENANCE_{name}", "long enough to be taken for one")
    read = [name for name, source in parameters(environment)["ingestion"]["sources"].items() if source is not None]
    governance = narrowed(environment)[2]
    assert read and all(governance.statement_on(name) for name in read)
