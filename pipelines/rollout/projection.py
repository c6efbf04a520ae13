"""From the rollout store, which is the truth, to the registry, which shows it; and back to the previous champion."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from countenance.configuration import narrow
from countenance.rollout.approvals import Act
from countenance.rollout.records import aliases_of
from countenance.rollout.rehearsal import RehearsalConfiguration
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import recorded_story
from pipelines.model_registry import project_aliases, tag_rollout
from pipelines.rollout.rehearsing import open_store

LOG = logging.getLogger(__name__)


def project(report: Mapping[str, Any], rollout: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Tag every release that was rolled out, and make the aliases those of the store."""
    configuration = narrow(RehearsalConfiguration, rollout, where="parameters_rollout.yml")
    for entry in report["entries"]:
        if entry["story"] is not None:
            tag_rollout(entry["release_id"], _tags(entry["story"]), model=model)
    with open_store(configuration) as store:
        return reconcile(store, model=model)


def reconcile(store: RolloutStore, *, model: str) -> dict[str, Any]:
    """Carry out what waits in the outbox: the aliases become those that the store holds now."""
    waiting = store.pending_outbox()
    active = store.active()
    aliases = {"champion": store.champion(), "previous": store.previous()}
    aliases |= {} if active is None else aliases_of(active.state)
    projected = project_aliases(aliases, model=model)
    for job in waiting:
        store.mark_projected(job.id, now=datetime.now(UTC))
    return {"model": model, "aliases": projected}


def return_to_previous(rollout: Mapping[str, Any], *, model: str, now: datetime) -> None:
    """An operator's rollback: sign, flip the pointer, show it.

    Raises:
        RolloutError: there is no previous champion.
        ModelError: a release has no version in the registry.
    """
    configuration = narrow(RehearsalConfiguration, rollout, where="parameters_rollout.yml")
    with open_store(configuration) as store:
        champion = store.champion() or "nothing"
        reason = "An operator asked for the previous champion."
        approval = configuration.operator.key().sign(Act.ROLL_BACK, subject=champion, at=now, reason=reason)
        returned = store.roll_back(now, approval)
        LOG.info("Release %s was taken back; release %s answers everybody again.", champion, returned)
        reconcile(store, model=model)
        tag_rollout(champion, _tags(recorded_story(store, champion).to_dict()), model=model)


def _tags(story: Mapping[str, Any]) -> dict[str, str]:
    return {
        "state": story["final_stage"],
        "reason": story["reason"],
        "at": story["moved_at"],
        "people_exposed": str(story["people_exposed"]),
    }
