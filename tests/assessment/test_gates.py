import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.cost import CostModel
from countenance.assessment.cost_report import cost_report
from countenance.assessment.differential import Differential, GroupErrorRates
from countenance.assessment.gates import (
    Gate,
    GateDecision,
    Waiver,
    at_most,
    bias_index_gate,
    budget_gate,
    decide,
    disparity_gate,
    evidence_gate,
    group_fmr_gate,
    increase_gate,
    measurement_gate,
    no_regression_gate,
)
from countenance.assessment.intervals import Rate, Resampling
from countenance.assessment.non_inferiority import PairedDifference
from countenance.assessment.results import Measurement
from countenance.errors import AssessmentError
from tests.assessment.populations import scored

NOW = datetime(2030, 5, 1, tzinfo=UTC)
MISSING = Measurement.missing("worst / geometric mean", higher_is_better=False, note="not measurable: no errors")


def difference(low: float | None, high: float | None, value: float | None = 0.0) -> PairedDifference:
    return PairedDifference("TAR@FAR=0.001", 0.9, 0.9, value, low, high, "proportion", "")


def group(name: str, low: float, high: float, *, comparisons: int = 10**6, status: str = "sufficient"):
    rate = Rate(5, comparisons, 500, (low + high) / 2, low, high, 2.0)
    if status == "suppressed":
        return GroupErrorRates(name, None, "suppressed", None, None)
    return GroupErrorRates(name, 500, status, rate, rate)


def differential(*groups: GroupErrorRates) -> Differential:
    return Differential(0.5, groups, MISSING, MISSING, None, None)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.004, 0.01, "PASS"),
        (-0.02, 0.01, "INCONCLUSIVE"),
        (-0.03, -0.006, "FAIL"),
        (-0.03, -0.005, "INCONCLUSIVE"),
        (-0.005, 0.01, "INCONCLUSIVE"),
        (None, None, "INCONCLUSIVE"),
    ],
)
def test_no_regression_passes_above_the_margin_and_fails_below_it(low, high, verdict):
    gate = no_regression_gate(difference(low, high), 0.005)
    assert (gate.verdict, gate.limit, gate.name) == (verdict, -0.005, "no regression of TAR")


def test_a_negative_margin_is_refused():
    with pytest.raises(AssessmentError, match="margin"):
        no_regression_gate(difference(0.0, 0.1), -0.01)


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (1.0, 0.5, 2.0, "PASS"),
        (2.5, 1.5, 3.5, "INCONCLUSIVE"),
        (3.0, 2.1, 4.0, "FAIL"),
        (1.0, None, None, "INCONCLUSIVE"),
        (None, None, None, "INCONCLUSIVE"),
    ],
)
def test_an_upper_limit_holds_the_whole_interval(value, low, high, verdict):
    gate = at_most("cost", value, low, high, 2.0, "EUR", "not priced")
    assert gate.verdict == verdict
    assert gate.reason.endswith(".")
    if value is None:
        assert gate.reason == "cost was not measured: not priced."


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5))
def test_a_gate_never_passes_with_its_upper_end_over_the_limit(value, below, above, limit):
    gate = at_most("x", value, value - below, value + above, limit, "y")
    assert (gate.verdict == "PASS") == (value + above <= limit)
    assert (gate.verdict == "FAIL") == (value - below > limit)


