from datetime import timedelta

import pytest

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.decisions import intake
from countenance.rollout.decisions.labels import LabelMessage, authenticate, sign_label, wanted
from countenance.rollout.store import RolloutStore

from ..scenes import NOON, hours, signed
from .requests import SECRET, asked, begun, labelled, told

MINUTE = timedelta(minutes=1)


def test_discordant_requests_need_a_label_most_and_then_the_oldest_that_were_drawn(any_service: RolloutStore) -> None:
    begun(any_service)
    first = asked(audit_probability=0.1)
    passed_over = asked(audit_probability=0.1, audited=False)
    apart = asked(candidate_match=False)
    done = asked(candidate_match=False)
    alone = asked(candidate_match=None)
    for number, decision in enumerate((first, passed_over, apart, done, alone)):
        intake.record(any_service, [decision], now=NOON + number * MINUTE)
    labelled(any_service, [done], now=NOON + hours(1))
    found = wanted(any_service, 10, now=NOON + hours(1))
    assert [(item.decision_id, item.discordant) for item in found] == [
        (apart.decision_id, True),
        (first.decision_id, False),
        (alone.decision_id, False),
    ]
    assert found[0].at == NOON + 2 * MINUTE
    assert wanted(any_service, 1, now=NOON + hours(1)) == found[:1]
    assert wanted(any_service, 0, now=NOON + hours(1)) == ()
    assert wanted(any_service, 10, within=hours(1), now=NOON + hours(1) + 3 * MINUTE) == found[2:]


def test_nobody_needs_labels_when_nothing_runs(service: RolloutStore) -> None:
    assert wanted(service, 10) == ()
    begun(service)
    intake.record(service, [asked()])
    service.command(signed(Act.ABORT, "v2", NOON), now=NOON)
    assert wanted(service, 10) == ()


def test_a_wanted_label_tells_nothing_of_the_person(service: RolloutStore) -> None:
    begun(service)
    intake.record(service, [asked(group="north", routing_key="somebody")])
    (item,) = wanted(service, 1)
    assert "north" not in repr(item) and "somebody" not in repr(item)


def test_a_message_goes_through_json_and_is_still_authentic() -> None:
    message = sign_label("request", mated=False, source="gate 3", secret=SECRET, model="countenance")
    authenticate(LabelMessage(**message.to_dict()), SECRET)  # type: ignore[arg-type]


def test_a_short_secret_or_no_source_is_refused() -> None:
    with pytest.raises(RolloutError, match="has 5 bytes: use at least 16"):
        sign_label("request", mated=True, source="gate", secret=b"short", model="countenance")
    with pytest.raises(RolloutError, match="has 5 bytes: use at least 16"):
        authenticate(told(asked()), b"short")
    with pytest.raises(RolloutError, match="names no source"):
        sign_label("request", mated=True, source="", secret=SECRET, model="countenance")
