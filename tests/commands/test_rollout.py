"""The operators' verbs, on real stores."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from countenance.commands import main
from countenance.commands.rollout import VERBS
from countenance.commands.rollout_opening import SECRET_VARIABLE
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from tests.rollout.scenes import ANNA, bootstrapped, led_to, promoted, step

SIGNED = ["--as", "anna", "--reason", "It was looked at."]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'rollouts.db'}"


@pytest.fixture
def store(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RolloutStore]:
    monkeypatch.setenv(SECRET_VARIABLE, ANNA.secret.decode())
    with RolloutStore.open(url, keys=[ANNA]) as opened:
        yield opened


@pytest.fixture
def run(url: str, store: RolloutStore, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(verb: str, *options: str, at: str = url) -> tuple[int, str, str]:
        status = main(["rollout", verb, "--store", at, *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def from_json(answer: tuple[int, str, str]) -> Any:
    assert answer[0] == 0 and answer[2] == ""
    return json.loads(answer[1])


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_is_quick_and_light(verb: str) -> None:
    heavy = ("numpy", "pandas", "pydantic", "sqlalchemy", "mlflow", "kedro", "torch")
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [name for name in {heavy} if name in sys.modules]))\n"
        f"from countenance.commands import main\nmain(['rollout', '{verb}', '--help'])\n"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout and time.perf_counter() - began < 5


def test_a_store_without_a_champion_says_so(run: Run) -> None:
    _, text, _ = run("status")
    assert "champion      none yet: bootstrap a release first" in text and "candidate     none: nothing runs" in text
    assert from_json(run("status", "--json"))["champion"] is None
    assert run("history")[1] == "Nothing has happened yet.\n"


def test_status_tells_who_answers_whom_and_what_is_missing(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    budget = {
        "amount": 500,
        "currency": "EUR",
        "cost_false_match": 100,
        "cost_false_non_match": 2,
        "worst_excess": 0.05,
        "requests_per_hour": 1000,
        "horizon": 600,
    }
    led_to(store, Stage.CANARY, budget=budget)
    store.beat(epoch=3)
    lease = store.lease("gate-7:4711", timedelta(minutes=5))
    code, text, _ = run("status")
    assert code == 0
    for part in (
        "champion      v1 since 2025-03-01 12:00:00 UTC; nobody before it",
        "candidate     v2 against v1, rollout 2",
        "stage         CANARY, step 1 of 2",
        "share         5.00% of the traffic",
        "0 of 300 labelled requests of this stage have matured.",
        "of 500.00 EUR left",
        "deadline      2025-03-03 12:00:00 UTC, passed",
        "alias moves",
        "heartbeat     0 seconds ago, epoch 3",
        "lease         gate-7:4711, until",
        "non-inferiority, e-value",
    ):
        assert part in text, part
    status = from_json(run("status", "--json"))
    candidate = status["candidate"]
    assert (candidate["release"], candidate["stage"], candidate["share"]) == ("v2", "CANARY", 0.05)
    assert candidate["money"]["currency"] == "EUR" and candidate["waits_for"]
    assert status["lease"] == {"holder": "gate-7:4711", "expires_at": lease.expires_at.isoformat(), "running": True}
    assert {row["name"] for row in candidate["evidence"]} >= {"harm, e-value", "group north", "labelled in all"}
    assert status["waiting"]["aliases"] == len(store.pending_outbox("alias"))
    assert status["head"] == store.head()


def test_after_the_end_of_a_rollout_the_status_tells_how_it_ended(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    run("abort", *SIGNED)
    assert "last rollout  v2 ROLLED_BACK" in run("status")[1]


def test_watch_shows_the_status_until_somebody_has_seen_enough(run: Run, store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    assert run("watch", "--once")[1].startswith("model         countenance, ")
    process = subprocess.Popen(
        [sys.executable, "-m", "countenance", "rollout", "watch", "--json", "--interval", "0.1", "--store", url],
        stdout=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, interrupts are ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["candidate"] is None
        led_to(store, Stage.SHADOW)
        seen = [json.loads(process.stdout.readline()) for _ in range(12)]
        assert seen[-1]["candidate"]["stage"] == "SHADOW"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        process.stdout.close()


def test_a_signature_is_given_when_it_is_asked_for(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    assert run("approve", *SIGNED)[::2] == (1, "No rollout is active: there is nothing to approve.\n")
    record = led_to(store, Stage.CANARY, deadline=10**9)
    code, _, error = run("approve", *SIGNED)
    assert code == 1 and error == (
        "The rollout of 'v2' is CANARY and waits for no signature: sign when one is asked for.\n"
    )
    while record.state.stage is not Stage.AWAITING_APPROVAL:
        record = step(store, record)
    assert "not 'v9'" in run("approve", *SIGNED, "--release", "v9")[2]
    told = from_json(run("approve", *SIGNED, "--json"))
    assert (told["release"], told["act"], told["signer"]) == ("v2", "promote", "anna")
    (approval,) = store.approvals(record.id)
    assert (approval.actor, approval.reason) == ("anna", "It was looked at.")
    assert "signed        anna; 1 must" in run("status")[1]


def test_pause_resume_and_abort_act_at_once(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    assert run("pause", *SIGNED) == (1, "", "Nothing runs: there is nothing to pause.\n")
    led_to(store, Stage.CANARY)
    assert from_json(run("pause", *SIGNED, "--json"))["stage"] == "PAUSED"
    assert "is PAUSED and cannot be paused" in run("pause", *SIGNED)[2]
    assert from_json(run("resume", *SIGNED, "--json"))["stage"] == "CANARY"
    code, text, _ = run("abort", *SIGNED)
    assert code == 0 and text == (
        "The rollout of 'v2' is ROLLED_BACK at 0% of the traffic: anna aborted the rollout: It was looked at.\n"
    )
    assert store.active() is None and store.champion() == "v1"


def test_an_abort_where_nothing_runs_does_nothing_and_is_no_error(
    run: Run, store: RolloutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    assert run("abort", *SIGNED) == (0, "Nothing runs: there is nothing to abort.\n", "")
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    assert run("abort", *SIGNED, "--release", "v9")[:2] == (0, "'v9' does not run: there is nothing to abort.\n")
    assert store.active() is not None


def test_a_rollback_returns_to_the_previous_champion(run: Run, store: RolloutStore) -> None:
    assert run("rollback", *SIGNED)[2] == "There is no champion yet: there is nothing to roll back.\n"
    bootstrapped(store)
    assert "no previous champion" in run("rollback", *SIGNED)[2]
    promoted(store, "v2")
    assert run("rollback", *SIGNED)[:2] == (0, "'v2' was taken back: 'v1' answers everybody again.\n")
    assert store.champion() == "v1"


def test_a_secret_comes_from_a_file_or_the_environment_and_must_be_the_operators_own(
    run: Run, store: RolloutStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    monkeypatch.delenv(SECRET_VARIABLE)
    assert f"put its secret into {SECRET_VARIABLE}" in run("pause", *SIGNED)[2]
    file = tmp_path / "key"
    assert "can't be read (No such file or directory)" in run("pause", *SIGNED, "--key-file", str(file))[2]
    file.write_text("another secret, mistyped\n")
    assert run("pause", *SIGNED, "--key-file", str(file))[2] == (
        "'anna' signed with another key before: give that operator's own key, or sign under another name.\n"
    )
    file.write_bytes(ANNA.secret + b"\n")
    assert run("pause", *SIGNED, "--key-file", str(file))[0] == 0


@pytest.mark.parametrize("verb", ["approve", "pause", "resume", "abort", "rollback"])
def test_nobody_signs_without_a_name_and_a_reason(verb: str, run: Run, store: RolloutStore) -> None:
    for options in (["--as", "anna"], ["--reason", "Why not."], ["--as", "anna", "--reason", "x", "--secret", "s"]):
        with pytest.raises(SystemExit) as stopped:
            run(verb, *options)
        assert stopped.value.code == 2


def test_an_empty_reason_is_none(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    assert "gives no reason" in run("abort", "--as", "anna", "--reason", " ")[2]


def test_history_tells_what_happened_and_who_answered_when(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    led_to(store, Stage.CANARY, "v3")
    run("rollback", *SIGNED)
    _, text, _ = run("history")
    assert "anna signed to bootstrap v1" in text and "moved: v2 BAKING → PROMOTED at 100%" in text
    events = from_json(run("history", "--json"))
    assert [event["sequence"] for event in events] == list(range(1, len(store.events()) + 1))
    assert from_json(run("history", "--json", "--limit", "2")) == events[-2:]
    about = from_json(run("history", "--json", "--release", "v3"))
    assert about and {event["payload"]["release"] for event in about} == {"v3"}
    before = from_json(run("history", "--json", "--at", "2025-03-01T12:30:00"))
    assert (before["champion"], before["candidate"]) == ("v1", None)
    # The scenes move everything at one moment, up to v3's canary; the rollback came today.
    then = from_json(run("history", "--json", "--at", "2025-03-01T13:00:00+00:00"))
    assert (then["champion"], then["candidate"], then["share"]) == ("v2", "v3", 0.05)
    assert run("history", "--at", "2099-01-01")[1].startswith("'v1' (champion since ")
    assert run("history", "--at", "2020-01-01")[1].startswith("Nobody answered at 2020-01-01")


def test_verify_says_what_was_checked(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    code, text, _ = run("verify")
    assert code == 0 and f"{len(store.events())} events" in text and store.head() in text
    told = from_json(run("verify", "--json", "--expected-head", store.head()))
    assert told["events"] == len(store.events()) and told["registry_values"] is None


def test_verify_names_what_was_tampered_with(run: Run, store: RolloutStore, tmp_path: Path) -> None:
    import sqlite3

    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "bias.json").write_text("{}")
    store.attach(record, "bias.json", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2)
    assert "1 evidence files were read again" in run("verify", "--evidence", str(evidence))[1]
    (evidence / "bias.json").write_text("[]")
    code, out, error = run("verify", "--evidence", str(evidence))
    assert (code, out) == (1, "") and "bias.json" in error and error.count("\n") == 1
    head = store.head()
    store.close()
    with sqlite3.connect(tmp_path / "rollouts.db") as connection:
        connection.execute("UPDATE rollout SET state = replace(state, '0.05', '0.95') WHERE id = 2")
    assert "'v2'" in run("verify")[2] or "rollout 2" in run("verify")[2]
    with sqlite3.connect(tmp_path / "rollouts.db") as connection:
        connection.execute("UPDATE rollout SET state = replace(state, '0.95', '0.05') WHERE id = 2")
        connection.execute("DROP TRIGGER IF EXISTS event_refuses_update")
        connection.execute("UPDATE event SET payload = replace(payload, 'anna', 'bert') WHERE sequence = 2")
    code, _, error = run("verify", "--expected-head", head)
    assert code == 1 and "event 2" in error and error.count("\n") == 1


def test_a_verb_makes_no_store_where_there_is_none(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "elsewhere.db"
    for verb in ("status", "history", "verify", "labels"):
        code, _, error = run(verb, at=f"sqlite:///{missing}")
        assert code == 1 and error == (
            f"There is no rollout store at {missing}: check --store, or start a rollout first.\n"
        )
    assert not missing.exists()
    assert run("status", at="nonsense")[0] == 1


def test_a_folder_that_is_no_project_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollout", "status", "--project", str(tmp_path)]) == 1
    assert "names no project that has a rollout store" in capsys.readouterr().err


def test_other_models_of_a_store_are_another_matter(run: Run, store: RolloutStore) -> None:
    bootstrapped(store)
    assert from_json(run("status", "--json", "--model", "voices"))["champion"] is None
    assert from_json(run("history", "--json", "--model", "voices")) == []


def test_labels_are_asked_for_where_they_say_most(run: Run, store: RolloutStore) -> None:
    assert "No request of an active rollout lacks a label" in run("labels")[1]
    assert from_json(run("labels", "--json")) == []