def test_increases_measurements_and_budgets_use_the_same_rule():
    assert increase_gate(difference(0.001, 0.004), 0.005).verdict == "PASS"
    assert increase_gate(difference(0.006, 0.009), 0.005).name == "TAR@FAR=0.001 against the champion"
    gap = Measurement(0.02, 0.01, 0.05, 100, "proportion", False)
    assert measurement_gate("gender gap", gap, 0.03).verdict == "INCONCLUSIVE"
    assert budget_gate("model size", 5e6, 4e6, "bytes").verdict == "FAIL"
    assert budget_gate("model size", 4e6, 4e6, "bytes").verdict == "PASS"
    assert budget_gate("model size", None, 4e6, "bytes").verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("groups", "verdict", "named"),
    [
        ([group("a", 0.0, 0.002), group("b", 0.0, 0.003)], "PASS", "group b"),
        ([group("a", 0.002, 0.004), group("b", 0.0, 0.001)], "INCONCLUSIVE", "group a"),
        ([group("a", 0.002, 0.009), group("b", 0.0031, 0.004)], "FAIL", "group b"),
        ([group("a", 0.0, 0.001), group("z", 0.5, 0.6, status="suppressed")], "PASS", "group a"),
    ],
)
def test_every_shown_groups_fmr_is_held_against_a_multiple_of_the_nominal(groups, verdict, named):
    gate = group_fmr_gate(differential(*groups), 1e-3, 3.0)
    assert gate.verdict == verdict
    assert gate.limit == pytest.approx(3e-3)
    assert named in gate.reason
    assert gate.name == "FMR of every group"


def test_no_shown_group_is_inconclusive():
    gate = group_fmr_gate(differential(group("a", 0.0, 0.1, status="suppressed")), 1e-3, 3.0)
    assert gate.verdict == "INCONCLUSIVE"


def test_disparity_fails_by_its_lower_end_and_warns_by_its_point():
    def gate(value: float, low: float, high: float) -> Gate:
        return disparity_gate("FMR disparity", Measurement(value, low, high, 4, "ratio", False), 3.0, 2.0)

    assert (gate(1.5, 1.2, 3.5).verdict, gate(1.5, 1.2, 3.5).warning) == ("PASS", "")
    assert gate(2.5, 1.5, 4.0).verdict == "PASS"
    assert "over 2, look at the groups" in gate(2.5, 1.5, 4.0).warning
    assert gate(5.0, 3.1, 9.0).verdict == "FAIL"
    assert disparity_gate("FMR disparity", MISSING, 3.0, 2.0).verdict == "INCONCLUSIVE"


def test_evidence_asks_for_thirty_expected_errors_times_the_design_effect():
    # Design effect 2 at FMR 1e-3: 60,000 comparisons are just enough.
    enough, short = group("a", 0, 1, comparisons=60_000), group("b", 0, 1, comparisons=59_000)
    assert evidence_gate(differential(enough), 1e-3, 30.0).verdict == "PASS"
    gate = evidence_gate(differential(enough, short), 1e-3, 30.0)
    assert (gate.verdict, gate.reason) == (
        "INCONCLUSIVE",
        "Group b has 0.98 of the comparisons needed at FMR 0.001.",
    )


@pytest.mark.parametrize("status", ["insufficient", "suppressed"])
def test_a_small_group_lacks_evidence(status: str):
    gate = evidence_gate(differential(group("a", 0, 1), group("b", 0, 1, status=status)), 1e-3, 30.0)
    assert (gate.verdict, gate.reason) == ("INCONCLUSIVE", "Too few subjects in b.")


def test_the_bias_index_gate_names_the_worst_group():
    scores = scored(40, 3, noise=1.0)
    groups = {subject: "ab"[number % 2] for number, subject in enumerate(scores.pairs.subjects)}
    prices = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5)
    report = cost_report(scores, groups, 0.5, prices, resampling=Resampling(resamples=100))
    gate = bias_index_gate(report, 3.0)
    assert gate.verdict == "PASS"
    assert gate.reason.endswith(f"the worst group is {report.worst_group}.")
    none = cost_report(scores, {}, 0.5, prices, resampling=Resampling(resamples=100))
    assert bias_index_gate(none, 3.0).verdict == "INCONCLUSIVE"


def gate_of(name: str, verdict: str) -> Gate:
    return Gate(name, verdict, 1.0, 0.5, 1.5, 1.0, "x", f"{name} says so.")


def waiver(name: str, *verdicts: str, days: float = 1.0) -> Waiver:
    return Waiver(name, verdicts, "R. Roe, risk owner", "pilot with staff only", NOW + timedelta(days=days))


