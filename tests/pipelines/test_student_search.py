"""The student search on real Optuna studies and a real MLflow, both in SQLite; most trainings are scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import optuna
import pytest
import yaml
from mlflow import MlflowClient

from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.results import Measurement
from countenance.configuration import narrow
from countenance.errors import AssessmentError, TrainingError
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.soft_reading import soft_frame
from countenance.learning.student_search import StudentSearchConfiguration
from countenance.learning.teachers.features import TeacherFeatures
from countenance.network.configuration import NetworkConfiguration
from countenance.network.costs import cost_of
from pipelines.student_search.materials import SearchMaterials, materials_of
from pipelines.student_search.results import search_numbers, search_report, snippet
from pipelines.student_search.search import run_search
from tests.learning.faces import NETWORK, small_world
from tests.pipelines.conftest import Chain

RECIPE = {
    "seed": 3,
    "network": NETWORK.model_dump(),
    "batches": {"batch_size": 12},
    "training": {"steps": 10, "threads": 1},
}
EVALUATION = {
    "headline_far": 0.25,
    "resampling": {"resamples": 20},
    "cost": {"cost_false_match": 2.0, "cost_false_non_match": 2.0, "mated_prior": 0.5},
}
SEARCH = {
    "seed": 5,
    "trials": 6,
    "proposals": 60,
    "steps": 4,
    "looks": 1,
    "repetitions": 0,
    "space": {
        "width": {"low": 0.5, "high": 2.0, "step": 0.25},
        "depth": {"low": 1.0, "high": 3.0, "step": 1.0},
        "input_size": {"low": 32, "high": 64},
    },
}


@dataclass(frozen=True)
class Scripted(SearchMaterials):
    """Materials whose trainings take no time: a wider student scores better, and nothing is learned."""

    trained: list[NetworkConfiguration] = field(default_factory=list)
    killed_at: int | None = None
    hopeless: bool = False
    broken: bool = False

    def digest(self) -> str:
        return "scripted"

    def train(self, network: NetworkConfiguration, look: Any) -> Any:
        if len(self.trained) == self.killed_at:
            raise KeyboardInterrupt
        self.trained.append(network)
        if self.broken:
            raise TrainingError("The identity loss is not a number at step 3.")
        seen = SimpleNamespace(configuration=network)
        look(2, seen)
        return seen, SimpleNamespace(seconds=6.0)

    def score(self, network: Any) -> float:
        worth = cost_of(network.configuration).parameters / 1e6
        return worth / (1 + len(self.trained)) if self.hopeless else worth

    def measure(self, network: Any) -> Measurement:
        score = self.score(network)
        return Measurement(score, score - 0.01, score + 0.01, 10, "proportion", True)


def scripted(**changes: Any) -> Scripted:
    script = {name: changes.pop(name) for name in ("killed_at", "hopeless", "broken") if name in changes}
    return Scripted(
        manifest=None,  # type: ignore[arg-type]
        crops=None,
        teacher=None,  # type: ignore[arg-type]
        soft=None,
        distillation=narrow(DistillationConfiguration, RECIPE, where="here"),
        evaluation=narrow(AssessmentConfiguration, EVALUATION, where="here"),
        configuration=narrow(StudentSearchConfiguration, SEARCH | changes, where="here"),
        **script,
    )


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    """An MLflow of its own, with a room's run active."""
    folder = tmp_path_factory.mktemp("search")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = MlflowClient().create_experiment("search", artifact_location=(folder / "artifacts").as_uri())
    try:
        with mlflow.start_run(experiment_id=experiment, run_name="student_search"):
            yield MlflowClient()
    finally:
        mlflow.set_tracking_uri(before)


def told(study: optuna.Study) -> list[tuple[Any, ...]]:
    """Every settled trial: what was chosen, what it was worth and what became of it."""
    finished = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [(trial.params, trial.value, trial.user_attrs["outcome"]) for trial in study.get_trials(states=finished)]


