"""The plane within a gateway's own process: one snapshot, swapped as a whole; no request waits for a lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from countenance.errors import RolloutError
from countenance.rollout.planes.snapshot import Routed, RoutingSnapshot, route


class StaleSnapshotError(RolloutError):
    """A snapshot that is older than the one a plane holds: its sender lost its place."""


@dataclass(frozen=True)
class _Held:
    """A snapshot, what takes its place when it has run out, and when that is (seconds of the plane's clock)."""

    snapshot: RoutingSnapshot
    fallback: RoutingSnapshot
    until: float


class EmbeddedPlane:
    """Routes the requests of one process.

    It holds the newest snapshot that it was given and goes on with it when nothing more comes, until the snapshot's
    lifetime has passed since the controller's last sign of life. From then on the champion answers everybody.

    Args:
        model: whose traffic it routes.
        salt: keys the sticky routing; the same on every plane of the model.
        clock: seconds that never go backwards; wall clocks are not asked.
    """

    def __init__(self, model: str, salt: bytes, *, clock: Callable[[], float] = time.monotonic):
        self._model = model
        self._salt = salt
        self._clock = clock
        self._held: _Held | None = None
        self._writing = threading.Lock()
        self._dropped = 0

    def apply(self, snapshot: RoutingSnapshot, *, age: timedelta = timedelta(0)) -> None:
        """Route by ``snapshot`` from the next request on; see ``TrafficPlane.apply``.

        The same snapshot again changes nothing: it is no news, and does not live longer for it.

        Raises:
            StaleSnapshotError: when the present snapshot is newer.
            RolloutError: when it is of another model.
        """
        if snapshot.model != self._model:
            raise RolloutError(
                f"A routing snapshot is of the model '{snapshot.model}', and the plane routes '{self._model}': give "
                "each plane its own model's."
            )
        left = snapshot.ttl - snapshot.age_when_made - max(age, timedelta(0))
        held = _Held(snapshot, snapshot.without_candidate(), self._clock() + left.total_seconds())
        with self._writing:
            if self._held is not None and not snapshot.newer_than(self._held.snapshot):
                if snapshot == self._held.snapshot:
                    return
                raise StaleSnapshotError(
                    f"A routing snapshot of epoch {snapshot.epoch} is older than the plane's, of epoch "
                    f"{self._held.snapshot.epoch}: read the rollout store again."
                )
            self._held = held

    def current(self) -> RoutingSnapshot:
        """The snapshot that requests are routed by now: without its candidate when it has run out.

        Raises:
            RolloutError: before the first one.
        """
        held = self._held  # read once: another thread may swap it at any moment
        if held is None:
            raise RolloutError(f"The plane of '{self._model}' has no routing snapshot yet: apply one before it serves.")
        return held.snapshot if self._clock() < held.until else held.fallback

    def expired(self) -> bool:
        """Whether the snapshot has run out, so that the champion answers everybody."""
        held = self._held
        return held is not None and self._clock() >= held.until

    def route(self, *, subject: str | None, site: str | None = None) -> Routed:
        """Where a request goes, by one snapshot as a whole.

        Args:
            subject: the routing key of the subject who asks or claims to be (an HMAC); None where nobody is named.
            site: the key of the site.

        Raises:
            RolloutError: before the first snapshot.
        """
        snapshot = self.current()
        release = route(site if snapshot.route_by == "site" else subject, snapshot, self._salt)
        other = snapshot.candidate if release == snapshot.champion else snapshot.champion
        return Routed(
            release=release,
            beside=other if snapshot.shadow else None,
            champion=snapshot.champion,
            candidate=snapshot.candidate,
            thresholds=snapshot.thresholds,
            epoch=snapshot.epoch,
            stage_key=snapshot.stage_key,
        )

    def heartbeat(self) -> int | None:
        """The epoch of the snapshot it holds; None before the first."""
        held = self._held
        return None if held is None else held.snapshot.epoch

    def drop(self) -> None:
        """Count a request that the shadow should have scored and had no room for."""
        with self._writing:
            self._dropped += 1

    def dropped(self) -> int:
        """How many requests the shadow dropped since the plane was made."""
        with self._writing:
            return self._dropped
