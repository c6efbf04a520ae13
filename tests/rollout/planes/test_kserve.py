import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.planes.file import SnapshotFile
from countenance.rollout.planes.kserve import (
    EPOCH_ANNOTATION,
    HEAD_ANNOTATION,
    SNAPSHOT_KEY,
    InferenceServing,
    as_yaml,
    rounding_note,
    serverless,
    weighted,
    whole_percent,
)
from countenance.rollout.planes.snapshot import RoutingSnapshot

from .places import snapshot

STORAGE = {name: f"s3://models/countenance/{name}" for name in ("v0", "v1", "v2", "w9")}
SERVING = InferenceServing(name="gate", namespace="faces", storage=STORAGE)
ALONE = {"candidate": None, "share": 0.0, "shadow": False, "thresholds": {"v1": 0.4}}


@pytest.fixture(scope="module")
def schema() -> Any:
    folder = resources.files("countenance.rollout.planes") / "schemas"
    found = json.loads((folder / "kserve_inference_service_v1beta1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def service_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return next(manifest for manifest in manifests if manifest["kind"] == "InferenceService")


def spoken() -> Iterator[list[dict[str, Any]]]:
    alone = snapshot(**ALONE)
    for share in (0.0, 0.01, 0.25, 1.0):
        yield weighted(snapshot(share=share), SERVING)
        yield serverless(snapshot(share=share), SERVING, stable="v1", latest="v1")
    for stable in ("v0", "v1"):
        for latest in ("v0", "v1", "v2"):
            yield serverless(alone, SERVING, stable=stable, latest=latest)
    yield weighted(alone, SERVING)
    told = SERVING.model_copy(update={"runtime": "countenance-runtime", "minimum_replicas": 3})
    yield weighted(snapshot(), told)


def test_every_manifest_fits_kserves_schema(schema: Any) -> None:
    for manifests in spoken():
        assert [manifest["kind"] for manifest in manifests] == ["ConfigMap", "InferenceService"]
        schema.validate(service_of(manifests))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "predictor", "canaryTrafficPercent"), 2.5),
        (("spec", "predictor", "storageUri"), "s3://x"),
        (("spec", "canaryTrafficPercent"), 5),
        (("spec", "canary"), {"trafficPercent": 5}),
        (("spec", "predictor", "model"), {"storageUri": "s3://x"}),
        (("metadata", "annotations"), {"epoch": 7}),
    ],
)
def test_the_schema_refuses_what_kserve_would_refuse(schema: Any, place: tuple[str, ...], value: object) -> None:
    service = json.loads(json.dumps(service_of(weighted(snapshot(), SERVING))))
    inner = service
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(service)


def test_the_candidate_gets_its_percent_and_each_release_its_own_storage() -> None:
    spec = service_of(weighted(snapshot(), SERVING))["spec"]
    assert spec["predictor"]["model"]["storageUri"] == "s3://models/countenance/v1"
    assert [entry["trafficPercent"] for entry in spec["canary"]] == [25]
    assert spec["canary"][0]["predictor"]["model"]["storageUri"] == "s3://models/countenance/v2"


def test_a_candidate_in_the_shadow_is_deployed_without_traffic() -> None:
    assert service_of(weighted(snapshot(share=0.0), SERVING))["spec"]["canary"][0]["trafficPercent"] == 0


def test_a_promotion_keeps_the_winners_deployment_by_its_name() -> None:
    before = service_of(weighted(snapshot(), SERVING))["spec"]["canary"][0]["predictor"]
    promoted = snapshot(champion="v2", candidate=None, share=0.0, shadow=False)
    after = service_of(weighted(promoted, SERVING))["spec"]
    assert after == {"predictor": before}


def test_releases_with_like_names_get_names_of_their_own() -> None:
    names = ["Student 1", "student-1", "student_1", "v" * 200, "é"]
    storage = dict.fromkeys(names, "s3://x")
    serving = InferenceServing(name="g" * 30, storage=storage)
    made = set()
    for name in names:
        told = snapshot(**(ALONE | {"champion": name, "thresholds": {name: 0.4}}))
        made.add(service_of(weighted(told, serving))["spec"]["predictor"]["name"])
    assert len(made) == len(names)
    for name in made:
        assert len(f"{'g' * 30}-{name}-predictor") <= 63
        assert name.isascii() and name.replace("-", "").isalnum() and name == name.lower()


