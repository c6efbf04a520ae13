"""What a person sees in MLflow is what the rollout store says; on a real registry, also one behind a server."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.registry.reconciling import reconcile
from countenance.rollout.registry.shown import RegistryAwayError
from countenance.rollout.registry.verification import noted_head, verify_tags
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verification import verify_store
from pipelines.rollout.mlflow_registry import MlflowRegistry
from tests.rollout.scenes import ANNA, LATER, bootstrapped, hours, led_to, promoted, signed

from .mlflow_server import MlflowServer, free_port

MODEL = "faces"


def registered(uri: str, *releases: str) -> MlflowClient:
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_registered_model(MODEL, description="Faces at the gate.")
    for release in releases:
        client.create_model_version(MODEL, f"s3://nowhere/{release}", tags={"release_id": release, "gates": "PASS"})
    return client


def aliases(client: MlflowClient) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(MODEL).aliases.items()}


def tags(client: MlflowClient, version: str) -> dict[str, str]:
    return dict(client.get_model_version(MODEL, version).tags)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables, which take seconds to make."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}", registry_uri=f"sqlite:///{file}").search_registered_models()
    return file


@pytest.fixture
def uri(empty: Path, tmp_path: Path) -> str:
    (tmp_path / "mlflow.db").write_bytes(empty.read_bytes())
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RolloutStore]:
    with RolloutStore.open(f"sqlite:///{tmp_path / 'rollouts.db'}", keys=[ANNA]) as opened:
        yield opened


def test_a_person_sees_a_move_within_five_seconds(store: RolloutStore, uri: str) -> None:
    client, registry = registered(uri, "v1", "v2"), MlflowRegistry(MODEL, uri)
    bootstrapped(store)
    reconcile(store, registry)
    led_to(store, Stage.CANARY)
    began = time.perf_counter()
    report = reconcile(store, registry)
    took = time.perf_counter() - began
    assert took < 5 and report.written < 40
    assert aliases(client) == {"champion": "1", "canary": "2"}
    shown = tags(client, "2")
    assert (shown["rollout.state"], shown["rollout.share"], shown["rollout.step"]) == ("CANARY", "0.05", "1 of 2")
    assert shown["rollout.head"] == store.head() == noted_head(registry)
    assert shown["gates"] == "PASS" and shown["release_id"] == "v2"
    description = client.get_registered_model(MODEL).description
    assert description.startswith("Faces at the gate.") and "| canary | v2 | 2 | CANARY | 5% |" in description
    again = MlflowRegistry(MODEL, uri)
    assert reconcile(store, again).written == 0
    promoted_by_hand = store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
    assert promoted_by_hand is not None and reconcile(store, registry).aliases == {"champion": "1"}
    assert aliases(client) == {"champion": "1"}
    assert tags(client, "2")["rollout.state"] == "ROLLED_BACK" and "rollout.step" not in tags(client, "2")


def test_edits_by_hand_are_put_right_and_named_and_other_tags_and_aliases_stay(store: RolloutStore, uri: str) -> None:
    client, registry = registered(uri, "v1", "v2"), MlflowRegistry(MODEL, uri)
    bootstrapped(store)
    promoted(store, "v2")
    reconcile(store, registry)
    assert verify_tags(store, registry) > 20
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.set_registered_model_alias(MODEL, "favourite", "1")
    client.set_model_version_tag(MODEL, "2", "rollout.share", "0.5")
    client.set_model_version_tag(MODEL, "2", "owner", "anna")
    with pytest.raises(RolloutError, match="Alias 'champion' is not what"):
        verify_tags(store, registry)
    named = [edit.sentence() for edit in reconcile(store, registry).edits]
    assert len(named) == 2 and "(it pointed at 'v1' where 'v2' belongs)" in named[0] and "'rollout.share'" in named[1]
    assert aliases(client) == {"champion": "2", "previous": "1", "favourite": "1"}
    assert tags(client, "2")["rollout.share"] == "1" and tags(client, "2")["owner"] == "anna"
    assert reconcile(store, registry).edits == ()
    assert verify_store(store, expected_head=noted_head(registry)).events == len(store.events())
    client.set_model_version_tag(MODEL, "1", "rollout.reason", "so")
    with pytest.raises(RolloutError, match=r"Tag 'rollout.reason' of release 'v1' \(version 1\)"):
        verify_tags(store, registry)


def test_a_deleted_version_takes_its_alias_along_and_both_are_told(store: RolloutStore, uri: str) -> None:
    client, registry = registered(uri, "v1", "v2"), MlflowRegistry(MODEL, uri)
    bootstrapped(store)
    promoted(store, "v2")
    reconcile(store, registry)
    client.delete_model_version(MODEL, "2")
    report = reconcile(store, registry)
    assert report.unregistered == ("v2",) and [edit.place.key for edit in report.edits] == ["champion"]
    assert "not registered" in client.get_registered_model(MODEL).description
    client.create_model_version(MODEL, "s3://nowhere/v2", tags={"release_id": "v2"})
    assert reconcile(store, registry).edits == ()
    assert aliases(client) == {"champion": "3", "previous": "1"}


def test_a_model_that_was_never_registered_has_nothing_to_show(store: RolloutStore, uri: str) -> None:
    registry = MlflowRegistry(MODEL, uri)
    assert reconcile(store, registry).written == 0
    bootstrapped(store)
    assert reconcile(store, registry).unregistered == ("v1",)
    client = registered(uri, "v1")
    assert reconcile(store, registry).edits == () and aliases(client) == {"champion": "1"}


def point(uri: str, alias: str, start: float) -> None:
    registry = MlflowRegistry(MODEL, uri)
    registry.read()
    time.sleep(max(0.0, start - time.time()))
    registry.set_alias(alias, "1")


@pytest.mark.slow
def test_the_race_of_the_first_insert_of_an_alias_is_tried_again(uri: str) -> None:
    client = registered(uri, "v1")
    context = multiprocessing.get_context("spawn")
    start = time.time() + 25
    several = [context.Process(target=point, args=(uri, f"a{number % 3}", start)) for number in range(6)]
    for process in several:
        process.start()
    for process in several:
        process.join(120)
    assert [process.exitcode for process in several] == [0] * 6
    assert aliases(client) == {"a0": "1", "a1": "1", "a2": "1"}


def test_bad_requests_are_tried_again_only_so_often(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST, PERMISSION_DENIED

    client = registered(uri, "v1")
    calls = []

    def failing(times: int, code: int) -> None:
        real = MlflowClient.set_registered_model_alias
        calls.clear()

        def fail(self: MlflowClient, *given: str) -> None:
            calls.append(given)
            if len(calls) <= times:
                raise MlflowException("UNIQUE constraint failed", error_code=code)
            real(self, *given)

        monkeypatch.setattr(MlflowClient, "set_registered_model_alias", fail)

    with monkeypatch.context():
        failing(3, BAD_REQUEST)
        MlflowRegistry(MODEL, uri).set_alias("champion", "1")
        assert len(calls) == 4 and aliases(client) == {"champion": "1"}
        monkeypatch.undo()
        failing(99, BAD_REQUEST)
        with pytest.raises(RegistryAwayError, match="BAD_REQUEST"):
            MlflowRegistry(MODEL, uri).set_alias("champion", "1")
        assert len(calls) == 8
        monkeypatch.undo()
        failing(99, PERMISSION_DENIED)
        with pytest.raises(RegistryAwayError, match="PERMISSION_DENIED"):
            MlflowRegistry(MODEL, uri).set_alias("champion", "1")
        assert len(calls) == 1


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_server_that_is_away_is_not_waited_for(store: RolloutStore, how: str) -> None:
    bootstrapped(store)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1] if how == "silent" else free_port()
        began = time.perf_counter()
        report = reconcile(store, MlflowRegistry(MODEL, f"http://127.0.0.1:{port}"))
        assert time.perf_counter() - began < 8
    assert report.away is not None and "routing doesn't depend on it" in report.away
    (job,) = store.pending_outbox("alias")
    assert (job.alias, job.attempts) == ("champion", 1) and job.next_attempt_at is not None
    assert store.champion() == "v1"


@pytest.mark.slow
def test_an_hour_without_mlflow_harms_nothing_and_afterwards_everything_is_right(
    store: RolloutStore, tmp_path: Path
) -> None:
    server = MlflowServer(tmp_path)
    server.start()
    try:
        client, registry = registered(server.uri, "v1", "v2", "v3"), MlflowRegistry(MODEL, server.uri)
        bootstrapped(store)
        reconcile(store, registry)
        led_to(store, Stage.CANARY)
        began = time.perf_counter()
        written = reconcile(store, registry).written
        took = time.perf_counter() - began
        print(f"{written} values through a server in {took:.2f} s")
        assert took < 5
        assert aliases(client) == {"champion": "1", "canary": "2"}

        server.stop()
        store.command(signed(Act.ABORT, "v2", LATER, reason="The gate was closed."), now=LATER)
        promoted(store, "v3")
        for minute in range(0, 60, 6):
            report = reconcile(store, registry, now=LATER + hours(minute / 60))
            assert report.away is not None
        assert (store.champion(), store.previous()) == ("v3", "v1")
        waiting = store.pending_outbox("alias")
        assert {job.attempts for job in waiting} == {10}
        assert all(job.next_attempt_at and job.next_attempt_at > LATER + hours(0.9) for job in waiting)

        server.start()
        before = len(store.events())
        report = reconcile(store, registry, now=LATER + hours(1))
        assert report.away is None and report.edits == ()
        assert aliases(client) == {"champion": "3", "previous": "1"}
        assert tags(client, "2")["rollout.state"] == "ROLLED_BACK" and tags(client, "3")["rollout.state"] == "PROMOTED"
        assert store.pending_outbox("alias") == () and len(store.events()) == before
        assert reconcile(store, registry).written == 0
        assert verify_tags(store, registry) > 30
    finally:
        server.stop()
