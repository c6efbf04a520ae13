from typing import Any

import pytest
import yaml

from countenance.errors import ConfigurationError, ModelError
from countenance.governance.materials import Material
from countenance.reporting.model_card import render_model_card

from ..governance.declarations import SOURCE, USE, governance
from .small_run import assessed, exported

PROVENANCE = {
    "sources": ["drawn"],
    "dataset_sha256": "d" * 64,
    "code_sha256": "c" * 64,
    "dvc": {"manifest": "0123456789abcdef"},
}
DRAWN = Material(name="drawn", kind="photographs", role="train", license="Apache-2.0", stated_by="this test")
TEACHER = Material(name="t.onnx", kind="network", role="teacher", license="MIT", stated_by="its package")
TEACHERS_DATA = TEACHER.model_copy(
    update={"kind": "training data of a network", "license": "unknown", "stated_by": "nobody"}
)
DECISION = {
    "verdict": "PASS",
    "reason": "All 1 gates passed.",
    "gates": [{"name": "model size", "verdict": "PASS", "reason": "Small | enough.", "warning": ""}],
}


def card(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "governance": governance(),
        "materials": [DRAWN],
        "provenance": PROVENANCE,
        "assessment": assessed()[0]["models"]["student_distilled"],
        "fairness": assessed()[1]["student_distilled"],
        "decision": DECISION,
        "effort": {"images_seen": 51_200, "minutes": 1.5},
        "measured": exported(400_000) | {"input_size": 64},
    }
    return render_model_card("student_distilled", **arguments | changes)


def head(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return loaded


def test_the_head_is_what_the_hub_reads():
    found = head(card())
    assert found["license"] == "apache-2.0" and "license_name" not in found
    assert found["library_name"] == "onnx"
    assert found["pipeline_tag"] == "image-feature-extraction"
    assert found["datasets"] == ["drawn"]
    assert "face-recognition" in found["tags"]
    (entry,) = found["model-index"]
    assert entry["name"] == "student_distilled"
    # Of each result the hub asks for a type of task, a type and a name of data set, and a type and value of metric.
    for result in entry["results"]:
        assert {"type", "name"} <= set(result["task"])
        assert {"type", "name", "split", "revision"} <= set(result["dataset"])
        (metric,) = result["metrics"]
        assert metric["type"] in found["metrics"] and isinstance(metric["value"], float)


def test_the_head_has_every_task_that_was_measured_with_its_value():
    tasks = assessed()[0]["models"]["student_distilled"]["tasks"]
    measured = [values["value"] for values in tasks.values() if values["value"] is not None]
    found = head(card())["model-index"][0]["results"]
    assert [result["metrics"][0]["value"] for result in found] == measured
    assert len(measured) < len(tasks)
    assert "Not measured: smile (not labelled)." in card()


def test_several_licences_or_one_that_the_hub_does_not_know_are_called_other_and_named():
    found = head(card(materials=[DRAWN, TEACHER, TEACHERS_DATA]))
    assert (found["license"], found["license_name"]) == ("other", "apache-2.0+mit+unknown")


def test_the_card_tells_use_people_licences_hashes_and_gates():
    text = card(materials=[DRAWN, TEACHER, TEACHERS_DATA])
    for told in (
        "To let people in who enrolled.",
        "**1:1 verification**",
        "**research, development and demonstration only**",
        "the door of a laboratory",
        "- searching for people among others (1:N)",
        "people at the door",
        "| t.onnx | network | teacher | MIT | MIT License; commercial use too | keep its notice | its package |",
        "| t.onnx | training data of a network | teacher | unknown | nobody knows what it allows | unknown | nobody |",
        "t.onnx: nothing is stated of it.",
        "DVC knows manifest as `0123456789abcdef`",
        "51,200 images seen in 1.5 minutes",
        "- drawn: There are hardly any.",
        "| model size | PASS | Small \\| enough. |",
    ):
        assert told in text, told


def test_a_network_of_others_is_told_with_what_it_was_trained_on():
    stated = {
        "title": "a recogniser",
        "license": "MIT",
        "stated_by": "its package",
        "training_data": "unknown; nobody says",
    }
    text = card(governance=governance(pretrained={"t.onnx": stated}), materials=[DRAWN, TEACHER, TEACHERS_DATA])
    assert "Networks of others: t.onnx: a recogniser. Trained on: unknown; nobody says" in text
    assert "Networks of others: none; all that it learned from was trained here" in card()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"provenance": PROVENANCE | {"dvc": {}}}, "dvc"),
        ({"provenance": PROVENANCE | {"code_sha256": ""}}, "code_sha256"),
        ({"provenance": PROVENANCE | {"dvc": {"manifest": None}}}, "dvc.manifest"),
        ({"materials": []}, "licenses"),
        ({"effort": {"images_seen": None, "minutes": 1.0}}, "images_seen"),
        ({"decision": DECISION | {"reason": " "}}, "decision.reason"),
        ({"decision": DECISION | {"gates": []}}, "decision.gates"),
        ({"materials": [DRAWN.model_copy(update={"stated_by": "TBD"})]}, "materials.1.stated_by"),
    ],
)
def test_a_blank_field_is_named_in_one_sentence(changes, field):
    with pytest.raises(ModelError) as caught:
        card(**changes)
    expected = f"The model card of 'student_distilled' has a blank field '{field}': fill it, then register."
    assert str(caught.value) == expected


@pytest.mark.parametrize("field", ["purpose", "domains", "affected", "out_of_scope"])
def test_a_use_that_was_blanked_behind_the_configuration_is_named_too(field):
    declared = governance()
    empty = declared.intended_use.model_copy(update={field: "" if isinstance(USE[field], str) else ()})
    with pytest.raises(ModelError, match=f"blank field 'use.{field}'"):
        card(governance=declared.model_copy(update={"intended_use": empty}))


def test_a_source_that_nobody_stated_anything_of_is_named():
    with pytest.raises(ConfigurationError, match="Nothing is stated of the source 'drawn'"):
        card(governance=governance(sources={"other": SOURCE}))