@pytest.fixture(scope="module")
def uninterrupted(tracking: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> optuna.Study:
    return run_search(scripted(), tmp_path_factory.mktemp("whole"))


def test_as_many_students_are_trained_as_were_asked_for(uninterrupted: optuna.Study):
    materials = scripted()
    report = search_report(uninterrupted, materials)
    counts = report["counts"]
    assert counts["trained"] + counts["given up"] == 6
    assert counts["proposed"] == len(told(uninterrupted)) == sum(counts.values()) - counts["proposed"]
    best = max(
        (row for row in report["students"] if row["outcome"] == "trained"), key=lambda row: row["score"]["value"]
    )
    assert report["best"] == best["number"]
    json.dumps(report, allow_nan=False)


def test_the_same_seed_searches_alike_and_another_one_differently(uninterrupted: optuna.Study, tmp_path: Path):
    again, other = run_search(scripted(), tmp_path / "again"), run_search(scripted(seed=6), tmp_path / "other")
    assert told(again) == told(uninterrupted) != told(other)


def test_a_search_that_is_asked_for_more_goes_on(uninterrupted: optuna.Study, tmp_path: Path):
    run_search(scripted(trials=2), tmp_path)
    materials = scripted()
    assert told(run_search(materials, tmp_path)) == told(uninterrupted)
    assert len(materials.trained) == 4
    nothing_left = scripted()
    run_search(nothing_left, tmp_path)
    assert nothing_left.trained == []


@pytest.mark.parametrize("killed_at", [0, 3])
def test_a_search_that_was_killed_finds_what_an_uninterrupted_one_finds(
    uninterrupted: optuna.Study, tmp_path: Path, killed_at: int
):
    with pytest.raises(KeyboardInterrupt):
        run_search(scripted(killed_at=killed_at), tmp_path)
    study = run_search(scripted(), tmp_path)
    assert told(study) == told(uninterrupted)
    assert [trial.state.name for trial in study.trials].count("FAIL") == 1


def test_students_over_the_budget_are_counted_and_never_trained(tracking: MlflowClient, tmp_path: Path):
    base = cost_of(narrow(DistillationConfiguration, RECIPE, where="here").network)
    materials = scripted(budget={"parameters": base.parameters})
    report = search_report(run_search(materials, tmp_path), materials)
    assert report["counts"]["over budget"] > 0
    assert all(cost_of(network).parameters <= base.parameters for network in materials.trained)
    over = [row for row in report["students"] if row["outcome"] == "over budget"]
    assert all(row["parameters"] > base.parameters and row["score"] is None and not row["front"] for row in over)


def test_a_budget_that_nobody_keeps_ends_with_the_proposals_and_says_so(tracking: MlflowClient, tmp_path: Path):
    materials = scripted(budget={"parameters": 1}, proposals=7)
    report = search_report(run_search(materials, tmp_path), materials)
    assert report["counts"] == {
        "proposed": 7, "trained": 0, "given up": 0, "failed": 0, "repeated": report["counts"]["repeated"],
        "over budget": 7 - report["counts"]["repeated"],
    }  # fmt: skip
    assert report["best"] is None and materials.trained == []
    assert snippet(report).startswith("# No student was trained to the end: of 7 proposals")
    assert yaml.safe_load(snippet(report)) is None
    assert "best" not in search_numbers(report)


def test_a_student_that_is_proposed_again_is_not_trained_again(tracking: MlflowClient, tmp_path: Path):
    point = {
        "trunks": ["residual"],
        "width": {"low": 1, "high": 1, "step": 1},
        "depth": {"low": 1, "high": 1, "step": 1},
        "input_size": {"low": 32, "high": 32},
    }
    materials = scripted(space=point, proposals=5)
    study = run_search(materials, tmp_path)
    assert len(materials.trained) == 1
    report = search_report(study, materials)
    assert (report["counts"]["trained"], report["counts"]["repeated"]) == (1, 4)
    assert len(report["students"]) == 1
    assert {value for _, value, _ in told(study)} == {report["students"][0]["score"]["value"]}


def test_a_student_below_the_median_of_the_others_is_given_up(tracking: MlflowClient, tmp_path: Path):
    materials = scripted(hopeless=True, trials=9)
    report = search_report(run_search(materials, tmp_path), materials)
    assert report["counts"]["given up"] > 0
    assert report["counts"]["trained"] >= 4
    for row in report["students"]:
        if row["outcome"] == "given up":
            assert row["score"] is None and list(row["looks"]) == ["2"]


def test_repeated_students_do_not_count_for_the_median(tracking: MlflowClient, tmp_path: Path):
    # One width, one depth and three sizes: of many proposals three students, and never the four that a median takes.
    few = {
        "trunks": ["residual"],
        "width": {"low": 1, "high": 1, "step": 1},
        "depth": {"low": 1, "high": 1, "step": 1},
        "input_size": {"low": 32, "high": 64},
    }
    materials = scripted(hopeless=True, space=few, proposals=20)
    report = search_report(run_search(materials, tmp_path), materials)
    assert (report["counts"]["trained"], report["counts"]["given up"]) == (3, 0)
    assert report["counts"]["repeated"] == 17


def test_a_training_that_fails_is_a_finding_and_the_search_goes_on(tracking: MlflowClient, tmp_path: Path):
    materials = scripted(broken=True, trials=2)
    report = search_report(run_search(materials, tmp_path), materials)
    assert report["counts"]["failed"] == 2
    assert {row["reason"] for row in report["students"]} == {"The identity loss is not a number at step 3."}


def test_every_student_is_a_run_of_its_own_under_the_rooms(
    tracking: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    parent = mlflow.active_run()
    before = {run.info.run_id for run in children(tracking, parent)}
    materials = scripted(trials=2, budget={"parameters": 20_000})
    # MLflow remembers the experiment for the whole process, the tests that follow included: both places are put back.
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", parent.info.experiment_id)
    mlflow.set_experiment("elsewhere")
    study = run_search(materials, tmp_path)
    runs = [run for run in children(tracking, parent) if run.info.run_id not in before]
    told_of = [trial for trial in told(study) if trial[2] != "repeated"]
    assert sorted(run.data.tags["outcome"] for run in runs) == sorted(outcome for _, _, outcome in told_of)
    for run in runs:
        assert {"parameters", "multiply_adds"} <= set(run.data.metrics)
        assert ("validation_tar" in run.data.metrics) == (run.data.tags["outcome"] != "over budget")
        assert run.data.params["trunk"] in ("residual", "mobilefacenet")
    trained = next(run for run in runs if run.data.tags["outcome"] == "trained")
    history = tracking.get_metric_history(trained.info.run_id, "validation_tar")
    assert [point.step for point in history] == [2, 4]


def children(client: MlflowClient, parent: Any) -> list[Any]:
    of_parent = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return list(client.search_runs([parent.info.experiment_id], filter_string=of_parent, max_results=500))


def test_the_best_student_can_be_pasted(uninterrupted: optuna.Study):
    report = search_report(uninterrupted, scripted())
    pasted = yaml.safe_load(snippet(report))
    best = next(row for row in report["students"] if row["number"] == report["best"])
    network = RECIPE["network"] | pasted["distillation"]["network"]  # type: ignore[operator]
    configuration = narrow(DistillationConfiguration, RECIPE | {"network": network}, where="here")
    assert cost_of(configuration.network) == (best["parameters"], best["multiply_adds"])
    assert search_numbers(report)["best"]["tar"] == best["score"]["value"]
    assert all(line.startswith("#") for line in snippet(report).splitlines()[:4])


@pytest.fixture(scope="module")
def real() -> SearchMaterials:
    """Materials of a small world: two people to learn from, two to be scored on."""
    rows, crops = small_world(people=4)
    held_out = rows["subject_id"].isin(["person-2", "person-3"])
    rows = rows.assign(split=np.where(held_out, "validation", "train"), photo_sha256=rows["face_id"])
    faces = rows[rows["subject_id"].notna() & ~held_out]
    features = np.random.default_rng(0).standard_normal((len(faces), 2, NETWORK.embedding_dimension))
    features /= np.linalg.norm(features, axis=2, keepdims=True)
    table = TeacherFeatures(tuple(faces["face_id"]), features.astype(np.float32))
    search = SEARCH | {"trials": 1, "space": SEARCH["space"] | {"trunks": ["residual"]}}  # type: ignore[operator]
    return materials_of(rows, crops, table, soft_frame(None), None, RECIPE, EVALUATION, search)  # type: ignore[arg-type]


def test_a_real_student_is_distilled_and_scored_on_the_people_for_validation(
    real: SearchMaterials, tracking: MlflowClient, tmp_path: Path
):
    report = search_report(run_search(real, tmp_path), real)
    (student,) = [row for row in report["students"] if row["outcome"] == "trained"]
    # Three photos each of two people: three mated pairs each.
    assert student["score"]["count"] == 6
    assert 0.0 <= student["score"]["value"] <= 1.0 and list(student["looks"]) == ["2"]
    assert student["minutes"] > 0 and student["front"]


def test_a_rate_that_the_people_for_validation_cannot_show_is_refused(real: SearchMaterials):
    from countenance.network.allinone import AllInOneNetwork

    strict = replace(real, evaluation=real.evaluation.model_copy(update={"headline_far": 0.01}))
    with pytest.raises(
        AssessmentError, match="can't be scored at FAR 0.01 on 9 comparisons of the people for validation"
    ):
        strict.score(AllInOneNetwork(NETWORK))


def test_other_scores_belong_to_another_study(real: SearchMaterials):
    def digest(**changes: Any) -> str:
        return replace(real, evaluation=real.evaluation.model_copy(update=changes)).digest()

    resampling = real.evaluation.resampling.model_copy(update={"seed": 99})
    others = [digest(headline_far=0.2), digest(faces_per_subject=3), digest(non_mated_limit=5)]
    assert len({real.digest(), *others, digest(resampling=resampling)}) == 5
    assert digest(operating_far=0.3) == real.digest()


@pytest.mark.slow
def test_the_room_searches_and_tells_what_it_found_on_the_page(chain: Chain):
    search = {"trials": 2, "steps": 2, "looks": 1, "repetitions": 2, "budget": {"parameters": 900_000}}
    chain.run("student_search", "reporting", student_search=search, evaluation={"headline_far": 0.1})
    report = json.loads((chain.data / "08_reporting" / "student_search_report.json").read_text())
    assert sum(report["counts"][outcome] for outcome in ("trained", "given up", "failed")) == 2
    assert all(row["milliseconds"] > 0 for row in report["students"] if row["outcome"] == "trained")
    best = (chain.data / "08_reporting" / "student_search_best.yml").read_text()
    assert yaml.safe_load(best)["distillation"]["network"]["trunk"] in ("residual", "mobilefacenet")
    assert "Which student fits" in (chain.data / "08_reporting" / "index.html").read_text()
    client = MlflowClient(f"sqlite:///{chain.data}/09_registry/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("countenance").experiment_id])
    rooms = [run for run in runs if "student_search.counts.proposed" in run.data.metrics]
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(rooms) == 1 and {run.data.tags["mlflow.parentRunId"] for run in nested} == {rooms[0].info.run_id}
