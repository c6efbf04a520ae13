"""One step of the controller, its reflection in the registry, and the messages that are due."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from countenance.configuration import narrow
from countenance.rollout.decisions.controller import step
from countenance.rollout.notifications.configuration import channels_of
from countenance.rollout.notifications.delivering import deliver_due
from pipelines.rollout.configuration import RolloutConfiguration, open_store
from pipelines.rollout.projection import reconcile

LOG = logging.getLogger(__name__)


def step_once(
    rollout: Mapping[str, Any], *, model: str, started: str, record: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Take a step and log what it did; the report as JSON values."""
    configuration = _narrowed(rollout)
    known = record or {}
    again = [known[name]["release_id"] for name in configuration.re_enrolled if name in known]
    with open_store(configuration, model=model) as store:
        report = step(store, re_enrolled=again)
    for sentence in report.sentences():
        LOG.info("%s", sentence)
    return {"started": started} | report.to_dict()


def show_in_registry(rollout: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Make the registry's aliases and tags show what the store says."""
    with open_store(_narrowed(rollout), model=model) as store:
        return reconcile(store, model=model)


def tell_operators(rollout: Mapping[str, Any], *, model: str) -> dict[str, Any]:
    """Deliver the messages that are due; what could not be delivered waits for the next step."""
    configuration = _narrowed(rollout)
    with open_store(configuration, model=model) as store:
        delivered = deliver_due(store, channels_of(configuration.notifications, Path.cwd()))
    for failure in delivered.failures:
        LOG.warning("%s", failure)
    return {"done": delivered.done, "waiting": delivered.waiting, "failures": list(delivered.failures)}


def _narrowed(rollout: Mapping[str, Any]) -> RolloutConfiguration:
    return narrow(RolloutConfiguration, rollout, where="parameters_rollout.yml")
