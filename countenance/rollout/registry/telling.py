"""What the registry tells of one release: its rollout in tags, in numbers that a person can read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from countenance.rollout.ledger import canonical_json
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.registry.shown import PREFIX
from countenance.rollout.state import RolloutState, Stage
from countenance.rollout.verdict import plain_e_value

HEAD: Final = f"{PREFIX}head"
TAGS_HASH: Final = f"{PREFIX}tags_hash"


@dataclass(frozen=True, kw_only=True)
class VersionStory:
    """The newest rollout of a release, as far as a registry shows it.

    ``head`` is the hash of the rollout's last event, which covers the whole history before it. ``verdict`` is that of
    the last look (``Verdict.summary()``); None before the first. ``people_exposed`` and ``requests_exposed`` count whom
    the release answered while it was not champion.
    """

    rollout: int
    state: RolloutState
    policy: RolloutPolicy | None
    head: str
    verdict: Mapping[str, Any] | None = None
    looks: int = 0
    people_exposed: int = 0
    requests_exposed: int = 0
    evidence_files: tuple[str, ...] = ()


def tags_of(story: VersionStory) -> dict[str, str]:
    """The ``rollout.*`` tags of a release's version; what isn't known has no tag.

    ``rollout.tags_hash`` is the sha256 (hex) of the canonical JSON of all the others, so that a person who has only the
    registry sees that one was changed. The store remembers each of them besides.
    """
    state, policy = story.state, story.policy
    values: dict[str, str | None] = {
        "state": str(state.stage),
        "stage": None if state.base is state.stage else str(state.base),
        "step": _step(state, policy),
        "share": f"{state.share:g}",
        "reason": state.reason,
        "since": moment(state.entered_at),
        "started": moment(state.started_at),
        "deadline": None if state.stage.ended or policy is None else moment(state.deadline_at),
        "compared_with": state.champion,
        "number": str(story.rollout),
        "looks": str(story.looks),
        "people_exposed": str(story.people_exposed),
        "requests_exposed": str(story.requests_exposed),
        "policy_hash": None if policy is None else policy.policy_hash(),
        "alpha": None if policy is None else f"{policy.alpha:g}",
        "evidence_files": ", ".join(story.evidence_files) or None,
        "head": story.head,
    }
    values |= e_values(story.verdict or {})
    tags = {f"{PREFIX}{name}": value for name, value in values.items() if value is not None}
    return tags | {TAGS_HASH: tags_hash(tags)}


def tags_hash(tags: Mapping[str, str]) -> str:
    """The sha256 (hex) that ``rollout.tags_hash`` must carry beside ``tags``."""
    told = {key: value for key, value in tags.items() if key.startswith(PREFIX) and key != TAGS_HASH}
    return hashlib.sha256(canonical_json(told).encode()).hexdigest()


def e_values(verdict: Mapping[str, Any]) -> dict[str, str | None]:
    """A verdict's e-values and counts by the name of their tag, as people read them."""
    named = {
        "e_value.harm": verdict.get("log_harm"),
        "e_value.groups": verdict.get("log_group_harm"),
        "e_value.non_inferiority": verdict.get("log_non_inferiority"),
    }
    told: dict[str, str | None] = {name: _e_value(value) for name, value in named.items()}
    arms = verdict.get("arms") or {}
    told |= {
        "e_value.arms_harm": _e_value(arms.get("log_harm")),
        "e_value.arms_non_inferiority": _e_value(arms.get("log_non_inferiority")),
    }
    told["labelled"] = None if verdict.get("labelled") is None else str(verdict["labelled"])
    told["discordant"] = None if verdict.get("discordant") is None else str(verdict["discordant"])
    unlabelled = verdict.get("unlabelled_share")
    told["unlabelled_share"] = None if unlabelled is None else f"{unlabelled:.3f}"
    return told


def moment(value: datetime) -> str:
    """A moment as tags and sentences carry it: ISO 8601 in UTC, to the second."""
    return value.isoformat(timespec="seconds")


def _step(state: RolloutState, policy: RolloutPolicy | None) -> str | None:
    if policy is None or state.base not in (Stage.CANARY, Stage.BAKING):
        return None
    return f"{state.step + 1} of {len(policy.steps)}"


def _e_value(log: float | None) -> str | None:
    return None if log is None or not math.isfinite(log) else plain_e_value(log)
