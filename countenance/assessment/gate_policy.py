"""Which gates a release must pass, and all of them run over the evidence at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from countenance.assessment.cost_report import CostReport
from countenance.assessment.differential import Differential
from countenance.assessment.gates import (
    Gate,
    at_most,
    bias_index_gate,
    budget_gate,
    disparity_gate,
    evidence_gate,
    group_fmr_gate,
    hold_together,
    increase_gate,
    measurement_gate,
    no_regression_gate,
)
from countenance.assessment.non_inferiority import PairedDifference
from countenance.assessment.remedies import with_remedies
from countenance.assessment.results import Measurement
from countenance.configuration import Configuration

NO_EVIDENCE = "the evidence was not handed in"


class GatePolicy(Configuration):
    """The limits of a release; None turns a gate off.

    Attributes:
        nominal_fmr: the FMR that the common threshold is set at.
        tar_margin: TAR may be lower than the champion's by at most this (proportion).
        group_fmr_factor: every group's upper FMR is at most this times the nominal one.
        fmr_disparity_fail: FAIL when the lower end of worst / geometric mean FMR is over it.
        fmr_disparity_warn: warn when the point is over it.
        fnmr_disparity_fail: the same of FNMR.
        fnmr_disparity_warn: the same of FNMR.
        worst_group_fmr_ratio: upper end of candidate / champion is at most this.
        worst_group_fnmr_increase: upper end of candidate - champion is at most this (proportion).
        teacher_fmr_ratio: the same ratio against the teacher.
        teacher_fnmr_increase: the same increase against the teacher.
        cost_increase: the cost may rise over the champion's by at most this, in the cost's unit.
        bias_index: worst group's cost / mean cost is at most this.
        attribute_gaps: name of a gap (e.g. "gender gap") -> largest gap or ratio, in the gap's unit.
        minimum_expected_false_matches: times the design effect, for the evidence gate.
        model_bytes: largest size of the model file.
        latency_ms: largest inference time in milliseconds.
    """

    nominal_fmr: float = Field(default=1e-3, gt=0.0, lt=1.0)
    tar_margin: float | None = Field(default=0.01, ge=0.0)
    group_fmr_factor: float | None = Field(default=3.0, gt=0.0)
    fmr_disparity_fail: float | None = Field(default=3.0, ge=1.0)
    fmr_disparity_warn: float = Field(default=2.0, ge=1.0)
    fnmr_disparity_fail: float | None = Field(default=1.5, ge=1.0)
    fnmr_disparity_warn: float = Field(default=1.25, ge=1.0)
    worst_group_fmr_ratio: float | None = Field(default=1.25, gt=0.0)
    worst_group_fnmr_increase: float | None = Field(default=0.005, ge=0.0)
    teacher_fmr_ratio: float | None = Field(default=1.25, gt=0.0)
    teacher_fnmr_increase: float | None = Field(default=0.005, ge=0.0)
    cost_increase: float | None = Field(default=0.0, ge=0.0)
    bias_index: float | None = Field(default=1.5, ge=1.0)
    attribute_gaps: Mapping[str, float] = Field(
        default_factory=lambda: {"gender gap": 0.03, "smile gap": 0.03, "age gap": 1.5, "landmark ratio": 1.25}
    )
    minimum_expected_false_matches: float | None = Field(default=30.0, gt=0.0)
    model_bytes: int | None = Field(default=None, gt=0)
    latency_ms: float | None = Field(default=None, gt=0.0)


@dataclass(frozen=True)
class GateEvidence:
    """What was measured; None or an absent key makes the gate that needs it INCONCLUSIVE.

    Attributes:
        tar_difference: candidate - champion.
        differential: the candidate's error rates by group.
        worst_group_fmr: candidate / champion.
        worst_group_fnmr: candidate - champion.
        teacher_fmr: the worst group's, candidate / teacher.
        teacher_fnmr: the worst group's, candidate - teacher.
        cost_difference: candidate - champion.
        cost: the candidate's cost report.
        attribute_gaps: name -> measured gap or ratio.
        model_bytes: size of the model file.
        latency_ms: inference time, in milliseconds.
    """

    tar_difference: PairedDifference | None = None
    differential: Differential | None = None
    worst_group_fmr: PairedDifference | None = None
    worst_group_fnmr: PairedDifference | None = None
    teacher_fmr: PairedDifference | None = None
    teacher_fnmr: PairedDifference | None = None
    cost_difference: PairedDifference | None = None
    cost: CostReport | None = None
    attribute_gaps: Mapping[str, Measurement] = field(default_factory=dict)
    model_bytes: int | None = None
    latency_ms: Measurement | None = None


def run_gates(policy: GatePolicy, evidence: GateEvidence) -> tuple[Gate, ...]:
    """Run every gate that the policy asks for, in a fixed order, and hold them together by Holm's rule.

    The reason of one that fails on a group says what to try.
    """
    held = hold_together(
        [
            *_champion_gates(policy, evidence),
            *_group_gates(policy, evidence),
            *_attribute_gates(policy, evidence),
            *_budget_gates(policy, evidence),
        ]
    )
    return with_remedies(held)


def _missing(name: str, limit: float, unit: str) -> Gate:
    return at_most(name, None, None, None, limit, unit, NO_EVIDENCE)


def _champion_gates(policy: GatePolicy, evidence: GateEvidence) -> list[Gate]:
    gates = []
    if policy.tar_margin is not None:
        gates.append(
            no_regression_gate(evidence.tar_difference, policy.tar_margin)
            if evidence.tar_difference is not None
            else _missing("no regression of TAR", -policy.tar_margin, "proportion")
        )
    fmr, fnmr = "worst-group FMR", "worst-group FNMR"
    increases = (
        (fmr, "champion", policy.worst_group_fmr_ratio, evidence.worst_group_fmr, "ratio"),
        (fnmr, "champion", policy.worst_group_fnmr_increase, evidence.worst_group_fnmr, "proportion"),
        (fmr, "teacher", policy.teacher_fmr_ratio, evidence.teacher_fmr, "ratio"),
        (fnmr, "teacher", policy.teacher_fnmr_increase, evidence.teacher_fnmr, "proportion"),
        ("expected cost", "champion", policy.cost_increase, evidence.cost_difference, "money"),
    )
    for what, against, limit, difference, unit in increases:
        if limit is not None:
            gates.append(
                _missing(f"{what} against the {against}", limit, unit)
                if difference is None
                else increase_gate(difference, limit, against)
            )
    return gates


def _group_gates(policy: GatePolicy, evidence: GateEvidence) -> list[Gate]:
    gates, found, nominal = [], evidence.differential, policy.nominal_fmr
    if policy.minimum_expected_false_matches is not None:
        gates.append(
            evidence_gate(found, nominal, policy.minimum_expected_false_matches)
            if found is not None
            else _missing("evidence in every group", 1.0, "expected false matches / needed")
        )
    if policy.group_fmr_factor is not None:
        gates.append(
            group_fmr_gate(found, nominal, policy.group_fmr_factor)
            if found is not None
            else _missing("FMR of every group", policy.group_fmr_factor * nominal, "proportion")
        )
    disparities = (
        (
            "FMR disparity",
            policy.fmr_disparity_fail,
            policy.fmr_disparity_warn,
            found.fmr_disparity if found else None,
            found.worst("fmr") if found else None,
        ),
        (
            "FNMR disparity",
            policy.fnmr_disparity_fail,
            policy.fnmr_disparity_warn,
            found.fnmr_disparity if found else None,
            found.worst("fnmr") if found else None,
        ),
    )
    for name, fail_above, warn_above, disparity, worst in disparities:
        if fail_above is not None:
            gates.append(
                _missing(name, fail_above, "worst / geometric mean")
                if disparity is None
                else disparity_gate(name, disparity, fail_above, warn_above, worst)
            )
    if policy.bias_index is not None:
        gates.append(
            bias_index_gate(evidence.cost, policy.bias_index)
            if evidence.cost is not None
            else _missing("bias index", policy.bias_index, "worst / mean")
        )
    return gates


def _attribute_gates(policy: GatePolicy, evidence: GateEvidence) -> list[Gate]:
    return [
        _missing(name, limit, "gap")
        if name not in evidence.attribute_gaps
        else measurement_gate(name, evidence.attribute_gaps[name], limit)
        for name, limit in policy.attribute_gaps.items()
    ]


def _budget_gates(policy: GatePolicy, evidence: GateEvidence) -> list[Gate]:
    gates = []
    if policy.model_bytes is not None:
        gates.append(
            budget_gate("model size", evidence.model_bytes, policy.model_bytes, "bytes")
            if evidence.model_bytes is not None
            else _missing("model size", policy.model_bytes, "bytes")
        )
    if policy.latency_ms is not None:
        gates.append(
            measurement_gate("inference time", evidence.latency_ms, policy.latency_ms)
            if evidence.latency_ms is not None
            else _missing("inference time", policy.latency_ms, "ms")
        )
    return gates