@given(st.integers(0, 10_000))
def test_the_percent_never_exceeds_the_share(parts: int) -> None:
    share = parts / 10_000
    if 0 < parts < 100:
        with pytest.raises(RolloutError, match="would become none"):
            whole_percent(share)
        return
    percent = whole_percent(share)
    assert 100 * percent <= parts < 100 * (percent + 1)


@pytest.mark.parametrize(("share", "percent"), [(0.0, 0), (0.01, 1), (0.29, 29), (0.57, 57), (0.025, 2), (1.0, 100)])
def test_percents_worked_by_hand(share: float, percent: int) -> None:
    assert whole_percent(share) == percent


def test_what_rounding_took_is_told() -> None:
    assert rounding_note(snapshot(share=0.025)) == (
        "The share of 2.5 % is told to KServe as 2 %: it knows whole percent only."
    )
    assert rounding_note(snapshot(share=0.29)) is None


def test_epoch_head_and_snapshot_lie_beside_the_service_and_not_on_it(tmp_path: Any) -> None:
    manifests = weighted(snapshot(), SERVING)
    beside, service = manifests
    assert beside["metadata"]["annotations"] == {EPOCH_ANNOTATION: "7", HEAD_ANNOTATION: "ab" * 32}
    mounted = tmp_path / SNAPSHOT_KEY
    mounted.write_text(beside["data"][SNAPSHOT_KEY])
    assert SnapshotFile(mounted).read() == snapshot()
    # A later epoch leaves the service as it is, byte by byte, so that nothing is restarted.
    assert weighted(snapshot(epoch=8, head="cd" * 32), SERVING)[1] == service


def newest(told: RoutingSnapshot, stable: str, latest: str) -> tuple[str, int | None]:
    predictor = service_of(serverless(told, SERVING, stable=stable, latest=latest))["spec"]["predictor"]
    return predictor["model"]["storageUri"].rsplit("/", 1)[1], predictor.get("canaryTrafficPercent")


def test_revisions_through_a_whole_rollout() -> None:
    alone = snapshot(**ALONE)
    assert newest(alone, "v1", "v1") == ("v1", None)  # deployed
    assert newest(snapshot(share=0.0), "v1", "v1") == ("v2", 0)  # shadow
    assert newest(snapshot(share=0.25), "v1", "v2") == ("v2", 25)  # canary
    assert newest(alone, "v1", "v2") == ("v2", 0)  # aborted: at once, with no new revision
    promoted = snapshot(champion="v2", candidate=None, share=0.0, shadow=False)
    assert newest(promoted, "v1", "v2") == ("v2", None)  # promoted: the same revision


def test_revisions_back_to_an_earlier_champion() -> None:
    alone = snapshot(**ALONE)
    assert newest(alone, "v2", "v2") == ("v1", None)
    # With another candidate in between, all traffic must not go to it while v1's revision starts.
    assert newest(alone, "v2", "w9") == ("v1", 0)
    assert newest(alone, "v2", "v1") == ("v1", None)


def test_a_candidate_beside_a_champion_that_is_not_rolled_out_is_refused() -> None:
    with pytest.raises(RolloutError, match="roll the champion 'v1' out to 100 % first"):
        serverless(snapshot(), SERVING, stable="v0", latest="v0")


def test_a_release_without_storage_is_refused() -> None:
    with pytest.raises(RolloutError, match="no storage URI for release 'v3'"):
        weighted(snapshot(candidate="v3", thresholds={"v1": 0.4, "v3": 0.5}), SERVING)


def test_the_yaml_reads_back_as_the_manifests() -> None:
    manifests = weighted(snapshot(), SERVING)
    text = as_yaml(manifests)
    assert list(yaml.safe_load_all(text)) == manifests
    assert "routing.json: |" in text and '"epoch": 7' in text
