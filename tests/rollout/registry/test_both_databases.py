"""Registry, messages and verbs on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from countenance.commands import main
from countenance.commands.rollout_opening import SECRET_VARIABLE
from countenance.rollout.notifications.delivering import deliver_due
from countenance.rollout.notifications.log_file import LogFile
from countenance.rollout.registry.reconciling import reconcile
from countenance.rollout.registry.verification import verify_tags
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from ..scenes import ANNA, LATER, bootstrapped, led_to
from .board import Board

SIGNED = ["--as", "anna", "--reason", "The gate was closed."]


def test_a_registry_is_repaired_and_messages_are_delivered(any_store: RolloutStore, tmp_path: Path) -> None:
    board, log = Board.of("v1", "v2"), LogFile(tmp_path / "messages.jsonl")
    bootstrapped(any_store)
    led_to(any_store, Stage.CANARY)
    reconcile(any_store, board)
    board.point("canary", "1")
    assert len(reconcile(any_store, board).edits) == 1 and board.aliases()["canary"] == "v2"
    assert verify_tags(any_store, board) > 20
    delivered = deliver_due(any_store, [log], now=LATER)
    assert delivered.done == len(log.path.read_text().splitlines()) == 2 and delivered.waiting == 0


def test_the_verbs_work(
    any_store: RolloutStore, any_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, ANNA.secret.decode())
    bootstrapped(any_store)
    led_to(any_store, Stage.CANARY)
    for verb in ("status", "history", "verify", "labels"):
        assert main(["rollout", verb, "--store", any_url, "--json"]) == 0
        json.loads(capsys.readouterr().out)
    for verb, stage in (("pause", "PAUSED"), ("resume", "CANARY"), ("abort", "ROLLED_BACK")):
        assert main(["rollout", verb, "--store", any_url, "--json", *SIGNED]) == 0
        assert json.loads(capsys.readouterr().out)["stage"] == stage
    assert main(["rollout", "abort", "--store", any_url, *SIGNED]) == 0
    assert main(["rollout", "verify", "--store", any_url]) == 0
