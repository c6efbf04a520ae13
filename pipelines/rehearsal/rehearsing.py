"""The rehearsal of all candidates, from the rooms' reports and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.configuration import narrow
from countenance.rollout.rehearsal import RehearsalConfiguration, Rehearsed, Release, Rules, rehearse
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts
from countenance.rollout.traffic import score_column
from pipelines.rollout.candidates import RegisteredRelease, registered_releases
from pipelines.rollout.configuration import RolloutConfiguration, open_store


def rehearse_all(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    record: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any],
    rollout: Mapping[str, Any],
    rehearsal: Mapping[str, Any],
    outputs: Mapping[str, pd.DataFrame],
    *,
    model: str,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Open the store, play every entry, and write down what the store says afterwards."""
    configuration = narrow(RehearsalConfiguration, rehearsal, where="parameters_rehearsal.yml")
    standing = narrow(RolloutConfiguration, rollout, where="parameters_rollout.yml")
    cost = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml").cost
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    people = _people(manifest, groups, fairness.identity_attribute)
    costs = ErrorCosts(false_match=cost.cost_false_match, false_non_match=cost.cost_false_non_match)
    releases = {name: _release(release, outputs[name]) for name, release in registered_releases(record).items()}
    rules = Rules(
        policy=standing.rules(),
        operator=standing.operator.key(),
        routing_secret=standing.routing_secret.encode(),
    )
    with open_store(standing, model=model) as store:
        played = rehearse(store, people, releases, configuration, rules, costs=costs)
        report = _report(store, played, record, cost.currency)
    return report, _traffic_table(played)


def _release(known: RegisteredRelease, outputs: pd.DataFrame) -> Release:
    return Release(
        candidate=known.candidate,
        release_id=known.release_id,
        threshold=known.threshold,
        registered=known.registered,
        reason=known.reason,
        outputs=outputs,
        registration=known.registration,
        offline=known.offline,
        embedding_space=known.embedding_space,
        files=known.files,
    )


def _people(manifest: pd.DataFrame, groups: pd.DataFrame, attribute: str) -> pd.DataFrame:
    named = manifest[(manifest["split"] == "test") & manifest["is_face"] & manifest["subject_id"].notna()]
    of_face = groups.set_index("face_id")[attribute]
    people = named[["face_id", "subject_id"]].assign(group=named["face_id"].map(of_face).astype(object))
    return people.where(people.notna(), None).reset_index(drop=True)


def _report(store: RolloutStore, played: list[Rehearsed], record: Mapping[str, Any], currency: str) -> dict[str, Any]:
    names = {entry["release_id"]: name for name, entry in record.items()}
    entries = [
        {
            "candidate": item.candidate,
            "release_id": item.release_id,
            "version": record[item.candidate]["version"],
            "skipped": item.skipped,
            "story": None if item.story is None else item.story.to_dict(),
        }
        for item in played
    ]
    return {
        "champion": names.get(store.champion() or ""),
        "previous": names.get(store.previous() or ""),
        "chain_events": store.verify_chain(),
        "operator_minutes": sum(item.story.operator_minutes for item in played if item.story is not None),
        "currency": currency,
        "entries": entries,
    }


def _traffic_table(played: list[Rehearsed]) -> pd.DataFrame:
    """All replayed requests: what came, what the candidate scored and decided; nobody's embedding or name."""
    tables = [
        item.traffic.frame.drop(
            columns=[column for column in item.traffic.frame if column.startswith("score:")]
        ).assign(
            candidate=item.candidate,
            score=item.traffic.frame[score_column(item.release_id)],
            match=item.traffic.decisions(item.release_id),
        )
        for item in played
        if item.traffic is not None
    ]
    if not tables:
        return pd.DataFrame({"candidate": [], "site": [], "group": [], "mated": [], "score": [], "match": []})
    return pd.concat(tables, ignore_index=True)
