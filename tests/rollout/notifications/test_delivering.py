"""Messages reach the operators: a log exactly once, a webhook at least once, whatever fails on the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from countenance.configuration import narrow
from countenance.errors import ConfigurationError, RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.notifications import delivering
from countenance.rollout.notifications.configuration import NotificationConfiguration, channels_of
from countenance.rollout.notifications.delivering import deliver_due
from countenance.rollout.notifications.log_file import LogFile
from countenance.rollout.notifications.message import message_of, signature, verify_signature
from countenance.rollout.notifications.webhook import Webhook
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from ..scenes import ANNA, LATER, bootstrapped, hours, led_to, signed
from .receiver import Receiver, receiving

SECRET = b"the webhook's own secret"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "told" / "messages.jsonl")


def lines(log: LogFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.path.read_text().splitlines()]


def stopped_canary(store: RolloutStore) -> int:
    """A rollout that tells of its bootstrap, its signature and its end; returns how many messages wait."""
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    store.command(signed(Act.ABORT, "v2", LATER, reason="The gate was closed."), now=LATER)
    return len(store.pending_outbox("notify"))


def test_every_message_of_a_move_reaches_both_channels_in_order(
    store: RolloutStore, log: LogFile, receiver: Receiver
) -> None:
    waiting = stopped_canary(store)
    assert waiting >= 2
    delivered = deliver_due(store, [log, Webhook(receiver.url, SECRET)], now=LATER)
    assert (delivered.done, delivered.waiting, delivered.failures) == (waiting, 0, ())
    told = lines(log)
    assert [json.loads(body) for _, body in receiver.came] == told
    assert told[-1]["message"] == "anna aborted the rollout: The gate was closed."
    assert (told[-1]["stage"], told[-1]["share"], told[-1]["release"]) == ("ROLLED_BACK", 0.0, "v2")
    assert [each["event"] for each in told] == sorted(each["event"] for each in told)
    assert deliver_due(store, [log, Webhook(receiver.url, SECRET)], now=LATER).done == 0
    assert len(receiver.came) == waiting


def test_a_wish_for_a_signature_is_told(store: RolloutStore, log: LogFile) -> None:
    bootstrapped(store)
    led_to(store, Stage.AWAITING_APPROVAL)
    deliver_due(store, [log], now=LATER)
    assert [(each["kind"], each.get("act")) for each in lines(log)][-1] == ("approval_wanted", "promote")


def test_a_message_carries_a_signature_that_its_receiver_can_check(store: RolloutStore, receiver: Receiver) -> None:
    stopped_canary(store)
    deliver_due(store, [Webhook(receiver.url, SECRET)], now=LATER)
    headers, body = receiver.came[0]
    timestamp, given = headers["x-countenance-timestamp"], headers["x-countenance-signature"]
    assert int(timestamp) == LATER.timestamp() and headers["idempotency-key"] == json.loads(body)["id"]
    verify_signature(SECRET, timestamp, given, body, now=LATER)
    for changed in (
        {"secret": b"another secret of a stranger"},
        {"body": body.replace(b"v2", b"v3").replace(b"v1", b"v3")},
        {"timestamp": str(int(timestamp) + 1)},
    ):
        what: dict[str, Any] = {"secret": SECRET, "timestamp": timestamp, "given": given, "body": body} | changed
        with pytest.raises(RolloutError, match="wrong signature"):
            verify_signature(**what, now=LATER)
    with pytest.raises(RolloutError, match="too far from now"):
        verify_signature(SECRET, timestamp, given, body, now=LATER + hours(1))


def test_the_signature_is_the_one_that_openssl_makes() -> None:
    # printf '1700000000.what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe
    expected = "v1=1cdd0650c8be1cb0974b1788d458b1e781206cfef59b85faafc582d2e182c57e"
    assert signature(b"Jefe", "1700000000", b"what do ya want for nothing?") == expected


def test_a_webhook_that_fails_is_tried_again_with_growing_waits_and_the_same_key(
    store: RolloutStore, log: LogFile, receiver: Receiver
) -> None:
    bootstrapped(store)
    (job,) = store.pending_outbox("notify")
    receiver.answers = [500, 404, 429]
    channels = [log, Webhook(receiver.url, SECRET)]
    now, waits = LATER, []
    for attempt in range(1, 4):
        delivered = deliver_due(store, channels, now=now)
        assert (delivered.done, delivered.waiting) == (0, 1) and "sent again later" in delivered.failures[0]
        (kept,) = store.pending_outbox("notify")
        assert kept.attempts == attempt and kept.next_attempt_at is not None and kept.error == delivered.failures[0]
        assert deliver_due(store, channels, now=kept.next_attempt_at - timedelta(seconds=1)).done == 0
        waits.append(kept.next_attempt_at - now)
        now = kept.next_attempt_at
    assert [wait.total_seconds() for wait in waits] == [2, 4, 8]
    assert deliver_due(store, channels, now=now).done == 1
    assert set(receiver.keys) == {message_of(job, "countenance").key} and len(receiver.keys) == 4
    assert len(lines(log)) == 1


def test_after_an_hour_without_a_receiver_everything_arrives_once(store: RolloutStore, log: LogFile) -> None:
    waiting = stopped_canary(store)
    with receiving() as gone:
        url = gone.url
    now = LATER
    for _ in range(60):
        now += timedelta(minutes=1)
        delivered = deliver_due(store, [log, Webhook(url, SECRET, timeout=0.5)], now=now)
        # One that fails is left alone for the rest of a call.
        assert len(delivered.failures) <= 1 and "a-secret-path" not in str(delivered.failures)
    assert len(store.pending_outbox("notify")) == waiting
    with receiving() as back:
        for _ in range(3):
            now += hours(1)
            deliver_due(store, [log, Webhook(back.url, SECRET)], now=now)
        assert len(back.keys) == len(set(back.keys)) == waiting == len(lines(log))


def test_an_answer_that_is_too_slow_or_cut_off_or_sends_elsewhere_is_no_delivery(
    store: RolloutStore, receiver: Receiver
) -> None:
    bootstrapped(store)
    hook = Webhook(receiver.url, SECRET, timeout=0.2)
    receiver.slow = 0.6
    assert "TimeoutError" in deliver_due(store, [hook], now=LATER).failures[0]
    receiver.slow, receiver.cut = 0.0, True
    assert "RemoteDisconnected" in deliver_due(store, [hook], now=LATER + hours(1)).failures[0]
    receiver.cut, receiver.answers = False, [307]
    assert "answered 307" in deliver_due(store, [hook], now=LATER + hours(2)).failures[0]
    assert deliver_due(store, [hook], now=LATER + hours(4)).done == 1
    # The receiver took some of those that we could not know of; the key says that they are one message.
    assert len(receiver.keys) == 4 and len(set(receiver.keys)) == 1


def test_a_log_that_cannot_be_written_does_not_keep_the_webhook_waiting(
    store: RolloutStore, tmp_path: Path, receiver: Receiver
) -> None:
    bootstrapped(store)
    (tmp_path / "folder").write_text("no folder")
    log = LogFile(tmp_path / "folder" / "messages.jsonl")
    delivered = deliver_due(store, [log, Webhook(receiver.url, SECRET)], now=LATER)
    assert "can't be written" in delivered.failures[0] and len(receiver.came) == 1
    (tmp_path / "folder").unlink()
    assert deliver_due(store, [log, Webhook(receiver.url, SECRET)], now=LATER + hours(1)).done == 1
    assert len(receiver.came) == len(lines(log)) == 1


def test_without_a_channel_messages_stay(store: RolloutStore) -> None:
    waiting = stopped_canary(store)
    assert deliver_due(store, [], now=LATER).done == 0
    assert len(store.pending_outbox("notify")) == waiting


def test_a_line_that_a_kill_cut_off_is_written_whole(store: RolloutStore, log: LogFile) -> None:
    bootstrapped(store)
    (job,) = store.pending_outbox("notify")
    message = message_of(job, "countenance")
    log.path.parent.mkdir()
    log.path.write_bytes(b'{"id":"of another store"}\n' + message.body[:40])
    deliver_due(store, [log], now=LATER)
    assert [each["id"] for each in lines(log)] == ["of another store", message.key]


def test_a_payload_says_nothing_but_what_is_listed(store: RolloutStore, log: LogFile) -> None:
    bootstrapped(store)
    led_to(store, Stage.AWAITING_APPROVAL)
    deliver_due(store, [log], now=LATER)
    allowed = {"kind", "release", "message", "stage", "share", "act", "rollout", "event", "model", "job", "at", "id"}
    assert all(set(each) <= allowed for each in lines(log))


def die(moment: str, url: str, log: Path, hook: str) -> None:
    """Deliver in a process of its own, and be killed there."""

    def killed(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "before the note":
        delivering._note = killed  # type: ignore[assignment]
    with RolloutStore.open(url, keys=[ANNA]) as store:
        if moment == "before the end":
            store.mark_done = killed  # type: ignore[assignment,method-assign]
        deliver_due(store, [LogFile(log), Webhook(hook, SECRET)], now=LATER)


@pytest.mark.parametrize("moment", ["before the note", "before the end"])
def test_a_kill_between_delivery_and_its_note_writes_no_second_line_and_sends_the_same_key(
    store: RolloutStore, url: str, log: LogFile, receiver: Receiver, moment: str
) -> None:
    waiting = stopped_canary(store)
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=die, args=(moment, url, log.path, receiver.url))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    assert deliver_due(store, [log, Webhook(receiver.url, SECRET)], now=LATER).done == waiting
    assert len(lines(log)) == waiting == len({each["id"] for each in lines(log)})
    assert set(receiver.keys) == {each["id"] for each in lines(log)}
    assert store.pending_outbox("notify") == ()


def test_configuration_names_channels_and_hides_its_secret(tmp_path: Path) -> None:
    values = {"log": "told.jsonl", "webhook": {"url": "https://operators.example/hook", "secret": SECRET.decode()}}
    configuration = narrow(NotificationConfiguration, values, where="parameters_rollout.yml")
    log, hook = channels_of(configuration, tmp_path)
    assert log == LogFile(tmp_path / "told.jsonl")
    assert (
        hook == Webhook("https://operators.example/hook", SECRET) and hook.name == "webhook https://operators.example"
    )
    assert SECRET.decode() not in repr(configuration) + repr(hook)
    assert channels_of(NotificationConfiguration(), tmp_path) == ()
    with pytest.raises(ConfigurationError, match="begins with https:// or http://"):
        narrow(NotificationConfiguration, {"webhook": {"url": "file:///etc", "secret": "x" * 16}}, where="here")


def test_the_database_s_clock_signs_where_no_moment_is_given(store: RolloutStore, receiver: Receiver) -> None:
    bootstrapped(store)
    deliver_due(store, [Webhook(receiver.url, SECRET)])
    headers, body = receiver.came[0]
    now = datetime.now(UTC)
    verify_signature(SECRET, headers["x-countenance-timestamp"], headers["x-countenance-signature"], body, now=now)
