"""From two models' outputs to the gates of a release: evidence, verdicts, waivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from countenance.assessment.differential import differential_of
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts
from countenance.assessment.fairness import FairnessConfiguration, group_of_subjects
from countenance.assessment.gate_policy import GateEvidence, GatePolicy, run_gates
from countenance.assessment.gates import Gate, GateDecision, Waiver, decide
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.identity_by_group import cost_by_group, high_scores
from countenance.assessment.non_inferiority import paired_tar_difference
from countenance.assessment.paired_groups import PairedGroups, pair_groups
from countenance.assessment.results import Measurement
from countenance.configuration import Configuration
from countenance.errors import AssessmentError


class WaiverRequest(Configuration):
    """Waivers as an operator writes them: which verdicts of which gates, why, by whom, since when, how long.

    The days run from the day of the signature, at midnight UTC, however often the registration runs again.
    """

    gates: tuple[str, ...] = Field(min_length=1)
    verdicts: tuple[Literal["INCONCLUSIVE", "FAIL"], ...]
    signed_by: str
    signed_on: date
    reason: str
    days: float = Field(gt=0, le=365)

    def signed(self, now: datetime) -> list[Waiver]:
        """One waiver a gate.

        Raises:
            AssessmentError: it is signed on a day that is yet to come.
        """
        signed_at = datetime.combine(self.signed_on, time(), UTC)
        # A day ahead of UTC is today somewhere.
        if signed_at > now + timedelta(days=1):
            raise AssessmentError(
                f"The waiver for gate '{self.gates[0]}' is signed on {self.signed_on}, which is "
                "yet to come: sign it on the day it is given."
            )
        expires_at = signed_at + timedelta(days=self.days)
        return [Waiver(gate, self.verdicts, self.signed_by, self.reason, expires_at) for gate in self.gates]


class CandidateRules(Configuration):
    """What one candidate is held against: another model, or nothing for a first release."""

    against: str | None = None
    waivers: tuple[WaiverRequest, ...] = ()


CHAMPION_GATES = ("tar_margin", "worst_group_fmr_ratio", "worst_group_fnmr_increase", "cost_increase")
"""Gates that compare with a champion; a first release has none to be compared with."""


def decide_release(
    candidate: str,
    rows: pd.DataFrame,
    outputs: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, float],
    groups: pd.Series[Any],
    measured: Mapping[str, Any],
    gaps: Mapping[str, Measurement],
    rules: CandidateRules,
    policy: GatePolicy,
    assessment: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    *,
    now: datetime,
    beside_teacher: PairedGroups | None = None,
    further: Sequence[Gate] = (),
) -> GateDecision:
    """Run every gate of a candidate and apply its waivers.

    Args:
        candidate: its name.
        rows: the manifest, with ``landmarks_5``.
        outputs: what the candidate and the model that it is held against say.
        thresholds: each model's operating threshold.
        groups: group of each face by ``face_id``.
        measured: ``model_bytes`` and ``inference_ms`` (a :class:`Measurement`) of the exported candidate.
        gaps: attribute gaps by the policy's names.
        rules: against whom, and the waivers.
        policy: limits.
        assessment: prices and resampling.
        fairness: group sizes.
        now: the moment of the decision.
        beside_teacher: the candidate beside its teacher by group, as the bias room measured it.
        further: gates that need no measurement, e.g. on licences; the same waivers hold for them.
    """
    table = join_outputs(rows, outputs[candidate], "test")
    people, sizes, resampling = group_of_subjects(table, groups), fairness.sizes, assessment.resampling
    ours = ExhaustiveErrorCounts(
        high_scores(table, thresholds[candidate], assessment), people, thresholds[candidate], sizes
    )
    evidence: dict[str, Any] = {
        "differential": differential_of(ours, sizes=sizes, resampling=resampling),
        "cost": cost_by_group(ours, assessment.cost, sizes=sizes, resampling=resampling),
        "attribute_gaps": gaps,
        "model_bytes": measured["model_bytes"],
        "latency_ms": measured["inference_ms"],
        "teacher_fmr": None if beside_teacher is None else beside_teacher.worst_fmr,
        "teacher_fnmr": None if beside_teacher is None else beside_teacher.worst_fnmr,
    }
    if rules.against is None:
        policy = policy.model_copy(update=dict.fromkeys(CHAMPION_GATES))
    else:
        theirs_table, limit = join_outputs(rows, outputs[rules.against], "test"), thresholds[rules.against]
        theirs = ExhaustiveErrorCounts(high_scores(theirs_table, limit, assessment), people, limit, sizes)
        beside = pair_groups(ours, theirs, rules.against, assessment.cost, resampling)
        scores, other = compare(table, assessment), compare(theirs_table, assessment)
        evidence |= {
            "tar_difference": paired_tar_difference(scores, other, assessment.headline_far, resampling),
            "worst_group_fmr": beside.worst_fmr,
            "worst_group_fnmr": beside.worst_fnmr,
            "cost_difference": beside.cost,
        }
    gates = (*run_gates(policy, GateEvidence(**evidence)), *further)
    return decide(gates, [waiver for request in rules.waivers for waiver in request.signed(now)], now)
