import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.planes.embedded import EmbeddedPlane, StaleSnapshotError
from countenance.rollout.planes.plane import TrafficPlane
from countenance.rollout.planes.snapshot import route

from .places import NOON, SALT, Clock, snapshot


def somebody_in_the_canary() -> str:
    return next(key for key in (f"key {number}" for number in range(1000)) if route(key, snapshot(), SALT) == "v2")


KEY = somebody_in_the_canary()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plane(clock: Clock) -> EmbeddedPlane:
    return EmbeddedPlane("gate", SALT, clock=clock)


def test_a_request_is_told_who_answers_who_scores_beside_and_each_ones_threshold(plane: EmbeddedPlane) -> None:
    plane.apply(snapshot())
    routed = plane.route(subject=KEY)
    assert (routed.release, routed.beside, routed.threshold) == ("v2", "v1", 0.55)
    assert (routed.champion, routed.candidate, routed.by_candidate) == ("v1", "v2", True)
    assert (routed.epoch, routed.stage_key) == (7, "canary:2")
    nobody = plane.route(subject=None)
    assert not nobody.by_candidate
    assert (nobody.release, nobody.beside, nobody.threshold, nobody.thresholds["v2"]) == ("v1", "v2", 0.4, 0.55)


def test_nothing_is_scored_beside_where_the_policy_compares_arms(plane: EmbeddedPlane) -> None:
    plane.apply(snapshot(shadow=False))
    assert plane.route(subject=KEY).beside is None


def test_a_site_routes_where_the_policy_says_so(plane: EmbeddedPlane) -> None:
    plane.apply(snapshot(route_by="site"))
    assert plane.route(subject="anybody", site=KEY).release == "v2"
    assert plane.route(subject=KEY, site=None).release == "v1"


def test_before_the_first_snapshot_nothing_is_routed(plane: EmbeddedPlane) -> None:
    assert plane.heartbeat() is None and not plane.expired()
    with pytest.raises(RolloutError, match="no routing snapshot yet"):
        plane.route(subject=KEY)


def test_after_its_lifetime_without_news_the_champion_answers_everybody(plane: EmbeddedPlane, clock: Clock) -> None:
    plane.apply(snapshot())
    clock.wait(59.9)
    assert plane.route(subject=KEY).release == "v2"
    clock.wait(0.1)
    assert plane.expired()
    assert plane.route(subject=KEY).release == "v1"
    assert plane.route(subject=KEY).beside is None
    assert plane.route(subject=KEY).threshold == 0.4


def test_news_ends_the_fallback(plane: EmbeddedPlane, clock: Clock) -> None:
    plane.apply(snapshot())
    clock.wait(100)
    plane.apply(snapshot(made_at=NOON + timedelta(seconds=100)))
    assert plane.route(subject=KEY).release == "v2"


def test_the_same_snapshot_again_is_no_news(plane: EmbeddedPlane, clock: Clock) -> None:
    plane.apply(snapshot())
    clock.wait(30)
    plane.apply(snapshot())
    clock.wait(30)
    assert plane.expired()


def test_a_snapshot_that_took_a_while_to_arrive_lives_shorter(plane: EmbeddedPlane, clock: Clock) -> None:
    plane.apply(snapshot(), age=timedelta(seconds=50))
    clock.wait(9)
    assert not plane.expired()
    clock.wait(1)
    assert plane.expired()


def test_a_clock_ahead_of_ours_gives_no_longer_life(plane: EmbeddedPlane, clock: Clock) -> None:
    plane.apply(snapshot(), age=timedelta(seconds=-3600))
    clock.wait(60)
    assert plane.expired()


def test_a_dead_controller_is_noticed_though_the_database_lives(plane: EmbeddedPlane, clock: Clock) -> None:
    for second in range(0, 61, 20):
        plane.apply(snapshot(made_at=NOON + timedelta(seconds=second), controller_at=NOON))
        assert plane.expired() == (second == 60)
        clock.wait(20)


def test_a_stale_epoch_is_refused_and_changes_nothing(plane: EmbeddedPlane) -> None:
    plane.apply(snapshot())
    late = NOON + timedelta(seconds=30)
    with pytest.raises(StaleSnapshotError, match="epoch 6 is older than the plane's, of epoch 7"):
        plane.apply(snapshot(epoch=6, share=1.0, made_at=late))
    with pytest.raises(StaleSnapshotError):
        plane.apply(snapshot(share=1.0))  # the same reading, told otherwise
    assert plane.current() == snapshot() and plane.heartbeat() == 7


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=12))
def test_in_whatever_order_news_arrives_the_newest_is_kept(arrivals: list[tuple[int, int]]) -> None:
    plane = EmbeddedPlane("gate", SALT)
    kept: tuple[int, int] | None = None
    for epoch, second in arrivals:
        # What an epoch says follows from it, as in the store; shares fall as epochs grow, as in a rollback.
        told = snapshot(epoch=epoch, share=1 / epoch, made_at=NOON + timedelta(seconds=second))
        try:
            plane.apply(told)
        except StaleSnapshotError:
            assert kept is not None and (epoch, second) < kept
        kept = max(kept or (0, 0), (epoch, second))
        assert (plane.heartbeat(), plane.current().share) == (kept[0], 1 / kept[0])


def test_another_models_snapshot_is_refused(plane: EmbeddedPlane) -> None:
    with pytest.raises(RolloutError, match="of the model 'door'"):
        plane.apply(snapshot(model="door"))


def test_drops_of_the_shadow_are_counted(plane: EmbeddedPlane) -> None:
    threads = [threading.Thread(target=lambda: [plane.drop() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plane.dropped() == 2000


def test_requests_see_whole_snapshots_only_while_one_follows_another() -> None:
    plane = EmbeddedPlane("gate", SALT)
    plane.apply(snapshot(epoch=1, champion="v1", candidate="v2", thresholds={"v1": 1.0, "v2": 2.0}, stage_key="1"))
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            routed = plane.route(subject=KEY)
            # Epoch n has champion v<n>, candidate v<n+1>, each with its own number as threshold.
            names = {f"v{routed.epoch}": float(routed.epoch), f"v{routed.epoch + 1}": float(routed.epoch + 1)}
            if dict(routed.thresholds) != names or routed.release not in names or routed.stage_key != str(routed.epoch):
                wrong.append(routed)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2, 2000):
        names = {f"v{number}": float(number), f"v{number + 1}": float(number + 1)}
        first, second = names
        plane.apply(snapshot(epoch=number, champion=first, candidate=second, thresholds=names, stage_key=str(number)))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_an_embedded_plane_is_a_traffic_plane(plane: EmbeddedPlane) -> None:
    taken: TrafficPlane = plane
    taken.apply(snapshot())
    assert taken.heartbeat() == 7
