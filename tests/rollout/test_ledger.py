from dataclasses import replace

import pytest

from countenance.errors import RolloutError
from countenance.rollout.ledger import GENESIS, Event, canonical_json, link_hash, verify_links

from .scenes import NOON


def chain(count: int) -> list[Event]:
    events, before = [], GENESIS
    for sequence in range(1, count + 1):
        bare = Event(
            sequence=sequence,
            model="faces",
            rollout=1,
            at=NOON,
            kind="moved",
            payload={"share": 0.05 * sequence},
            previous_hash=before,
            hash="",
        )
        events.append(replace(bare, hash=link_hash(bare)))
        before = events[-1].hash
    return events


def test_one_value_has_one_text_whatever_the_order_of_its_keys() -> None:
    assert canonical_json({"b": 1, "a": [1, "ü"]}) == canonical_json({"a": [1, "ü"], "b": 1}) == '{"a":[1,"ü"],"b":1}'


def test_a_number_that_is_none_cannot_be_hashed() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_an_untouched_chain_verifies_and_tells_its_length() -> None:
    assert verify_links(chain(4)) == 4
    assert verify_links([]) == 0


@pytest.mark.parametrize("change", [{"payload": {"share": 1.0}}, {"kind": "started"}, {"rollout": 2}, {"model": "x"}])
def test_any_changed_field_breaks_the_chain_at_that_event(change: dict[str, object]) -> None:
    events = chain(4)
    events[2] = replace(events[2], **change)  # type: ignore[arg-type]
    with pytest.raises(RolloutError, match="broken at event 3"):
        verify_links(events)


def test_a_rehashed_event_breaks_the_chain_at_its_successor() -> None:
    events = chain(4)
    forged = replace(events[1], payload={"share": 1.0})
    events[1] = replace(forged, hash=link_hash(forged))
    with pytest.raises(RolloutError, match="broken at event 3"):
        verify_links(events)


def test_a_removed_event_is_named() -> None:
    events = chain(4)
    del events[1]
    with pytest.raises(RolloutError, match="broken at event 2"):
        verify_links(events)


def test_lost_newest_events_are_found_by_a_hash_noted_elsewhere() -> None:
    events = chain(4)
    assert verify_links(events, expected_head=events[2].hash) == 4
    assert verify_links(events[:3]) == 3
    with pytest.raises(RolloutError, match="broken after event 3"):
        verify_links(events[:3], expected_head=events[3].hash)
