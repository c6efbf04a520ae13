import pytest
from pydantic import ValidationError

from countenance.assessment.cost import CostModel, CostResampler
from countenance.assessment.cost_report import cost_report
from countenance.assessment.differential import error_rates_by_group
from countenance.assessment.gate_policy import GateEvidence, GatePolicy, run_gates
from countenance.assessment.group_error_counts import GroupErrorCounts
from countenance.assessment.intervals import Resampling
from countenance.assessment.non_inferiority import (
    paired_cost_difference,
    paired_tar_difference,
    paired_worst_group_fmr,
    paired_worst_group_fnmr,
)
from countenance.assessment.results import Measurement
from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from tests.assessment.populations import scored

QUICK = Resampling(resamples=60)
EVERY_GATE = {
    "no regression of TAR",
    "worst-group FMR against the champion",
    "worst-group FNMR against the champion",
    "worst-group FMR against the teacher",
    "worst-group FNMR against the teacher",
    "expected cost against the champion",
    "evidence in every group",
    "FMR of every group",
    "FMR disparity",
    "FNMR disparity",
    "bias index",
    "gender gap",
    "smile gap",
    "age gap",
    "landmark ratio",
    "model size",
    "inference time",
}
POLICY = GatePolicy(nominal_fmr=0.01, model_bytes=10_000, latency_ms=5.0)


def full_evidence(noise: float) -> GateEvidence:
    champion, candidate = scored(40, 3, noise=1.0), scored(40, 3, noise=noise)
    groups = {subject: "ab"[number % 2] for number, subject in enumerate(champion.pairs.subjects)}
    prices = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5)
    new, old = GroupErrorCounts(candidate, groups, 0.5), GroupErrorCounts(champion, groups, 0.5)
    gap = Measurement(0.01, 0.0, 0.02, 100, "proportion", False)
    return GateEvidence(
        tar_difference=paired_tar_difference(candidate, champion, 0.01, QUICK),
        differential=error_rates_by_group(candidate, groups, 0.5, resampling=QUICK),
        worst_group_fmr=paired_worst_group_fmr(new, old, QUICK),
        worst_group_fnmr=paired_worst_group_fnmr(new, old, QUICK),
        teacher_fmr=paired_worst_group_fmr(new, old, QUICK),
        teacher_fnmr=paired_worst_group_fnmr(new, old, QUICK),
        cost_difference=paired_cost_difference(
            CostResampler(candidate, 0.5, prices), CostResampler(champion, 0.5, prices), QUICK
        ),
        cost=cost_report(candidate, groups, 0.5, prices, resampling=QUICK),
        attribute_gaps=dict.fromkeys(("gender gap", "smile gap", "age gap", "landmark ratio"), gap),
        model_bytes=9_000,
        latency_ms=Measurement(3.0, 2.0, 4.0, 50, "ms", False),
    )


def test_without_evidence_every_gate_is_inconclusive_and_none_is_missing():
    gates = run_gates(POLICY, GateEvidence())
    assert {gate.name for gate in gates} == EVERY_GATE
    assert {gate.verdict for gate in gates} == {"INCONCLUSIVE"}
    assert all("the evidence was not handed in" in gate.reason for gate in gates)


def test_a_gate_has_the_same_name_and_limit_with_and_without_its_evidence():
    bare = {gate.name: gate.limit for gate in run_gates(POLICY, GateEvidence())}
    assert {gate.name: gate.limit for gate in run_gates(POLICY, full_evidence(1.0))} == bare


def test_a_damaged_candidate_fails_and_a_good_one_does_not():
    damaged = {gate.name: gate for gate in run_gates(POLICY, full_evidence(2.5))}
    assert damaged["no regression of TAR"].verdict == "FAIL"
    assert damaged["worst-group FNMR against the champion"].verdict == "FAIL"
    assert damaged["worst-group FNMR against the teacher"].verdict == "FAIL"
    better = {gate.name: gate for gate in run_gates(POLICY, full_evidence(0.5))}
    assert better["no regression of TAR"].verdict == "PASS"
    assert better["model size"].verdict == better["inference time"].verdict == better["gender gap"].verdict == "PASS"
    assert better["evidence in every group"].reason == "Too few subjects in a, b."


def test_a_gate_whose_limit_is_none_is_off():
    off = GatePolicy(
        tar_margin=None,
        group_fmr_factor=None,
        fmr_disparity_fail=None,
        fnmr_disparity_fail=None,
        worst_group_fmr_ratio=None,
        worst_group_fnmr_increase=None,
        teacher_fmr_ratio=None,
        teacher_fnmr_increase=None,
        cost_increase=None,
        bias_index=None,
        attribute_gaps={},
        minimum_expected_false_matches=None,
    )
    assert run_gates(off, GateEvidence()) == ()


def test_an_unknown_limit_is_refused():
    with pytest.raises(ConfigurationError, match="tar_margine"):
        narrow(GatePolicy, {"tar_margine": 0.1}, where="parameters_evaluation.yml")
    with pytest.raises(ValidationError):
        GatePolicy(tar_margin=-0.1)
