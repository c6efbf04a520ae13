"""From the rollout store, which is the truth, to the registry, which shows it; and back to the previous champion."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from countenance.configuration import narrow
from countenance.rollout.approvals import Act
from countenance.rollout.notifications.configuration import channels_of
from countenance.rollout.notifications.delivering import deliver_due
from countenance.rollout.registry.reconciling import reconcile as reconcile_with
from countenance.rollout.store import RolloutStore
from pipelines.rollout.configuration import RolloutConfiguration, open_store
from pipelines.rollout.mlflow_registry import MlflowRegistry

LOG = logging.getLogger(__name__)


def project(report: Mapping[str, Any], rollout: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Show in the registry what the store says, after a rehearsal has written its ``report``."""
    configuration = narrow(RolloutConfiguration, rollout, where="parameters_rollout.yml")
    LOG.info("The registry is shown %d rehearsed rollouts.", len(report["entries"]))
    with open_store(configuration, model=model) as store:
        return reconcile(store, model=model)


def reconcile(store: RolloutStore, *, model: str) -> dict[str, Any]:
    """Make the registry show what the store says; where it is away, its jobs wait and nothing else is harmed.

    Returns:
        ``model``; ``aliases``, the version of each, None where nothing holds it; ``edits``, sentences on what somebody
        else had written; ``unregistered`` releases; ``away``, why the registry couldn't be told, or None.
    """
    report = reconcile_with(store, MlflowRegistry(model))
    for line in report.lines():
        LOG.warning("%s", line)
    return {
        "model": model,
        "aliases": {alias: report.aliases.get(alias) for alias in ("champion", "previous", "canary", "shadow")},
        "edits": [edit.sentence() for edit in report.edits],
        "unregistered": list(report.unregistered),
        "away": report.away,
    }


def return_to_previous(rollout: Mapping[str, Any], *, model: str, now: datetime | None = None) -> None:
    """An operator's rollback: sign, flip the pointer, show it, tell it.

    A registry that is away keeps nobody waiting: the rollback holds, and the registry follows from the outbox.

    Raises:
        RolloutError: there is no previous champion.
    """
    configuration = narrow(RolloutConfiguration, rollout, where="parameters_rollout.yml")
    with open_store(configuration, model=model) as store:
        champion = store.champion() or "nothing"
        reason = "An operator asked for the previous champion."
        at = store.now() if now is None else now
        approval = configuration.operator.key().sign(Act.ROLL_BACK, subject=champion, at=at, reason=reason)
        returned = store.roll_back(now, approval)
        LOG.info("Release %s was taken back; release %s answers everybody again.", champion, returned)
        if reconcile(store, model=model)["away"] is not None:
            LOG.warning("The rollback is done; the registry will follow when it is back.")
        for failure in deliver_due(store, channels_of(configuration.notifications, Path())).failures:
            LOG.warning("%s", failure)
