"""The registration room on a tiny chain: what is declared gates it, and its documents go with the release."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient

from countenance.errors import ModelError
from countenance.governance.tracked_files import dvc_hash
from countenance.serving.release import open_release
from pipelines.cli import sentence_of
from tests.pipelines.conftest import Chain

DOCUMENTS = {"model_card.md", "dataset_sheet.md", "governance.md"}
LICENSES = "licences against the intended use"
PURPOSES = "data purposes against the intended use"


def report(chain: Chain, name: str) -> Any:
    return json.loads((chain.data / "08_reporting" / f"{name}.json").read_text())


def gate(chain: Chain, name: str, candidate: str = "student_alone") -> dict[str, Any]:
    (found,) = (gate for gate in report(chain, "gate_report")[candidate]["gates"] if gate["name"] == name)
    return dict(found)


def rewritten(chain: Chain, column: str, value: str) -> None:
    """Give one training row of the manifest another licence or purpose."""
    path = chain.data / "03_primary" / "manifest.parquet"
    table = pq.read_table(path)
    values, splits = table[column].to_pylist(), table["split"].to_pylist()
    values[splits.index("train")] = value
    index = table.column_names.index(column)
    pq.write_table(table.set_column(index, table.schema.field(index), pa.array(values, pa.string())), path)


def registered(chain: Chain) -> dict[str, bool]:
    return {name: entry["registered"] for name, entry in report(chain, "registration_record").items()}


def test_every_release_carries_its_documents_and_so_does_its_version(finished_chain: Chain):
    client = MlflowClient(f"sqlite:///{finished_chain.data}/09_registry/mlflow.db")
    for entry in report(finished_chain, "registration_record").values():
        unit = open_release(Path(entry["folder"]))
        assert set(unit.files) >= DOCUMENTS
        assert unit.intended_use is not None and unit.intended_use.comparison == "verification"
        assert unit.licenses == ("Apache-2.0",)
        with pytest.raises(ModelError, match="is declared for 1:1 verification only"):
            unit.require_identification()
        if entry["registered"]:
            version = client.get_model_version("countenance", entry["version"])
            kept = client.list_artifacts(version.run_id, f"release-{unit.release_id}")
            assert {Path(item.path).name for item in kept} == {*unit.files, "release.json"}
            assert version.description.startswith(f"# {unit.candidate}")


def test_the_documents_tell_what_was_run_and_name_no_place_of_the_machine(finished_chain: Chain):
    hashes = report(finished_chain, "release_hashes")
    assert hashes["manifest"] == dvc_hash(finished_chain.data / "03_primary" / "manifest.parquet")
    assert hashes["crops"].endswith(".dir")
    sheet = (finished_chain.data / "08_reporting" / "dataset_sheet.md").read_text()
    faces = report(finished_chain, "ingestion_metrics")["train"]["faces"]
    assert f"| train | {faces:,} |" in sheet
    for entry in report(finished_chain, "registration_record").values():
        folder = Path(entry["folder"])
        texts = {name: (folder / name).read_text() for name in DOCUMENTS}
        assert texts["dataset_sheet.md"] == sheet
        assert hashes["manifest"] in texts["model_card.md"] and hashes["crops"] in texts["model_card.md"]
        assert not any(str(finished_chain.folder) in text for text in texts.values())
        for name in ("model_card.md", "dataset_sheet.md"):
            assert yaml.safe_load(texts[name].split("---\n")[1])["license"] in ("apache-2.0", ["apache-2.0"])
        digests = json.loads((folder / "release.json").read_text())["files"]
        assert digests["model_card.md"][:16] in texts["governance.md"]


def test_research_photos_behind_a_commercial_use_fail_and_are_not_registered(chain: Chain):
    rewritten(chain, "license", "research-only")
    commercial = {"intended_use": {"setting": "commercial"}}
    chain.run("registration", governance=commercial)
    found = gate(chain, LICENSES)
    assert found["verdict"] == "FAIL" and "embedded (research-only)" in found["reason"]
    assert not any(registered(chain).values())
    assert LICENSES in report(chain, "registration_record")["student_alone"]["reason"]


def test_an_unknown_licence_stops_registration_until_somebody_signs_for_it(chain: Chain):
    rewritten(chain, "license", "unstated")
    chain.run("registration")
    assert gate(chain, LICENSES)["verdict"] == "INCONCLUSIVE"
    assert not any(registered(chain).values())
    today = datetime.now(UTC).date().isoformat()
    signed = {"signed_by": "a-lawyer", "signed_on": today, "reason": "asked its makers", "days": 7}
    waiver = signed | {"gates": [LICENSES], "verdicts": ["INCONCLUSIVE"]}
    chain.run("registration", registration={"waivers": [waiver]})
    found = gate(chain, LICENSES)
    assert found["verdict"] == "WAIVED" and "waived by a-lawyer" in found["reason"]
    assert registered(chain)["student_alone"]
    unit = chain.data / "06_models" / "releases" / "student_alone"
    head = yaml.safe_load((unit / "model_card.md").read_text().split("---\n")[1])
    assert (head["license"], head["license_name"]) == ("other", "apache-2.0+unstated")
    assert open_release(unit).licenses == ("Apache-2.0", "unstated")


def test_data_that_were_given_for_something_else_stop_registration(chain: Chain):
    rewritten(chain, "purpose", "advertising")
    chain.run("registration")
    found = gate(chain, PURPOSES)
    assert found["verdict"] == "FAIL" and "advertising (1 rows)" in found["reason"]
    assert not any(registered(chain).values())


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"sources": {"embedded": {"motivation": " "}}}, "sources.embedded.motivation"),
        ({"intended_use": {"affected": []}}, "intended_use.affected"),
        ({"model_summary": "TODO"}, "model_summary"),
    ],
)
def test_a_blank_declaration_is_refused_before_anything_is_written(chain: Chain, changes: dict[str, Any], key: str):
    before = (chain.data / "08_reporting" / "gate_report.json").read_bytes()
    with pytest.raises(Exception) as caught:
        chain.run("registration", governance=changes)
    sentence = sentence_of(caught.value)
    assert sentence is not None and f"'{key}' in parameters_registration.yml" in sentence
    assert (chain.data / "08_reporting" / "gate_report.json").read_bytes() == before


def test_a_blank_in_a_report_fails_registration_and_names_the_field(chain: Chain):
    path = chain.data / "08_reporting" / "student_alone_metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images_seen": None}))
    with pytest.raises(Exception) as caught:
        chain.run("registration")
    assert sentence_of(caught.value) == (
        "The model card of 'student_alone' has a blank field 'images_seen': fill it, then register."
    )


def test_a_release_built_again_has_the_same_documents(chain: Chain):
    chain.run("registration")
    unit = chain.data / "06_models" / "releases" / "student_alone"
    before = {name: (unit / name).read_bytes() for name in sorted(DOCUMENTS)}
    chain.run("registration")
    assert {name: (unit / name).read_bytes() for name in before} == before
