"""Who answered how many between two looks, and how often wrongly, as far as labels have told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from countenance.rollout.decisions.rows import Arrival, Ripe
from countenance.rollout.records import DecisionBatch
from countenance.rollout.state import RolloutState


def answered_batches(
    state: RolloutState, came: Sequence[Arrival], labelled: Sequence[Ripe], *, new_people: int, now: datetime
) -> tuple[DecisionBatch, ...]:
    """One batch for the candidate and one for the champion; one who answered nothing and was told nothing has none.

    Args:
        state: of the rollout, which names the two.
        came: the requests that arrived since the last look.
        labelled: earlier or present requests whose label counts since this look.
        new_people: whom the candidate had never answered before.
        now: the moment of the look.
    """
    assert state.champion is not None
    batches = []
    for release, by_candidate in ((state.release, True), (state.champion, False)):
        theirs = [row for row in came if row.by_candidate == by_candidate]
        known = [row for row in labelled if row.by_candidate == by_candidate]
        if theirs or known:
            people = new_people if by_candidate else 0
            batches.append(
                _batch(release, theirs, known, "candidate_match" if by_candidate else "champion_match", people, now)
            )
    return tuple(batches)


def _batch(
    release: str, came: Sequence[Arrival], known: Sequence[Ripe], said: str, people: int, now: datetime
) -> DecisionBatch:
    return DecisionBatch(
        release=release,
        first_at=came[0].at if came else now,
        last_at=came[-1].at if came else now,
        requests=len(came),
        new_people=people,
        false_matches=_errors(known, said, mated=False),
        false_non_matches=_errors(known, said, mated=True),
        champion_false_matches=_errors(known, "champion_match", mated=False),
        champion_false_non_matches=_errors(known, "champion_match", mated=True),
    )


def _errors(rows: Sequence[Ripe], said: str, *, mated: bool) -> int:
    return sum(row.mated == mated and getattr(row, said) is not None and getattr(row, said) != mated for row in rows)
