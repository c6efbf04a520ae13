from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import OUTPUT_COLUMNS, AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.assessment.release_gates import CandidateRules, WaiverRequest, decide_release
from countenance.assessment.results import Measurement
from countenance.errors import AssessmentError

from .faces import face, manifest
from .populations import embeddings

NOW = datetime(2030, 5, 1, tzinfo=UTC)
PEOPLE, PHOTOS = 24, 4
SETTINGS = AssessmentConfiguration(
    headline_far=0.05,
    resampling=Resampling(resamples=40),
    cost=CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5),
)
FAIRNESS = FairnessConfiguration(
    identity_attribute="tone", attributes=("tone",), sizes=GroupSizes(minimum=3, sufficient=6)
)
# Wide limits: whatever these models do, every gate with an interval passes.
WIDE = GatePolicy(
    nominal_fmr=0.3, tar_margin=0.9, group_fmr_factor=3.3, fmr_disparity_fail=50, fnmr_disparity_fail=50,
    worst_group_fmr_ratio=1e6, worst_group_fnmr_increase=0.99, cost_increase=1e6, bias_index=50,
    teacher_fmr_ratio=None, teacher_fnmr_increase=None,
    attribute_gaps={"gender gap": 0.5}, minimum_expected_false_matches=1.0, model_bytes=1000, latency_ms=10.0,
)  # fmt: skip
CHAMPION_GATES = {
    "no regression of TAR",
    "worst-group FMR against the champion",
    "worst-group FNMR against the champion",
    "expected cost against the champion",
}
ROWS = manifest(
    *(face(f"p{person:02d}-{photo}", f"p{person:02d}") for person in range(PEOPLE) for photo in range(PHOTOS))
)
TONES = pd.Series(np.where(np.arange(PEOPLE * PHOTOS) // PHOTOS % 2, "dark", "light"), index=ROWS["face_id"])
MEASURED = {"model_bytes": 900, "inference_ms": Measurement(4.0, 3.0, 5.0, 100, "ms", False)}
GAPS = {"gender gap": Measurement(0.1, 0.05, 0.2, 50, "proportion", False)}
THRESHOLDS = {"v1": 0.5, "v2": 0.5}


def outputs_of(noise):
    vectors = embeddings(PEOPLE, PHOTOS, noise=noise, seed=3, dimensions=6)
    table = pd.DataFrame({"face_id": ROWS["face_id"], "embedding": list(vectors)})
    return table.assign(**dict.fromkeys(name for name in OUTPUT_COLUMNS if name not in table))


OUTPUTS = {"v1": outputs_of(1.0), "v2": outputs_of(0.7)}


def decided(candidate="v2", *, policy=WIDE, now=NOW, measured=MEASURED, gaps=GAPS, thresholds=THRESHOLDS, **rules):
    return decide_release(
        candidate,
        ROWS,
        OUTPUTS,
        thresholds,
        TONES,
        measured,
        gaps,
        CandidateRules.model_validate(rules),
        policy,
        SETTINGS,
        FAIRNESS,
        now=now,
    )


def names(decision):
    return {gate.name for gate in decision.gates}


def request(*gates, verdicts=("INCONCLUSIVE",), days=2.0):
    return {
        "gates": gates,
        "verdicts": verdicts,
        "signed_by": "R. Roe",
        "signed_on": "2030-05-01",
        "reason": "a pilot",
        "days": days,
    }


def test_a_first_release_has_no_champion_to_be_held_against():
    first, later = decided("v1"), decided("v2", against="v1")
    assert not names(first) & CHAMPION_GATES
    assert names(later) == names(first) | CHAMPION_GATES
    assert (first.verdict, later.verdict) == ("PASS", "PASS"), (first.reason, later.reason)


def test_the_comparison_with_the_champion_is_candidate_against_champion_each_at_its_own_threshold():
    gates = {gate.name: gate for gate in decided("v2", against="v1").gates}
    assert gates["no regression of TAR"].value > 0  # v2 has less noise
    assert gates["worst-group FNMR against the champion"].value < 0
    strict = {"v1": 0.5, "v2": 0.99}
    gates = {gate.name: gate for gate in decided("v2", against="v1", thresholds=strict).gates}
    assert gates["worst-group FNMR against the champion"].value > 0.25  # hardly anybody is above 0.99
    assert gates["worst-group FMR against the champion"].value == 0.0


def test_a_candidate_that_is_worse_than_its_champion_by_more_than_the_margin_fails():
    worse = OUTPUTS | {"v2": outputs_of(2.5)}
    decision = decide_release(
        "v2", ROWS, worse, THRESHOLDS, TONES, MEASURED, GAPS, CandidateRules(against="v1"),
        WIDE.model_copy(update={"tar_margin": 0.01}), SETTINGS, FAIRNESS, now=NOW,
    )  # fmt: skip
    assert (decision.verdict, decision.reason) == ("FAIL", "Failed: no regression of TAR.")


def test_what_was_measured_of_the_export_and_the_attributes_is_held_against_its_limits():
    heavy = decided(measured=MEASURED | {"model_bytes": 1001})
    assert heavy.reason == "Failed: model size."
    slow = decided(measured=MEASURED | {"inference_ms": Measurement(9.0, 8.0, 11.0, 100, "ms", False)})
    assert slow.reason == "Not shown either way: inference time."
    assert decided(gaps={}).reason == "Not shown either way: gender gap."


def test_waivers_are_signed_for_each_gate_and_expire_after_their_days():
    signed = WaiverRequest.model_validate(request("one", "another", verdicts=("INCONCLUSIVE", "FAIL"))).signed(NOW)
    assert [(waiver.gate, waiver.verdicts, waiver.signed_by, waiver.reason) for waiver in signed] == [
        ("one", ("INCONCLUSIVE", "FAIL"), "R. Roe", "a pilot"),
        ("another", ("INCONCLUSIVE", "FAIL"), "R. Roe", "a pilot"),
    ]
    assert {waiver.expires_at for waiver in signed} == {NOW + timedelta(days=2)}


def test_a_waiver_lets_a_release_out_until_it_has_expired():
    asked = request("gender gap")
    decision = decided(gaps={}, waivers=(asked,))
    assert (decision.verdict, decision.reason) == ("PASS", f"All {len(decision.gates)} gates passed, 1 by waiver.")
    (gate,) = (gate for gate in decision.gates if gate.verdict == "WAIVED")
    assert "waived by R. Roe until 2030-05-03" in gate.reason
    assert decided(gaps={}, waivers=(asked,), now=NOW + timedelta(days=1.9)).verdict == "PASS"
    late = decided(gaps={}, waivers=(asked,), now=NOW + timedelta(days=2))
    assert late.verdict == "INCONCLUSIVE"
    (gate,) = (gate for gate in late.gates if gate.name == "gender gap")
    assert "The waiver by R. Roe expired at 2030-05-03T00:00:00+00:00" in gate.reason


def test_a_waiver_is_signed_on_a_day_that_has_come_and_for_a_gate():
    with pytest.raises(AssessmentError, match="signed on 2030-05-01, which is yet to come"):
        decided(gaps={}, waivers=(request("gender gap"),), now=NOW - timedelta(days=2))
    undated = {key: value for key, value in request("gender gap").items() if key != "signed_on"}
    with pytest.raises(ValidationError, match="signed_on"):
        WaiverRequest.model_validate(undated)
    with pytest.raises(ValidationError, match="gates"):
        WaiverRequest.model_validate(request())


def test_a_waiver_of_what_is_unclear_does_not_waive_a_failure():
    heavy = MEASURED | {"model_bytes": 1001}
    assert decided(measured=heavy, waivers=(request("model size"),)).verdict == "FAIL"
    assert decided(measured=heavy, waivers=(request("model size", verdicts=("FAIL",)),)).verdict == "PASS"


def test_a_waiver_of_a_champion_gate_is_refused_for_a_first_release():
    with pytest.raises(AssessmentError, match="names the gate 'no regression of TAR', which is not among the gates"):
        decided("v1", waivers=(request("no regression of TAR"),))


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_waiver_without_an_end_within_a_year_is_no_waiver(days):
    with pytest.raises(ValidationError):
        WaiverRequest.model_validate(request("gender gap", days=days))


def test_a_candidate_whose_outputs_miss_a_face_is_not_decided():
    silent = {"v1": OUTPUTS["v1"].iloc[1:]}
    with pytest.raises(AssessmentError, match="1 faces of split 'test' have no output"):
        decide_release(
            "v1", ROWS, silent, THRESHOLDS, TONES, MEASURED, GAPS, CandidateRules(), WIDE, SETTINGS, FAIRNESS, now=NOW
        )
