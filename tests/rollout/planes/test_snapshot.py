from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.planes.snapshot import RoutingSnapshot, route
from countenance.rollout.traffic import routing_key

from .places import NOON, SALT, snapshot

KEYS = st.text(min_size=1, max_size=40)
SHARES = st.integers(0, 10_000).map(lambda count: count / 10_000)


def test_a_key_of_known_standing_is_routed_as_computed_by_hand() -> None:
    # printf %s ana | openssl dgst -sha256 -hmac "the salt of this model": 8 bytes, big endian, mod 10,000.
    import hashlib
    import hmac

    stands = int(hmac.new(SALT, b"ana", hashlib.sha256).hexdigest()[:16], 16) % 10_000
    assert route("ana", snapshot(share=(stands + 1) / 10_000), SALT) == "v2"
    assert route("ana", snapshot(share=stands / 10_000), SALT) == "v1"


@given(key=KEYS, shares=st.lists(SHARES, min_size=2, max_size=6).map(sorted))
def test_a_growing_share_only_adds_people(key: str, shares: list[float]) -> None:
    answers = [route(key, snapshot(share=share), SALT) for share in shares]
    assert answers == sorted(answers)  # all "v1" come before the first "v2"


@given(key=KEYS, share=SHARES)
def test_the_same_key_is_answered_alike_by_every_plane_and_after_every_restart(key: str, share: float) -> None:
    one, other = snapshot(share=share), snapshot(share=share, epoch=99, made_at=NOON + timedelta(days=3))
    assert route(key, one, SALT) == route(key, other, bytes(SALT))


@given(key=KEYS)
def test_a_share_of_nothing_reaches_nobody_and_a_whole_one_everybody(key: str) -> None:
    assert route(key, snapshot(share=0.0), SALT) == "v1"
    assert route(key, snapshot(share=1.0), SALT) == "v2"
    assert route(key, snapshot(candidate=None, share=0.0, shadow=False), SALT) == "v1"


def test_whoever_has_no_key_is_answered_by_the_champion() -> None:
    assert route(None, snapshot(share=1.0), SALT) == "v1"


def test_a_quarter_of_the_people_is_about_a_quarter() -> None:
    keys = [routing_key(f"person {number}", b"secret") for number in range(4000)]
    answered = sum(route(key, snapshot(), SALT) == "v2" for key in keys)
    assert abs(answered / 4000 - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5


def test_another_model_exposes_other_people() -> None:
    keys = [routing_key(f"person {number}", b"secret") for number in range(2000)]
    both = sum(route(key, snapshot(), SALT) == route(key, snapshot(), b"another salt") == "v2" for key in keys)
    assert 70 < both < 185  # 1/16 of 2,000 is 125; the same people twice would be 500


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"share": 1.5}, "not within 0 and 1"),
        ({"share": float("nan")}, "not within 0 and 1"),
        ({"candidate": None}, "gives traffic to no candidate"),
        ({"candidate": "v1"}, "as champion and as candidate"),
        ({"thresholds": {"v1": 0.4}}, "no threshold of 'v2'"),
        ({"thresholds": {"v1": 0.4, "v2": float("inf")}}, "not a finite number"),
        ({"made_at": datetime(2026, 3, 1)}, "without a time zone"),
        ({"ttl": timedelta(0)}, "no lifetime"),
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(RolloutError, match=problem):
        snapshot(**changes)


def test_thresholds_cannot_be_changed_under_a_reader() -> None:
    given_thresholds = {"v1": 0.4, "v2": 0.55}
    made = snapshot(thresholds=given_thresholds)
    given_thresholds["v1"] = 0.0
    assert made.thresholds["v1"] == 0.4
    with pytest.raises(TypeError):
        made.thresholds["v1"] = 0.0  # type: ignore[index]


def test_a_later_event_or_a_later_reading_of_the_same_one_is_newer() -> None:
    present, later = snapshot(), NOON + timedelta(seconds=1)
    assert snapshot(epoch=8, made_at=NOON - timedelta(hours=1)).newer_than(present)
    assert snapshot(made_at=later).newer_than(present)
    assert not present.newer_than(present)
    assert not snapshot(epoch=6, made_at=later).newer_than(present)


def test_without_its_candidate_a_snapshot_keeps_champion_and_thresholds() -> None:
    left = snapshot().without_candidate()
    assert (left.champion, left.candidate, left.share, left.shadow) == ("v1", None, 0.0, False)
    assert left.releases == ("v1",) and left.thresholds["v1"] == 0.4
    assert isinstance(left, RoutingSnapshot)