def test_the_worst_verdict_decides():
    passed, failed, unclear = gate_of("a", "PASS"), gate_of("b", "FAIL"), gate_of("c", "INCONCLUSIVE")
    assert decide([passed], [], NOW).reason == "All 1 gates passed."
    assert decide([passed, unclear], [], NOW).reason == "Not shown either way: c."
    decision = decide([passed, unclear, failed], [], NOW)
    assert (decision.verdict, decision.reason) == ("FAIL", "Failed: b.")


def test_a_waiver_turns_the_verdict_that_it_names_and_keeps_its_reason():
    decision = decide([gate_of("a", "INCONCLUSIVE")], [waiver("a", "INCONCLUSIVE")], NOW)
    assert (decision.verdict, decision.gates[0].verdict) == ("PASS", "WAIVED")
    assert decision.reason == "All 1 gates passed, 1 by waiver."
    assert decision.gates[0].reason == (
        "INCONCLUSIVE waived by R. Roe, risk owner until 2030-05-02T00:00:00+00:00 (pilot with staff only): a says so."
    )


@pytest.mark.parametrize(
    ("verdict", "given_waiver"),
    [
        ("FAIL", waiver("a", "INCONCLUSIVE")),
        ("INCONCLUSIVE", waiver("a", "FAIL")),
        ("INCONCLUSIVE", waiver("a", "INCONCLUSIVE", days=0)),
        ("INCONCLUSIVE", waiver("a", "INCONCLUSIVE", days=-1)),
    ],
)
def test_a_waiver_of_another_verdict_or_out_of_date_changes_nothing(verdict: str, given_waiver: Waiver):
    decision = decide([gate_of("a", verdict)], [given_waiver], NOW)
    assert decision.gates[0].verdict == decision.verdict == verdict


def test_a_waiver_that_names_fail_waives_a_failure():
    assert decide([gate_of("a", "FAIL")], [waiver("a", "FAIL", "INCONCLUSIVE")], NOW).verdict == "PASS"


def test_a_pass_is_never_waived():
    assert decide([gate_of("a", "PASS")], [waiver("a", "FAIL", "INCONCLUSIVE")], NOW).gates[0].verdict == "PASS"


def test_decisions_that_make_no_sense_are_refused():
    gate = gate_of("a", "PASS")
    with pytest.raises(AssessmentError, match="gate 'b', which is not among"):
        decide([gate], [waiver("b", "FAIL")], NOW)
    with pytest.raises(AssessmentError, match="each gate once"):
        decide([gate, gate], [], NOW)
    with pytest.raises(AssessmentError, match="each gate once"):
        decide([], [], NOW)
    with pytest.raises(AssessmentError, match="no time zone"):
        decide([gate], [], datetime(2030, 5, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signed_by": " "}, "lacks a signature"),
        ({"reason": ""}, "lacks a signature or a reason"),
        ({"verdicts": ()}, "name INCONCLUSIVE, FAIL or both"),
        ({"verdicts": ("PASS",)}, "name INCONCLUSIVE, FAIL or both"),
        ({"expires_at": datetime(2030, 5, 1)}, "without a time zone"),
    ],
)
def test_a_waiver_needs_a_signature_a_reason_and_an_expiry(changes: dict, message: str):
    whole = {"gate": "a", "verdicts": ("FAIL",), "signed_by": "R", "reason": "r", "expires_at": NOW}
    with pytest.raises(AssessmentError, match=message):
        Waiver(**(whole | changes))


def test_a_decision_is_json_and_a_gate_comes_back_from_it():
    decision = decide([gate_of("a", "INCONCLUSIVE")], [waiver("a", "INCONCLUSIVE")], NOW)
    written = json.loads(json.dumps(decision.to_dict(), allow_nan=False))
    assert Gate.from_dict(written["gates"][0]) == decision.gates[0]
    assert GateDecision.from_dict(written) == decision
    signed = waiver("a", "FAIL")
    assert Waiver.from_dict(json.loads(json.dumps(signed.to_dict()))) == signed
