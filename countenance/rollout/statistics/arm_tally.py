"""What is kept of two arms from look to look: counts, and the wealth of each bet against each null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.batch import LabelledBatch
from countenance.rollout.statistics.arms import Arms, Null, bound_margins, log_block, log_together, starting_wealth

if TYPE_CHECKING:
    from countenance.rollout.policy import RolloutPolicy

NO_HARM = Null("at most", 0.0)
"""The candidate errs no more often than the champion."""


@dataclass(frozen=True, kw_only=True)
class ArmTally:
    """Errors and requests of both arms so far, and, a row a null, each effect's log wealth (``statistics/arms.py``).

    Which nulls the rows belong to follows from the policy, which cannot change under one evidence key:
    :func:`nulls_of`. No row: nothing has been seen.
    """

    seen: Arms = field(default_factory=Arms)
    log_wealth: tuple[tuple[float, ...], ...] = ()

    def log_e_values(self, nulls: tuple[Null, ...]) -> NDArray[np.float64]:
        """Log e-values against ``nulls``, the ones it was folded with, shape [nulls]; zero when nothing was seen."""
        if not self.log_wealth:
            return np.zeros(len(nulls))
        return np.array([float(log_together(row)) for row in self.log_wealth])

    def folded(self, block: Arms, nulls: tuple[Null, ...]) -> ArmTally:
        """The tally after one more block of both arms."""
        before = self.log_wealth or tuple(tuple(starting_wealth(null).tolist()) for null in nulls)
        rows = (np.asarray(row) + log_block(block, self.seen, null) for row, null in zip(before, nulls, strict=True))
        return ArmTally(seen=self.seen.plus(block), log_wealth=tuple(tuple(row.tolist()) for row in rows))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ArmTally:
        """Read what ``dataclasses.asdict`` and JSON made of a tally."""
        return cls(seen=Arms(**values["seen"]), log_wealth=tuple(tuple(row) for row in values["log_wealth"]))


def nulls_of(stratum: str, policy: RolloutPolicy) -> tuple[Null, ...]:
    """The nulls that a stratum is tested against.

    ``overall``: no harm, then a difference of at least each of :func:`bound_margins`. ``group NAME``: no harm.
    ``strangers NAME``: no more false matches than the policy tolerates.
    """
    if stratum == "overall":
        margins = bound_margins(policy.non_inferiority_margin)
        return (NO_HARM, *(Null("at least", margin) for margin in margins))
    return (NO_HARM,) if stratum.startswith("group ") else (Null("at most", policy.false_match_tolerance),)


def folded_arms(before: Mapping[str, ArmTally], batch: LabelledBatch, policy: RolloutPolicy) -> dict[str, ArmTally]:
    """The tallies of all strata after one more look: requests that only the answering model scored.

    Raises:
        RolloutError: when these were drawn for audit with different probabilities within one look; arms are compared
            by counts, which only one probability leaves fair.
    """
    single = batch.single
    if len(np.unique(batch.weight[single])) > 1:
        raise RolloutError(
            "Requests of one look were drawn for audit with different probabilities, which arms cannot be compared "
            "with: audit with one probability, or compare pairs (canary_comparison)."
        )
    after = dict(before)
    guarded = {name for name in batch.group[single] if name is not None} & set(policy.guarded_groups)
    rows = {"overall": single}
    for name in sorted(guarded):
        rows |= {f"group {name}": single & (batch.group == name)}
        rows |= {f"strangers {name}": single & (batch.group == name) & ~batch.mated}
    for stratum, chosen in rows.items():
        if chosen.any():
            after[stratum] = after.get(stratum, ArmTally()).folded(_block(batch, chosen), nulls_of(stratum, policy))
    return after


def _block(batch: LabelledBatch, rows: NDArray[np.bool_]) -> Arms:
    candidate, champion = rows & batch.by_candidate, rows & ~batch.by_candidate
    return Arms(
        candidate_wrong=int(batch.candidate_wrong[candidate].sum()),
        candidate_seen=int(candidate.sum()),
        champion_wrong=int(batch.champion_wrong[champion].sum()),
        champion_seen=int(champion.sum()),
    )
