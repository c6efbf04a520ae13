"""What has been seen of a rollout so far: one value of bounded size, made anew by every look.

The formulas it is judged by are in ``statistics/``; they need counts alone (paired decisions, rates) or the wealth of
a few bets (arms), so that the state does not grow with the number of decisions.

Assumption: each request has, given the past, a mean on the null's side. When the mix of groups changes
while a rollout runs, "non-inferior" speaks of the traffic that was seen, not of the traffic to come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from countenance.rollout.batch import EvidenceBatch, LabelledBatch, Served
from countenance.rollout.ledger import canonical_json
from countenance.rollout.statistics.arm_tally import ArmTally, folded_arms
from countenance.rollout.statistics.paired import HARM_BETS, NON_INFERIORITY_BETS, log_excess, log_harm
from countenance.rollout.statistics.paired import log_non_inferiority as log_non_inferiority
from countenance.rollout.statistics.several import e_benjamini_hochberg, log_any
from countenance.rollout.statistics.weighing import ByWeight, Scale, Tally, Weighed, counted

if TYPE_CHECKING:
    from countenance.rollout.policy import RolloutPolicy

__all__ = [
    "HARM_BETS",
    "NON_INFERIORITY_BETS",
    "EvidenceState",
    "Tally",
    "e_benjamini_hochberg",
    "evidence_key",
    "log_any",
    "log_excess",
    "log_harm",
    "log_non_inferiority",
]


def evidence_key(candidate: str, champion: str, thresholds: Mapping[str, float], policy_hash: str) -> str:
    """The sha256 (hex) of what evidence is about: both models, both thresholds, the policy.

    Evidence gathered under one key says nothing under another; a canary's share is not part of it.
    """
    about = {
        "candidate": candidate,
        "champion": champion,
        "thresholds": {name: float(thresholds[name]) for name in (candidate, champion)},
        "policy": policy_hash,
    }
    return hashlib.sha256(canonical_json(about).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EvidenceState:
    """All that has been seen so far; a value, made anew by every batch.

    ``scored``, ``disagreed``, ``shadow_dropped``, ``due``, ``due_by_candidate``, ``due_paired``, ``served``,
    ``tail_watched`` and ``tail_above`` are sums of what :class:`EvidenceBatch` brought; ``due_disagreed`` too, and None
    (unknown) once a batch with due requests did not know it. ``due_disagreed_relative`` is the same sum with each
    look's weights divided by the largest weight up to then (``scale.all``), None where that is unknown: an audit that
    is thinned out later makes what was due before no lighter. ``overall`` counts labelled requests that both models
    scored.
    ``labelled_by_stage`` counts labelled requests by the stage in which they *arrived* (``RolloutState.stage_key``),
    ``labelled_by_candidate`` those the candidate answered. ``false_matches`` counts each group's non-mated requests
    alone: an error there is a stranger who was let in.

    ``scale`` and ``light`` hold what audits with different probabilities add (``statistics/weighing.py``); ``light`` is
    keyed by stratum: ``overall``, ``group NAME``, ``strangers NAME``; ``discordant_weight`` is the sum of weights of
    labelled discordant requests. ``arms`` has the same keys, and is filled where the policy compares arms.
    """

    key: str
    scored: int = 0
    disagreed: int = 0
    due: int = 0
    overall: Tally = field(default_factory=Tally)
    groups: Mapping[str, Tally] = field(default_factory=dict)
    false_matches: Mapping[str, Tally] = field(default_factory=dict)
    labelled_by_stage: Mapping[str, int] = field(default_factory=dict)
    shadow_dropped: int = 0
    due_by_candidate: int = 0
    due_paired: int = 0
    due_disagreed: float | None = None
    due_disagreed_relative: float | None = None
    labelled_by_candidate: int = 0
    discordant_weight: float = 0.0
    served: Mapping[str, Served] = field(default_factory=dict)
    tail_watched: int = 0
    tail_above: int = 0
    scale: Scale = field(default_factory=Scale)
    light: Mapping[str, ByWeight] = field(default_factory=dict)
    arms: Mapping[str, ArmTally] = field(default_factory=dict)

    @property
    def labelled(self) -> int:
        """Labelled requests that are evidence: scored by both models, or answered in one of the arms."""
        between = self.arms.get("overall", ArmTally())
        return self.overall.labelled + int(between.seen.candidate_seen) + int(between.seen.champion_seen)

    def weighed(self, stratum: str = "overall") -> Weighed:
        """Paired counts of ``overall``, ``group NAME`` or ``strangers NAME``, by relative weight."""
        kind, _, name = stratum.partition(" ")
        tallies = {"group": self.groups, "strangers": self.false_matches}.get(kind, {})
        tally = self.overall if kind == "overall" else tallies.get(name, Tally())
        return Weighed.of(tally, self.light.get(stratum, {}))

    def folded(self, batch: EvidenceBatch, policy: RolloutPolicy) -> EvidenceState:
        """The state after one more look; its cost grows with the batch alone.

        Raises:
            RolloutError: when audits have too many different probabilities, or, between arms, two in one look.
        """
        served = dict(self.served)
        for model, more in batch.served.items():
            served[model] = served.get(model, Served()).plus(more)
        after = self._with_pairs(batch.labelled, between_arms=policy.canary_comparison == "arms")
        due_disagreed = self._due_disagreed(batch)
        return replace(
            after,
            scored=self.scored + batch.scored,
            disagreed=self.disagreed + batch.disagreed,
            due=self.due + batch.due,
            shadow_dropped=self.shadow_dropped + batch.shadow_dropped,
            due_by_candidate=self.due_by_candidate + batch.due_by_candidate,
            due_paired=self.due_paired + batch.due_paired,
            due_disagreed=due_disagreed,
            due_disagreed_relative=self._relative(due_disagreed, after.scale),
            served=served,
            tail_watched=self.tail_watched + batch.tail_watched,
            tail_above=self.tail_above + batch.tail_above,
            arms=folded_arms(self.arms, batch.labelled, policy) if policy.canary_comparison == "arms" else self.arms,
        )

    def _due_disagreed(self, batch: EvidenceBatch) -> float | None:
        if batch.due == 0:
            return self.due_disagreed
        known = self.due == 0 or self.due_disagreed is not None
        return (self.due_disagreed or 0.0) + batch.due_disagreed if known and batch.due_disagreed is not None else None

    def _relative(self, due_disagreed: float | None, scale: Scale) -> float | None:
        if due_disagreed is None or scale.all == 0:
            # Without a label nothing was bet: what is due is divided by the first look's weights that has one.
            return None
        before = self.due_disagreed_relative
        if before is None:
            before = (self.due_disagreed or 0.0) / max(self.scale.all or scale.all, 1.0)
        return before + (due_disagreed - (self.due_disagreed or 0.0)) / scale.all

    def _with_pairs(self, batch: LabelledBatch, *, between_arms: bool) -> EvidenceState:
        paired = batch.paired
        evidence = paired | (batch.single if between_arms else False)
        by_stage = dict(self.labelled_by_stage)
        for stage in sorted(set(batch.stage[evidence])):
            by_stage[stage] = by_stage.get(stage, 0) + int((batch.stage[evidence] == stage).sum())
        x = (batch.candidate_wrong - batch.champion_wrong)[paired].astype(np.int8)
        groups, mated, weights = batch.group[paired], batch.mated[paired], batch.weight[paired]
        scale = self.scale.grown(weights, x)
        keys = scale.named(weights, x)
        light = {"overall": counted(self.light.get("overall", {}), keys, x)}
        by_group, strangers = dict(self.groups), dict(self.false_matches)
        for name in sorted({name for name in groups if name is not None}):
            for stratum, tallies, rows in (
                (f"group {name}", by_group, groups == name),
                (f"strangers {name}", strangers, (groups == name) & ~mated),
            ):
                tallies[name] = tallies.get(name, Tally()).plus(x[rows])
                light[stratum] = counted(self.light.get(stratum, {}), keys[rows], x[rows])
        return replace(
            self,
            overall=self.overall.plus(x),
            groups=by_group,
            false_matches=strangers,
            labelled_by_stage=by_stage,
            labelled_by_candidate=self.labelled_by_candidate + int((evidence & batch.by_candidate).sum()),
            discordant_weight=self.discordant_weight + float(weights[x != 0].sum()),
            scale=scale,
            light={**self.light, **{stratum: tallies for stratum, tallies in light.items() if tallies}},
        )

    def to_json(self) -> str:
        """Canonical JSON; ``from_json`` gives an equal state back."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EvidenceState:
        """Read what ``to_json`` wrote, of this release or an earlier one."""
        values: dict[str, Any] = json.loads(text)
        overall = Tally(**values["overall"])
        earlier: dict[str, Any] = {
            "discordant_weight": float(overall.discordant),
            "scale": {"all": float(overall.labelled > 0), "discordant": float(overall.discordant > 0)},
        }
        values = earlier | values
        return cls(
            **values
            | {
                "overall": overall,
                "groups": _tallies(values["groups"]),
                "false_matches": _tallies(values["false_matches"]),
                "served": {name: Served(**counts) for name, counts in values.get("served", {}).items()},
                "scale": Scale(**values["scale"]),
                "light": {stratum: _tallies(tallies) for stratum, tallies in values.get("light", {}).items()},
                "arms": {name: ArmTally.from_dict(tally) for name, tally in values.get("arms", {}).items()},
            }
        )


def _tallies(values: Mapping[str, Mapping[str, int]]) -> dict[str, Tally]:
    return {name: Tally(**tally) for name, tally in values.items()}
