"""Batches for the tests of this room."""

from __future__ import annotations

import numpy as np

from countenance.rollout.batch import LabelledBatch
from countenance.rollout.policy import RolloutPolicy


def labels(
    rows: list[tuple[int, int]],
    *,
    by_candidate: list[bool] | None = None,
    group: str | None = None,
    groups: list[str | None] | None = None,
    stage: str = "canary:1",
    mated: list[bool] | None = None,
    weight: float | list[float] = 1.0,
) -> LabelledBatch:
    """A batch of (candidate wrong, champion wrong); -1 where a model did not score the request."""
    count = len(rows)
    names = groups if groups is not None else [group] * count
    return LabelledBatch(
        candidate_wrong=np.array([row[0] for row in rows], dtype=np.int8),
        champion_wrong=np.array([row[1] for row in rows], dtype=np.int8),
        by_candidate=np.array(by_candidate if by_candidate is not None else [False] * count, dtype=np.bool_),
        group=np.array([*names, None], dtype=object)[:-1],
        stage=np.full(count, stage, dtype=object),
        mated=np.array(mated if mated is not None else [True] * count, dtype=np.bool_),
        weight=np.broadcast_to(np.asarray(weight, dtype=np.float64), (count,)).copy(),
    )


def differences(values: list[int], **options: object) -> LabelledBatch:
    """A batch of pairs with these x."""
    return labels([(int(x > 0), int(x < 0)) for x in values], **options)  # type: ignore[arg-type]


def two_arms(candidate: list[int], champion: list[int], **options: object) -> LabelledBatch:
    """A batch of errors in both arms."""
    rows = [(wrong, -1) for wrong in candidate] + [(-1, wrong) for wrong in champion]
    sides = [True] * len(candidate) + [False] * len(champion)
    return labels(rows, by_candidate=sides, **options)  # type: ignore[arg-type]


def policy(**changes: object) -> RolloutPolicy:
    return RolloutPolicy.model_validate({"non_inferiority_margin": 0.01, **changes})


ARMS = policy(canary_comparison="arms")
PAIRED = policy()
