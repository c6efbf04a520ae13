"""How a candidate of the registration record enters the rollout store: by a rollout, or as the first champion."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from countenance.configuration import narrow
from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.attaching import attach_files
from countenance.rollout.decisions.papers import ReleasePapers
from countenance.rollout.decisions.starting import start_release
from countenance.rollout.store import RolloutStore
from pipelines.registration.gating import RegistrationConfiguration
from pipelines.rollout.candidates import RegisteredRelease, preconditions_of, registered_releases, release_of
from pipelines.rollout.configuration import RolloutConfiguration, open_store

LOG = logging.getLogger(__name__)


def start_named(
    rollout: Mapping[str, Any],
    registration: Mapping[str, Any],
    record: Mapping[str, Any] | None,
    evaluation: Mapping[str, Any] | None,
) -> str:
    """Let the named candidate enter; one that has entered already is left where it is. What was done, in a sentence.

    Raises:
        RolloutError: the candidate is unknown, was not registered, or the store refuses it.
    """
    configuration = narrow(RolloutConfiguration, rollout, where="parameters_rollout.yml")
    if configuration.candidate is None:
        return ""
    known = narrow(RegistrationConfiguration, registration, where="parameters_registration.yml")
    releases = registered_releases(record or {})
    release = _named(releases, configuration.candidate)
    with open_store(configuration, model=known.model) as store:
        told = _entered(store, release) or _enter(store, release, releases, configuration, known, evaluation)
    LOG.info("%s", told)
    return told


def _named(releases: Mapping[str, RegisteredRelease], name: str) -> RegisteredRelease:
    if name not in releases:
        listed = ", ".join(releases) or "none, as the registration has not run"
        raise RolloutError(f"There is no candidate '{name}' to roll out: the candidates are {listed}.")
    if not releases[name].registered:
        raise RolloutError(f"'{name}' was not registered, so it cannot be rolled out: {releases[name].reason}")
    return releases[name]


def _entered(store: RolloutStore, release: RegisteredRelease) -> str:
    """Where a release stands that has entered before; empty for a new one, and for one whose try is over."""
    if store.champion() == release.release_id:
        return f"'{release.candidate}' is the champion already."
    active = store.active()
    if active is not None and active.state.release == release.release_id:
        attach_files(store, active, release.files)
        return f"The rollout of '{release.candidate}' is under way: it is {active.state.stage}."
    if any(queued.release == release.release_id for queued in store.queued()):
        return f"'{release.candidate}' waits for its rollout."
    return ""


def _enter(
    store: RolloutStore,
    release: RegisteredRelease,
    releases: Mapping[str, RegisteredRelease],
    configuration: RolloutConfiguration,
    known: RegistrationConfiguration,
    evaluation: Mapping[str, Any] | None,
) -> str:
    champion = store.champion()
    if champion is None and configuration.enters != "bootstrap":
        raise RolloutError(
            f"There is no champion to compare '{release.candidate}' with: make it the first one, signed by "
            f"'{configuration.operator.name}', with --params rollout.candidate={release.candidate},"
            "rollout.enters=bootstrap."
        )
    theirs = release_of(releases, champion)
    preconditions = preconditions_of(
        release,
        theirs,
        evaluation,
        margin=known.gates.tar_margin,
        re_enrolled=release.candidate in configuration.re_enrolled,
    )
    papers = ReleasePapers(registration=release.registration, offline=release.offline, preconditions=preconditions)
    if champion is None:
        return _bootstrap(store, release, papers, configuration)
    started = start_release(
        store,
        release.release_id,
        threshold=release.threshold,
        champion_threshold=None if theirs is None else theirs.threshold,
        policy=configuration.rules(),
        papers=papers,
        files=release.files,
    )
    if started is None:
        return f"'{release.candidate}' waits for the rollout that is under way to end."
    return f"The rollout of '{release.candidate}' was started."


def _bootstrap(
    store: RolloutStore, release: RegisteredRelease, papers: ReleasePapers, configuration: RolloutConfiguration
) -> str:
    approval = configuration.operator.key().sign(
        Act.BOOTSTRAP, subject=release.release_id, at=store.now(), reason="The first release of this model."
    )
    record = store.bootstrap(
        release.release_id,
        registration=papers.registration,
        offline=papers.offline,
        preconditions=papers.preconditions,
        approval=approval,
    )
    attach_files(store, record, release.files)
    return f"'{release.candidate}' is the first champion, signed by '{approval.actor}'."
