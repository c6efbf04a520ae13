"""``countenance bench rollback`` and ``countenance rollout manifest``, as they are typed."""

import argparse
import json
from pathlib import Path

import pytest
import yaml

from countenance.commands import bench_rollback, main, rollout_manifest
from countenance.errors import CountenanceError, RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.planes.file import SnapshotFile
from countenance.rollout.planes.rollback_benchmark import IN_PROCESS, OTHER_PROCESS, RollbackSpeed
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from ..scenes import LATER, bootstrapped, led_to, signed


def told(*words: str) -> int:
    """The verb's own parser and run; the table of verbs is tested with the others."""
    parser = argparse.ArgumentParser()
    rollout_manifest.add_options(parser)
    return rollout_manifest.run(parser.parse_args(words))


@pytest.fixture
def canary(store: RolloutStore, url: str) -> list[str]:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    return ["--store", url, "--threshold", "v1=0.4", "--threshold", "v2=0.55"]


KSERVE = ["--plane", "kserve", "--name", "gate", "--storage", "v1=s3://models/v1", "--storage", "v2=s3://models/v2"]


def test_the_manifest_follows_the_store(
    canary: list[str], store: RolloutStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(*canary, *KSERVE) == 0
    beside, service = yaml.safe_load_all(capsys.readouterr().out)
    assert service["spec"]["canary"][0]["trafficPercent"] == 5
    assert beside["metadata"]["annotations"]["countenance.dev/rollout-head"] == store.head()
    store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
    assert told(*canary, *KSERVE) == 0
    assert "canary" not in list(yaml.safe_load_all(capsys.readouterr().out))[1]["spec"]


def test_a_manifest_is_written_to_a_file(canary: list[str], tmp_path: Path) -> None:
    out = tmp_path / "gate.yaml"
    assert told(*canary, *KSERVE, "--out", str(out)) == 0
    assert [each["kind"] for each in yaml.safe_load_all(out.read_text())] == ["ConfigMap", "InferenceService"]


def test_serverless_asks_what_was_applied_before(canary: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RolloutError, match="give --stable and --latest"):
        told(*canary, *KSERVE, "--form", "serverless")
    assert told(*canary, *KSERVE, "--form", "serverless", "--stable", "v1", "--latest", "v1") == 0
    service = list(yaml.safe_load_all(capsys.readouterr().out))[1]
    assert service["spec"]["predictor"]["canaryTrafficPercent"] == 5


def test_what_rounding_takes_is_told_beside_the_manifest(
    store: RolloutStore, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY, steps=(0.025,))
    assert told("--store", url, "--threshold", "v1=0.4", "--threshold", "v2=0.5", *KSERVE) == 0
    assert "2.5 % is told to KServe as 2 %" in capsys.readouterr().err


def test_a_snapshot_file_is_printed_or_kept(
    canary: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "routing.json"
    assert told(*canary, "--plane", "file", "--out", str(out), "--ttl", "90") == 0
    kept = SnapshotFile(out).read()
    assert (kept.candidate, kept.share, kept.ttl.total_seconds()) == ("v2", 0.05, 90)
    assert told(*canary, "--plane", "file") == 0
    assert json.loads(capsys.readouterr().out)["snapshot"]["epoch"] == kept.epoch


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (["--plane", "kserve"], "give --name"),
        (["--plane", "kserve", "--name", "Gate 1"], "'name' in the command line has a wrong value"),
        (["--plane", "kserve", "--name", "gate"], "no storage URI for release 'v1'"),
        ([*KSERVE, "--storage", "v1=twice"], "names a release twice"),
        ([*KSERVE, "--storage", "nothing"], "is not RELEASE=VALUE"),
        ([*KSERVE, "--threshold", "v3=high"], "'high' of 'v3' is no number"),
        ([*KSERVE, "--threshold", "v3=nan"], "is no number"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(canary: list[str], changes: list[str], problem: str) -> None:
    with pytest.raises(CountenanceError, match=problem):
        told(*canary, *changes)


def test_a_threshold_that_is_neither_given_nor_recorded_is_told(canary: list[str]) -> None:
    with pytest.raises(RolloutError, match="threshold of 'v2' is not recorded"):
        told(*canary[:-2], *KSERVE)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(RolloutError, match="no rollout store at"):
        told("--store", f"sqlite:///{tmp_path / 'none.db'}", *KSERVE)
    assert list(tmp_path.iterdir()) == []


def test_manifests_are_printed_as_json(canary: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert told(*canary, *KSERVE, "--json") == 0
    assert [each["kind"] for each in json.loads(capsys.readouterr().out)] == ["ConfigMap", "InferenceService"]


def test_a_rollback_is_fast_in_this_process_and_in_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "rollback", "--repetitions", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["database"] == "sqlite" and said["repetitions"] == 3
    times = said["milliseconds"]
    assert set(times) == {IN_PROCESS, OTHER_PROCESS, "commit"}
    # Goals are 100 ms and 1 s on a quiet machine; the tests' machine may be busy.
    assert 0 < times[IN_PROCESS]["median"] < 1000
    assert 0 < times[OTHER_PROCESS]["median"] < 2000
    assert times["commit"]["median"] <= times[IN_PROCESS]["most"]


def test_the_table_of_rollback_tells_median_and_maximum() -> None:
    measured = RollbackSpeed(
        database="sqlite",
        seconds={IN_PROCESS: (0.010, 0.030, 0.020), OTHER_PROCESS: (0.050, 0.060, 0.040)},
        commits=(0.008, 0.009, 0.007),
    )
    lines = bench_rollback._table(measured).splitlines()
    assert lines[0].endswith("sqlite, 3 times")
    assert lines[3].split() == ["in", "process", "20.0", "30.0"]
    assert lines[4].split() == ["another", "process", "50.0", "60.0"]
    assert lines[5].split() == ["of", "it", "the", "commit", "8.0", "9.0"]


@pytest.mark.parametrize("wrong", [["--repetitions", "0"], ["--repetitions", "few"]])
def test_wrong_options_of_rollback_end_with_2(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "rollback", *wrong])
    assert stopped.value.code == 2
