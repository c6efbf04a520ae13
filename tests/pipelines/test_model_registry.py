from collections.abc import Iterator
from pathlib import Path

import mlflow
import onnx
import pytest
from mlflow import MlflowClient
from onnx import TensorProto, helper

from countenance.assessment.cost import PriceList
from countenance.errors import ModelError
from countenance.serving.release import (
    CostOptimalThreshold,
    ErrorRates,
    InputSpecification,
    ReleaseDetails,
    build_release,
)
from pipelines.model_registry import register_all, register_release, version_of

MODEL = "faces"
CARD = "---\nlicense: Apache-2.0\n---\n# A tiny model\n\nIt says what it is told.\n"


def exported(size: int) -> bytes:
    """A model that hands its images on."""
    shape = ["n", 3, size, size]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["embedding"])],
        "countenance",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


CHEAPEST = CostOptimalThreshold(
    threshold=0.42,
    prices=PriceList(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.9),
    calibration=ErrorRates(fmr=0.01, fnmr=0.05),
    test=ErrorRates(fmr=0.01, fnmr=0.05),
    cost=190.0,
    unit="EUR per 1,000 transactions",
    capped=False,
)


def built(
    folder: Path, candidate: str, cost_optimal: CostOptimalThreshold | None = CHEAPEST, **changes: object
) -> dict:
    """A release unit on disk, and what the registration room knows of it."""
    details = ReleaseDetails(
        candidate=candidate,
        input=InputSpecification(size=32),
        embedding_dimension=8,
        thresholds=(),
        cost_optimal=cost_optimal,
        operating_threshold=0.25,
        dataset_sha256="d" * 64,
        code_sha256="c" * 64,
        licenses=("CC-BY-4.0",),
    )
    unit = build_release(folder / candidate, exported(32), details, model_card=CARD, reports={"bias": {"index": 1.1}})
    return {
        "release_id": unit.release_id,
        "folder": str(folder / candidate),
        "operating_threshold": 0.25,
        "identity": 0.87654,
        "decision": "PASS",
        "reason": "All 8 gates passed.",
        "waived": [],
    } | changes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an MLflow of its own: an SQLite file, and artifacts beside it."""
    folder = tmp_path_factory.mktemp("registry")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = MlflowClient().create_experiment("registration", artifact_location=(folder / "artifacts").as_uri())
    try:
        with mlflow.start_run(experiment_id=experiment):
            yield folder
    finally:
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def registered(folder: Path) -> dict:
    """Two registered releases, one that its gates refused, and one of which they could not tell."""
    releases = {
        "first": built(folder, "first"),
        "second": built(folder, "second", waived=["gender gap", "FMR disparity"]),
        "refused": built(folder, "refused", decision="FAIL", reason="Failed: bias index."),
        "unclear": built(folder, "unclear", decision="INCONCLUSIVE", reason="Not shown either way: evidence."),
    }
    return register_all(releases, model=MODEL)


@pytest.fixture
def client(registered: dict) -> MlflowClient:
    """The registry."""
    return MlflowClient()


def test_a_release_is_registered_when_its_gates_let_it_and_the_record_says_who_was_refused(registered: dict):
    assert [registered[name]["version"] for name in registered] == ["1", "2", None, None]
    assert [registered[name]["registered"] for name in registered] == [True, True, False, False]
    assert registered["refused"]["reason"] == "Failed: bias index."
    assert {entry["model"] for entry in registered.values()} == {MODEL}


def test_a_release_registered_twice_keeps_its_version(client: MlflowClient, registered: dict):
    for _ in range(2):
        again = register_release(Path(registered["first"]["folder"]), registered["first"], model=MODEL)
        assert again == registered["first"]["version"]
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 2
    assert version_of(client, MODEL, registered["refused"]["release_id"]) is None


def test_a_unit_from_before_prices_is_not_registered_and_leaves_nothing_behind(folder: Path, client: MlflowClient):
    old = built(folder, "old", cost_optimal=None)
    versions = len(client.search_model_versions(f"name = '{MODEL}'"))
    with pytest.raises(ModelError, match="built before release units carried their cost-optimal threshold: run the"):
        register_release(Path(old["folder"]), old, model=MODEL)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == versions


def test_the_tags_of_a_version_can_be_read_by_people(client: MlflowClient, registered: dict):
    first, second = (client.get_model_version(MODEL, registered[name]["version"]) for name in ("first", "second"))
    assert first.tags == {
        "release_id": registered["first"]["release_id"],
        "candidate": "first",
        "gates": "PASS",
        "identity.tar": "0.8765",
        "operating_threshold": "0.2500",
        "cost_optimal_threshold": "0.4200",
    }
    assert second.tags["gates"] == "PASS (waived: gender gap, FMR disparity)"
    # The description is the card without its front matter.
    assert first.description == "# A tiny model\n\nIt says what it is told."


def test_a_version_carries_its_model_and_the_whole_unit(client: MlflowClient, registered: dict):
    version = client.get_model_version(MODEL, registered["first"]["version"])
    info = mlflow.models.get_model_info(f"models:/{MODEL}/{version.version}")
    (given,) = info.signature.inputs.inputs
    assert (given.name, given.shape) == ("images", (-1, 3, 32, 32))
    unit = f"release-{registered['first']['release_id']}"
    kept = {Path(item.path).name for item in client.list_artifacts(version.run_id, unit)}
    assert kept == {"model.onnx", "model_card.md", "bias.json", "release.json"}


@pytest.mark.parametrize("name", ["model.onnx", "bias.json", "release.json"])
def test_a_unit_that_was_changed_after_it_was_built_is_refused(client: MlflowClient, tmp_path: Path, name: str):
    release = built(tmp_path, "spoilt")
    file = tmp_path / "spoilt" / name
    file.write_bytes(file.read_bytes().replace(b"0.25", b"0.05") + b" ")
    with pytest.raises(ModelError, match=f"{name}.* was changed after it was released"):
        register_release(tmp_path / "spoilt", release, model=MODEL)
    assert version_of(client, MODEL, release["release_id"]) is None


def test_a_unit_of_another_release_is_refused(client: MlflowClient, tmp_path: Path):
    release = built(tmp_path, "other")
    with pytest.raises(ModelError, match=f"is {release['release_id']}, not 0000: build it again"):
        register_release(tmp_path / "other", release | {"release_id": "0000"}, model=MODEL)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 2
