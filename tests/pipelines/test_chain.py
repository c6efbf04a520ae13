"""The whole chain on a few embedded people: every room alone, in order, with real files and a real registry."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from countenance.commands import main
from countenance.errors import CountenanceError
from countenance.serving.engine import open_engine
from pipelines.cli import sentence_of
from pipelines.pipeline_registry import ROOMS
from tests.pipelines.conftest import Chain


def report(chain: Chain, name: str) -> dict:
    return json.loads((chain.data / "08_reporting" / f"{name}.json").read_text())


def refusal(chain: Chain, *rooms: str, **parameters: object) -> str:
    """Run rooms that must fail on purpose; the sentence."""
    with pytest.raises(Exception) as caught:
        chain.run(*rooms, **parameters)
    sentence = sentence_of(caught.value)
    assert sentence is not None, caught.value
    assert "\n" not in sentence
    return sentence


def client(chain: Chain) -> MlflowClient:
    return MlflowClient(f"sqlite:///{chain.data}/09_registry/mlflow.db")


def test_every_room_runs_alone_on_what_is_on_disk(finished_chain: Chain):
    assert finished_chain.rooms_run == list(ROOMS)  # type: ignore[attr-defined]
    catalog = finished_chain.catalog()
    from pipelines.pipeline_registry import register_pipelines

    for name in register_pipelines()["__default__"].all_outputs():
        assert catalog.exists(name), name


def test_the_registry_shows_a_champion_with_readable_tags(finished_chain: Chain):
    rollout = report(finished_chain, "rollout_report")
    aliases = client(finished_chain).get_registered_model("countenance").aliases
    record = report(finished_chain, "registration_record")
    expected = {
        alias: str(record[rollout[alias]]["version"])
        for alias in ("champion", "previous")
        if rollout[alias] is not None
    }
    assert {alias: str(version) for alias, version in aliases.items() if alias in ("champion", "previous")} == expected
    for entry in rollout["entries"]:
        if entry["story"] is not None:
            tags = client(finished_chain).get_model_version("countenance", entry["version"]).tags
            assert tags["rollout.state"] == entry["story"]["final_stage"]
            assert tags["release_id"] == entry["release_id"]


def test_the_first_champion_carries_a_signature(finished_chain: Chain):
    record = report(finished_chain, "registration_record")
    first = report(finished_chain, "rollout_report")["entries"][0]
    assert record["student_alone"]["registered"]
    assert first["story"]["final_stage"] == "PROMOTED"
    assert "demo-operator signed" in first["story"]["reason"]


def test_a_second_run_of_the_side_effects_changes_nothing(finished_chain: Chain):
    before = {
        name: report(finished_chain, name) for name in ("registration_record", "rollout_report", "alias_projection")
    }
    versions = len(client(finished_chain).search_model_versions("name = 'countenance'"))
    finished_chain.run("registration", "rehearsal", "monitoring")
    assert {name: report(finished_chain, name) for name in before} == before
    assert len(client(finished_chain).search_model_versions("name = 'countenance'")) == versions


def test_templates_are_measured_again_by_the_command_from_what_the_room_left(finished_chain: Chain, tmp_path: Path):
    models, outputs = report(finished_chain, "template_report")["models"], finished_chain.data / "07_model_output"
    assert set(models) == {"all_in_one", "teacher", "student_alone", "student_distilled", "student_damaged"}
    embeddings = str(outputs / "template_embeddings" / "student_distilled.npy")
    files = ["--protocol", str(outputs / "template_protocol"), "--embeddings", embeddings]
    assert main(["evaluate", "ijb", *files, "--out", str(tmp_path / "report.json")]) == 0
    rows = {row["far"]: row for row in json.loads((tmp_path / "report.json").read_text())["verification"]}
    assert models["student_distilled"]["verification"] == [
        rows[row["far"]] for row in models["student_distilled"]["verification"]
    ]


def test_a_release_unit_is_whole_and_its_engine_answers(finished_chain: Chain):
    for entry in report(finished_chain, "registration_record").values():
        release, engine = open_engine(Path(entry["folder"]))
        assert release.release_id == entry["release_id"]
        assert release.cheapest().prices.maximum_fmr == 0.03
        assert engine.input_size == 32
        card = (Path(entry["folder"]) / "model_card.md").read_text()
        assert card.startswith("---\nlicense: apache-2.0\n")


def test_the_report_is_one_page_that_needs_nothing_from_elsewhere(finished_chain: Chain):
    page = (finished_chain.data / "08_reporting" / "index.html").read_text()
    assert "<html" in page
    assert 'src="http' not in page and 'href="http' not in page
    assert str(finished_chain.folder) not in page


def test_metrics_reach_mlflow_and_no_path_of_the_machine_does(finished_chain: Chain):
    runs = client(finished_chain).search_runs(
        [client(finished_chain).get_experiment_by_name("countenance").experiment_id]
    )
    metrics = {name for run in runs for name in run.data.metrics}
    assert {"ingestion.train.faces", "evaluation.student_alone.identity"} <= metrics
    assert {"evaluation.student_alone.template_tar", "evaluation.teacher.template_rank_1"} <= metrics
    assert {"training.costs.sum_alone.parameters", "training.data_wait_share"} <= metrics
    assert not any("project_path" in run.data.tags for run in runs)


def test_bias_says_what_is_missing_and_which_room_makes_it(chain: Chain):
    (chain.data / "07_model_output" / "student_alone_outputs.parquet").unlink()
    sentence = refusal(chain, "bias")
    assert "'student_alone_outputs'" in sentence
    assert "`kedro run --pipelines evaluation` first" in sentence


def test_an_unknown_parameter_is_refused_before_anything_is_written(chain: Chain):
    before = (chain.data / "06_models" / "all_in_one.safetensors").read_bytes()
    sentence = refusal(chain, "training", training={"training": {"stepz": 3}})
    assert "'training.stepz' in parameters_training.yml" in sentence and "did you mean 'steps'" in sentence
    assert (chain.data / "06_models" / "all_in_one.safetensors").read_bytes() == before


def test_a_manifest_without_a_column_is_refused(chain: Chain):
    path = chain.data / "03_primary" / "manifest.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["landmarks"]), path)
    assert "has no column 'landmarks'" in refusal(chain, "training")


def test_two_splits_that_share_a_person_stop_validation_and_then_training(chain: Chain):
    path = chain.data / "03_primary" / "manifest.parquet"
    table = pq.read_table(path)
    frame = table.to_pandas()
    person = frame.loc[frame["split"] == "train", "subject_id"].dropna().iloc[0]
    rows = frame.index[frame["subject_id"] == person]
    splits = frame["split"].copy()
    splits[rows[0]] = "test"
    index = table.column_names.index("split")
    pq.write_table(table.set_column(index, "split", [splits.tolist()]), path)
    (chain.data / "05_model_input" / "validation_seal.json").unlink()
    sentence = refusal(chain, "validation")
    assert "no person is in two splits" in sentence and str(person) not in sentence
    assert not report(chain, "validation_report")["passed"]
    assert "`kedro run --pipelines validation` first" in refusal(chain, "training")


def test_a_teacher_file_that_is_not_there_stops_distillation(chain: Chain):
    sentence = refusal(chain, "distillation", distillation={"teacher": "nowhere/teacher.onnx"})
    assert "nowhere/teacher.onnx is not there" in sentence


def test_a_teacher_of_another_dimension_stops_distillation(chain: Chain):
    sentence = refusal(chain, "distillation", distillation={"network": {"embedding_dimension": 24}})
    assert "16 dimensions" in sentence and "24" in sentence


def test_a_broken_expectation_is_told_apart_from_bad_data(chain: Chain):
    misspelt = {"type": "expect_column_values_to_be_unique", "arguments": {"column": "no_such"}}
    unknown = {"type": "expect_wonders", "arguments": {}}
    broken = {name: {**check, "severity": "warning", "why": "x"} for name, check in (("a", misspelt), ("b", unknown))}
    sentence = refusal(chain, "validation", validation={"expectations": broken})
    assert "Check 'a' could not run, which says nothing of the data" in sentence and "1 more can't either" in sentence
    told = report(chain, "validation_report")
    found = {finding["name"]: finding for finding in told["findings"]}
    assert {found[name]["status"] for name in broken} == {"broken check"} and not told["passed"]
    assert '"no_such"' in found["a"]["problem"] and "unknown to Great Expectations" in found["b"]["problem"]
    assert found["face_id_unique"]["status"] == "holds"


def test_real_photographs_without_a_folder_say_which_variable_to_set(chain: Chain, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COUNTENANCE_FACES", raising=False)
    sources = {"embedded": None, "lfw": {"folder": "/lfw"}}
    assert "set COUNTENANCE_FACES" in refusal(chain, "ingestion", ingestion={"sources": sources})


@pytest.mark.slow
def test_an_ablation_compares_every_labelled_task_and_is_told_on_the_page(chain: Chain):
    chain.run("ablation", "reporting")
    told = report(chain, "ablation_report")
    assert list(told["tasks"]) == ["face", "landmarks", "pose", "gender", "smile", "age", "identity"]
    assert [run["task"] for run in told["runs"]] == ["together", *told["tasks"]]
    assert {run["images_seen"] for run in told["runs"]} == {2 * 16}
    page = (chain.data / "08_reporting" / "index.html").read_text()
    assert "8 trainings of the same network on 32 crops each" in page
    runs = client(chain).search_runs([client(chain).get_experiment_by_name("countenance").experiment_id])
    assert any("ablation.landmarks.gain" in run.data.metrics for run in runs)
    finished = (chain.data / "07_model_output" / "ablation" / "runs.json").read_text()
    chain.run("ablation")
    assert (chain.data / "07_model_output" / "ablation" / "runs.json").read_text() == finished


@pytest.mark.slow
def test_every_way_to_distil_is_compared_and_told_on_the_page(chain: Chain):
    chain.run("method_comparison", "reporting")
    told, groups = report(chain, "method_comparison_report"), report(chain, "method_comparison_groups")
    ways = ["alone", "feature_l2", "feature_cosine", "refo", "margin_distillation", "relational", "fixed_centres",
            "adaptive", "weighted", "weighted_named_only"]  # fmt: skip
    assert list(told["rows"]) == list(groups["rows"]) == ways
    assert {run["images_seen"] for run in told["runs"]} == {2 * 16}
    assert told["teacher"]["accuracy"]["value"] > 0
    assert groups["rows"]["weighted"]["worst"]["verdict"] in ("kept", "worse", "open")
    page = (chain.data / "08_reporting" / "index.html").read_text()
    assert "10 trainings of the same student on 32 crops each" in page
    assert "The worst group, " in page
    runs = client(chain).search_runs([client(chain).get_experiment_by_name("countenance").experiment_id])
    assert any("method_comparison.weighted.accuracy_gain" in run.data.metrics for run in runs)
    finished = (chain.data / "07_model_output" / "method_comparison" / "runs.json").read_text()
    chain.run("method_comparison")
    assert (chain.data / "07_model_output" / "method_comparison" / "runs.json").read_text() == finished


@pytest.mark.slow
def test_a_comparison_that_searches_settings_trains_with_them_and_the_page_shows_every_trial(chain: Chain):
    search = {"steps": 1, "seed": 7, "people_share": 0.5, "sure": 0.5, "learning_rate": [0.05], "scale": [32]}
    rows = {"only": ["alone", "fixed_centres", "weighted"], "search": search}
    chain.run("method_comparison", "reporting", method_comparison=rows)
    told = report(chain, "method_comparison_report")
    settings = ("row", "learning_rate", "scale", "margin")
    chosen = [tuple(trial[name] for name in settings) for trial in told["settings"]["tried"] if trial["chosen"]]
    assert chosen == [tuple(run[name] for name in settings) for run in told["runs"]]
    assert len(told["settings"]["tried"]) == 9
    page = (chain.data / "08_reporting" / "index.html").read_text()
    assert "9 trainings of 1 step, judged by" in page and page.count(">chosen<") == 3
    chain.run("method_comparison", method_comparison=rows)
    assert report(chain, "method_comparison_report") == told


def test_rollback_without_a_previous_champion_is_refused(chain: Chain):
    assert "no previous champion" in refusal(chain, "rollback")


def test_a_candidate_that_was_not_registered_is_not_rolled_out_and_the_report_says_why(chain: Chain):
    chain.run("registration")
    path = chain.data / "08_reporting" / "registration_record.json"
    record = json.loads(path.read_text())
    record["student_damaged"] |= {"registered": False, "version": None, "reason": "Failed: bias index."}
    path.write_text(json.dumps(record))
    chain.run("rehearsal")
    last = report(chain, "rollout_report")["entries"][-1]
    assert last["story"] is None
    assert last["skipped"] == "'student_damaged' was not registered: Failed: bias index."


def test_an_error_that_was_not_foreseen_is_not_dressed_up_as_a_sentence():
    assert sentence_of(RuntimeError("surprise")) is None
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = CountenanceError("Mend this.")
    assert sentence_of(wrapped) == "Mend this."
