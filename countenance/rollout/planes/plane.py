"""What every traffic plane does, whatever it is made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from countenance.rollout.planes.snapshot import RoutingSnapshot


class TrafficPlane(Protocol):
    """Takes snapshots, and says which one it routes by."""

    def apply(self, snapshot: RoutingSnapshot, *, age: timedelta = timedelta(0)) -> None:
        """Route by ``snapshot`` from now on.

        Args:
            snapshot: as it was made.
            age: how long ago that was, where it took a while to arrive.

        Raises:
            RolloutError: when it is of another model, or older than the present one.
        """
        ...

    def heartbeat(self) -> int | None:
        """The epoch that requests are routed by; None before the first snapshot."""
        ...
