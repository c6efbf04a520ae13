"""Who answers whom at one moment: the routing snapshot, and the pure rule that reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from countenance.errors import RolloutError
from countenance.rollout.traffic import sticky_share

DEFAULT_TTL = timedelta(minutes=5)
"""How long a plane trusts a snapshot without news: a few steps of a controller that runs every minute."""


@dataclass(frozen=True, kw_only=True)
class RoutingSnapshot:
    """What a traffic plane needs to know; made from the rollout store, and whole or not there at all.

    Args:
        model: whose traffic it is.
        epoch: number of the store's last event when it was read. A later move has a larger one.
        champion: the release that answers everybody who is in no canary.
        candidate: the release of the active rollout, if traffic reaches it.
        share: the part of the traffic that the candidate answers, 0 to 1.
        shadow: whether the one of the two that does not answer scores the request beside.
        route_by: who stays with one release: a subject, or a whole site.
        thresholds: by release, for champion and candidate: a comparison is accepted when its score is above. It
            travels with the version, since scores of two models have two scales.
        made_at: the moment it was read, by the database's clock.
        controller_at: the controller's last sign of life by the same clock; None: ``made_at``.
        ttl: how long it holds without news. Then the champion answers everybody.
        head: hash of the store's last event.
        stage_key: the stage of the active rollout, which every decision is recorded with.

    Raises:
        RolloutError: when the parts contradict one another.
    """

    model: str
    epoch: int
    champion: str
    candidate: str | None = None
    share: float = 0.0
    shadow: bool = False
    route_by: Literal["subject", "site"] = "subject"
    thresholds: Mapping[str, float] = field(default_factory=dict)
    made_at: datetime
    controller_at: datetime | None = None
    ttl: timedelta = DEFAULT_TTL
    head: str = ""
    stage_key: str = ""

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem is not None:
            raise RolloutError(
                f"A routing snapshot of '{self.model}' at epoch {self.epoch} {problem}: make it from the rollout store."
            )
        object.__setattr__(self, "thresholds", MappingProxyType(dict(self.thresholds)))

    @property
    def age_when_made(self) -> timedelta:
        """How long before ``made_at`` the controller last gave a sign of life."""
        return max(self.made_at - (self.controller_at or self.made_at), timedelta(0))

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that may be asked: the champion, then the candidate."""
        return (self.champion,) if self.candidate is None else (self.champion, self.candidate)

    def without_candidate(self) -> RoutingSnapshot:
        """The same moment with everybody answered by the champion."""
        return replace(self, candidate=None, share=0.0, shadow=False)

    def newer_than(self, other: RoutingSnapshot) -> bool:
        """Whether this one comes after ``other``: a later event, or the same one read later."""
        return (self.epoch, self.made_at) > (other.epoch, other.made_at)


@dataclass(frozen=True, kw_only=True)
class Routed:
    """Where one request goes, and what its decision is recorded with.

    ``release`` answers it. ``beside`` scores it too without answering, as a shadow; None: nobody does. ``champion``,
    ``candidate``, ``stage_key`` and ``epoch`` are those of the snapshot that it was routed by.
    """

    release: str
    beside: str | None
    champion: str
    candidate: str | None
    thresholds: Mapping[str, float]
    epoch: int
    stage_key: str

    @property
    def by_candidate(self) -> bool:
        """Whether the candidate answers."""
        return self.release == self.candidate

    @property
    def threshold(self) -> float:
        """Above which the answering release accepts."""
        return self.thresholds[self.release]


def route(key: str | None, snapshot: RoutingSnapshot, salt: bytes) -> str:
    """The release that answers a request.

    Sticky and nested: HMAC-SHA256(salt, key) mod 10,000, over 10,000, lies below the share or it does not. A growing
    share only adds keys, and no restart moves one.

    Args:
        key: of the subject or of the site, as ``snapshot.route_by`` says (an HMAC, never a name). Nobody without a
            key is exposed: None is answered by the champion.
        snapshot: the present one.
        salt: of the model; the same on every plane.
    """
    if snapshot.candidate is None or snapshot.share == 0 or key is None:
        return snapshot.champion
    return snapshot.candidate if sticky_share(key, salt) < snapshot.share else snapshot.champion


def _problem(snapshot: RoutingSnapshot) -> str | None:
    if snapshot.made_at.tzinfo is None or (snapshot.controller_at and snapshot.controller_at.tzinfo is None):
        return "has a moment without a time zone"
    if not 0 <= snapshot.share <= 1:
        return f"has the share {snapshot.share:g}, which is not within 0 and 1"
    if snapshot.candidate is None and (snapshot.share > 0 or snapshot.shadow):
        return "gives traffic to no candidate"
    if snapshot.candidate == snapshot.champion:
        return "names one release as champion and as candidate"
    if snapshot.ttl <= timedelta(0):
        return "has no lifetime above zero"
    missing = [release for release in snapshot.releases if release not in snapshot.thresholds]
    if missing:
        return f"has no threshold of '{missing[0]}'"
    if not all(math.isfinite(value) for value in snapshot.thresholds.values()):
        return "has a threshold that is not a finite number"
    return None
