"""How a registered release comes into the store: as a candidate against the champion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from countenance.errors import RolloutError
from countenance.rollout.attaching import attach_files
from countenance.rollout.decisions.papers import ReleasePapers, recorded_threshold
from countenance.rollout.evidence import evidence_key
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore


def start_release(
    store: RolloutStore,
    release: str,
    *,
    threshold: float,
    policy: RolloutPolicy,
    papers: ReleasePapers,
    champion_threshold: float | None = None,
    files: Mapping[str, Path] | None = None,
    now: datetime | None = None,
) -> RolloutRecord | None:
    """Start the rollout of ``release``, or let it wait where the policy says so.

    Args:
        store: the store.
        release: its id.
        threshold: the score above which it accepts.
        policy: what it runs under; ``on_active`` says what happens while another candidate's rollout is active.
        papers: its gates and preconditions.
        champion_threshold: of the present champion; None: the one that it came into the store with.
        files: evidence files by name.
        now: the moment, in a replay; None: the database's.

    Returns:
        The rollout at REGISTERED; None where it waits in the queue.

    Raises:
        RolloutError: when there is no champion or its threshold is unknown, another rollout is active, or the release
            had its try.
    """
    champion = store.champion()
    if champion is None:
        raise RolloutError(f"There is no champion to compare '{release}' with: bootstrap one first.")
    theirs = champion_threshold if champion_threshold is not None else recorded_threshold(store, champion)
    if theirs is None:
        raise RolloutError(f"The threshold of champion '{champion}' is not recorded: give it to start '{release}'.")
    key = evidence_key(release, champion, {release: threshold, champion: theirs}, policy.policy_hash())
    record = store.start(
        release,
        policy,
        evidence_key=key,
        now=now,
        if_active=policy.on_active,
        registration=papers.registration,
        offline=papers.offline,
        preconditions=papers.preconditions,
    )
    if record is not None:
        attach_files(store, record, files or {}, now=now)
    return record
