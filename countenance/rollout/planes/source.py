"""How planes hear of moves: a snapshot read from the rollout store, and the thread that follows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta
from typing import Final, Protocol

from countenance.errors import RolloutError
from countenance.rollout.decisions.papers import recorded_threshold
from countenance.rollout.planes.plane import TrafficPlane
from countenance.rollout.planes.snapshot import DEFAULT_TTL, RoutingSnapshot
from countenance.rollout.planes.ticking import Ticker
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Standing
from countenance.rollout.state import RolloutState, Stage

POLL_S: Final = 0.02
"""Seconds between two looks for news: one indexed number is read, so that a rollback is on every plane at once."""

REFRESH_S: Final = 1.0
"""Seconds after which a snapshot is read again though nothing moved, so that it lives on."""

BEAT_S: Final = 5.0
"""Seconds between two signs of life of a plane."""

_ON_THE_PLANE: Final = (Stage.SHADOW, Stage.CANARY, Stage.BAKING)


class Source(Protocol):
    """Where a follower gets its snapshots from."""

    def mark(self) -> Hashable:
        """Cheap to ask; another value when there may be news."""
        ...

    def read(self) -> tuple[RoutingSnapshot, timedelta]:
        """The present snapshot and how long ago it was made."""
        ...


def snapshot_of(
    standing: Standing, thresholds: Callable[[str], float], *, ttl: timedelta = DEFAULT_TTL
) -> RoutingSnapshot:
    """What planes are told of a store at one moment.

    The candidate is on the plane from SHADOW to BAKING, side states included: a rollout that waits or is paused keeps
    its share. Both models score every request in the shadow, and later too where the policy compares pairs.

    Args:
        standing: as the store tells it.
        thresholds: the calibrated threshold of a release.
        ttl: how long a plane trusts it without news.

    Raises:
        RolloutError: before the first champion, or when a threshold is missing.
    """
    if standing.champion is None:
        raise RolloutError(f"The model '{standing.model}' has no champion to route to: bootstrap one first.")
    active = standing.active
    state = None if active is None or not _routed(active.state) else active.state
    policy = None if active is None else active.policy
    releases = (standing.champion,) if state is None else (standing.champion, state.release)
    return RoutingSnapshot(
        model=standing.model,
        epoch=standing.epoch,
        champion=standing.champion,
        candidate=None if state is None else state.release,
        share=0.0 if state is None else state.share,
        shadow=state is not None
        and (state.base is Stage.SHADOW or policy is None or policy.canary_comparison == "paired"),
        route_by="subject" if policy is None else policy.route_by,
        thresholds={release: thresholds(release) for release in releases},
        made_at=standing.now,
        controller_at=standing.controller_at,
        ttl=ttl,
        head=standing.head,
        stage_key="" if state is None else state.stage_key,
    )


def recorded_thresholds(reader: RolloutReader) -> Callable[[str], float]:
    """The threshold of a release, as it came into the store with the release: it travels with the version.

    What is returned raises RolloutError where none is recorded.
    """

    def threshold(release: str) -> float:
        found = recorded_threshold(reader, release)
        if found is None:
            raise RolloutError(
                f"The threshold of '{release}' is not recorded, and without it no score says match: start its rollout "
                "with its preconditions, or give the threshold."
            )
        return found

    return threshold


class StoreSource:
    """Snapshots straight from the rollout store; many planes may follow one.

    Args:
        reader: of the store; it is used from the follower's thread.
        thresholds: the calibrated threshold of a release; None: as it came into the store with the release.
        ttl: how long a plane trusts a snapshot without news.
    """

    def __init__(
        self,
        reader: RolloutReader,
        thresholds: Callable[[str], float] | None = None,
        *,
        ttl: timedelta = DEFAULT_TTL,
    ):
        self._reader = reader
        self._thresholds = thresholds or recorded_thresholds(reader)
        self._ttl = ttl

    def mark(self) -> Hashable:
        """The number of the store's last event: any move makes it grow."""
        return self._reader.epoch()

    def read(self) -> tuple[RoutingSnapshot, timedelta]:
        """The present snapshot; it was made this moment.

        Raises:
            RolloutError: before the first champion, or when a threshold is missing.
        """
        return snapshot_of(self._reader.standing(), self._thresholds, ttl=self._ttl), timedelta(0)


class Follower(Ticker):
    """A thread that brings a source's snapshots to planes within ``every`` seconds of a move.

    In the process that moves the store, ``store.listen(follower.poke)`` makes it look at once.

    Args:
        source: where the snapshots come from.
        planes: who gets them.
        every: seconds between two looks for news; at most 0.05, or a rollback would take its time.
        refresh: seconds after which a snapshot is read again though nothing moved.
    """

    def __init__(
        self, source: Source, planes: Sequence[TrafficPlane], *, every: float = POLL_S, refresh: float = REFRESH_S
    ):
        if not 0 < every <= 0.05:
            raise RolloutError(f"A follower cannot look every {every:g} s: give seconds above 0 and at most 0.05.")
        super().__init__("countenance-routing-follower", self.look, every=every)
        self._source = source
        self._planes = tuple(planes)
        self._refresh = refresh
        self._seen: Hashable = None
        self._read_at = float("-inf")

    def look(self) -> None:
        """Look once: bring the planes what is new. The thread does this; call it to begin with a snapshot in place.

        Raises:
            RolloutError: when the source has no snapshot, or a plane refuses it.
        """
        mark = self._source.mark()
        if mark == self._seen and time.monotonic() - self._read_at < self._refresh:
            return
        snapshot, age = self._source.read()
        refusals = [refusal for plane in self._planes if (refusal := _refusal(plane, snapshot, age)) is not None]
        if refusals:
            raise refusals[0]
        self._seen, self._read_at = mark, time.monotonic()


class Pulse(Ticker):
    """A thread that tells the store that a plane lives.

    It is a thread of its own: its write may wait for another writer, and news of a rollback must not.

    Args:
        plane: whose sign of life it is.
        beat: takes the epoch that the plane routes by: ``lambda epoch: store.beat(epoch=epoch)``.
        every: seconds between two; a fraction of what the policy's ``heartbeat`` allows.
    """

    def __init__(self, plane: TrafficPlane, beat: Callable[[int], None], *, every: float = BEAT_S):
        super().__init__("countenance-plane-heartbeat", self.tell, every=every)
        self._plane = plane
        self._beat = beat

    def tell(self) -> None:
        """Give one sign of life; before the first snapshot there is none to give."""
        epoch = self._plane.heartbeat()
        if epoch is not None:
            self._beat(epoch)


def _refusal(plane: TrafficPlane, snapshot: RoutingSnapshot, age: timedelta) -> RolloutError | None:
    """What a plane said against a snapshot: the other planes get it all the same, before it is told."""
    try:
        plane.apply(snapshot, age=age)
    except RolloutError as refusal:
        return refusal
    return None


def _routed(state: RolloutState) -> bool:
    return not state.stage.ended and state.base in _ON_THE_PLANE
