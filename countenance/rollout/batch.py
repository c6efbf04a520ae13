"""What one look brings: the labels that have matured, and counts of what was scored, served and became due."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError

CANDIDATE, CHAMPION = "candidate", "champion"
"""The keys of :attr:`EvidenceBatch.served`."""

LARGEST_WEIGHT = 1000.0
"""No audit may draw a request with a smaller probability than one in this many."""

_COLUMNS = ("candidate_wrong", "champion_wrong", "by_candidate", "group", "stage", "mated", "weight")


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledBatch:
    """Requests whose label has matured since the last look; a column each, all of shape [N].

    Args:
        candidate_wrong: int8, 1 or 0; -1 where the candidate did not score the request.
        champion_wrong: int8, 1 or 0; -1 where the champion did not.
        by_candidate: bool, whether the candidate answered.
        group: the subject's group, str; None counts for no group.
        stage: the ``RolloutState.stage_key`` at arrival, str.
        mated: bool, the ground truth.
        weight: float64, 1 / (the probability with which the request was drawn for labelling); 1 where all were to
            be labelled. It must not depend on the label. Within [1, 1000].

    Raises:
        RolloutError: when the columns differ in length, or hold a value they cannot have.
    """

    candidate_wrong: NDArray[np.int8]
    champion_wrong: NDArray[np.int8]
    by_candidate: NDArray[np.bool_]
    group: NDArray[np.object_]
    stage: NDArray[np.object_]
    mated: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len({np.shape(getattr(self, name)) for name in _COLUMNS}) != 1 or np.ndim(self.weight) != 1:
            raise RolloutError(
                f"The columns of a batch of labels differ in length: give equal lengths, one entry a request, to "
                f"{', '.join(_COLUMNS)}."
            )
        for name in ("candidate_wrong", "champion_wrong"):
            if not np.isin(getattr(self, name), (-1, 0, 1)).all():
                raise RolloutError(f"Column '{name}' of a batch of labels must hold 1, 0 or -1 (not scored) alone.")
        weight = np.asarray(self.weight, dtype=np.float64)
        if not ((weight >= 1) & (weight <= LARGEST_WEIGHT)).all():
            raise RolloutError(
                f"A weight in a batch of labels is outside [1, {LARGEST_WEIGHT:.0f}]: audit with a probability "
                f"from {1 / LARGEST_WEIGHT:g} to 1."
            )

    def __len__(self) -> int:
        """How many requests."""
        return len(self.weight)

    @property
    def paired(self) -> NDArray[np.bool_]:
        """Which requests both models scored, shape [N]."""
        return np.asarray((self.candidate_wrong >= 0) & (self.champion_wrong >= 0))

    @property
    def single(self) -> NDArray[np.bool_]:
        """Which requests only the model that answered has scored, shape [N]: evidence between arms."""
        answering = np.where(self.by_candidate, self.candidate_wrong, self.champion_wrong)
        other = np.where(self.by_candidate, self.champion_wrong, self.candidate_wrong)
        return np.asarray((answering >= 0) & (other < 0))

    @classmethod
    def empty(cls) -> LabelledBatch:
        """No label has matured."""
        nothing: dict[str, Any] = {
            "candidate_wrong": np.zeros(0, np.int8),
            "champion_wrong": np.zeros(0, np.int8),
            "by_candidate": np.zeros(0, np.bool_),
            "group": np.zeros(0, object),
            "stage": np.zeros(0, object),
            "mated": np.zeros(0, np.bool_),
            "weight": np.zeros(0),
        }
        return cls(**nothing)


@dataclass(frozen=True, kw_only=True)
class Served:
    """Requests one model answered: how many, how many it failed, how many took longer than the policy's limit."""

    requests: int = 0
    errors: int = 0
    slow: int = 0

    def __post_init__(self) -> None:
        _refuse_more(self.errors, self.requests, "errors than requests")
        _refuse_more(self.slow, self.requests, "slow requests than requests")

    def plus(self, other: Served) -> Served:
        """Both counted together."""
        return Served(
            requests=self.requests + other.requests, errors=self.errors + other.errors, slow=self.slow + other.slow
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class EvidenceBatch:
    """All that came since the last look.

    Args:
        labelled: the labels that have matured.
        scored: arrivals that both models scored.
        disagreed: those they decided differently on.
        shadow_dropped: arrivals that the shadow should have scored and dropped.
        due: arrivals that became old enough for their label to count, and were to be labelled: all, or drawn for audit.
        due_by_candidate: those of ``due`` that the candidate answered.
        due_paired: those of ``due`` that the champion answered and both scored, and so no part of an arm.
        due_disagreed: of ``due``, those the models decided differently on or the candidate failed to answer, each
            counted with its weight (1 / audit probability; so a plain count where all are labelled). None when
            unknown: then all that may be is assumed.
        served: by ``"candidate"`` and ``"champion"``.
        tail_watched: candidate scores of requests that are known, or may be assumed, to be non-mated.
        tail_above: those above ``policy.drift.tail_score``.

    Raises:
        RolloutError: when a count is negative, or a part is larger than its whole.
    """

    labelled: LabelledBatch = field(default_factory=LabelledBatch.empty)
    scored: int = 0
    disagreed: int = 0
    shadow_dropped: int = 0
    due: int = 0
    due_by_candidate: int = 0
    due_paired: int = 0
    due_disagreed: float | None = None
    served: Mapping[str, Served] = field(default_factory=dict)
    tail_watched: int = 0
    tail_above: int = 0

    def __post_init__(self) -> None:
        _refuse_more(self.disagreed, self.scored, "disagreements than scored requests")
        _refuse_more(self.due_by_candidate, self.due, "due requests of the candidate than due requests")
        _refuse_more(self.due_paired, self.due - self.due_by_candidate, "due pairs than due requests of the champion")
        _refuse_more(self.tail_above, self.tail_watched, "scores in the tail than watched")
        _refuse_more(0, self.shadow_dropped, "dropped requests than none")
        if self.due_disagreed is not None and not (math.isfinite(self.due_disagreed) and self.due_disagreed >= 0):
            raise RolloutError("A batch of evidence holds a 'due_disagreed' that is no weight: give 0 or more.")
        unknown = sorted(set(self.served) - {CANDIDATE, CHAMPION})
        if unknown:
            raise RolloutError(f"Served requests of '{unknown[0]}' are unknown: name '{CANDIDATE}' or '{CHAMPION}'.")


def _refuse_more(part: int, whole: int, what: str) -> None:
    if not 0 <= part <= whole:
        raise RolloutError(f"A batch of evidence holds fewer than 0, or more {what}: count it again.")
