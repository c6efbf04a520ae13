"""What a release brought along when it came into the store: gates, embedding space, threshold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from countenance.errors import RolloutError
from countenance.rollout.evidence import evidence_key
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Queued, RolloutRecord
from countenance.rollout.state import Gate


@dataclass(frozen=True, kw_only=True)
class ReleasePapers:
    """The gates and preconditions of one release, from the first event of its rollout."""

    registration: tuple[Gate, ...] = ()
    offline: tuple[Gate, ...] = ()
    preconditions: Preconditions | None = None


def papers_of(reader: RolloutReader, record: RolloutRecord, *, re_enrolled: Collection[str] = ()) -> ReleasePapers:
    """The papers of a rollout's release; a TAR against another champion's gallery counts as not measured.

    Args:
        reader: the store.
        record: the rollout.
        re_enrolled: releases for whom the whole gallery was enrolled again since.
    """
    papers = _first_papers(reader, record.id)
    known = papers.preconditions
    if known is None:
        return papers
    if record.state.release in re_enrolled:
        known = replace(known, re_enrolled=True)
    gallery = None if record.state.champion is None else _preconditions_of(reader, record.state.champion)
    if gallery is not None and gallery.embedding_space != known.champion_space:
        known = replace(known, champion_space=gallery.embedding_space, cross_model_tar=None)
    return replace(papers, preconditions=known)


def recorded_threshold(reader: RolloutReader, release: str) -> float | None:
    """The score above which a release accepts, as it came into the store; None where that was not recorded."""
    known = _preconditions_of(reader, release)
    return None if known is None else known.threshold


def key_of_queued(reader: RolloutReader, queued: Queued, champion: str) -> str:
    """What the evidence of a queued candidate is about, now that ``champion`` answers.

    Raises:
        RolloutError: when one of the two came without its threshold.
    """
    thresholds = {
        queued.release: (queued.papers.get("preconditions") or {}).get("threshold"),
        champion: recorded_threshold(reader, champion),
    }
    known = {release: float(threshold) for release, threshold in thresholds.items() if threshold is not None}
    unknown = thresholds.keys() - known.keys()
    if unknown:
        raise RolloutError(
            f"'{queued.release}' waits for its rollout, but the threshold of '{min(unknown)}' is not recorded: start "
            "it again with its preconditions."
        )
    return evidence_key(queued.release, champion, known, queued.policy.policy_hash())


def _first_papers(reader: RolloutReader, rollout: int) -> ReleasePapers:
    # A bootstrap is signed before it happens, so that its first event is the signature.
    entered = (event.payload for event in reader.events(rollout) if event.kind in ("started", "bootstrapped"))
    payload: dict[str, Any] = next(entered, {})
    preconditions = payload.get("preconditions")
    return ReleasePapers(
        registration=tuple(Gate(**gate) for gate in payload.get("registration", ())),
        offline=tuple(Gate(**gate) for gate in payload.get("offline", ())),
        preconditions=None if preconditions is None else Preconditions(**preconditions),
    )


def _preconditions_of(reader: RolloutReader, release: str) -> Preconditions | None:
    record = reader.rollout_of(release)
    return None if record is None else _first_papers(reader, record.id).preconditions
