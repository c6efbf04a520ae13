"""Release units from the rooms' reports: what they carry of thresholds and money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from countenance.errors import AssessmentError
from countenance.governance.materials import Material
from countenance.serving.release import ReleaseManifest, open_release
from pipelines.registration.units import build_units
from tests.governance.declarations import governance
from tests.reporting.small_run import assessed, exported, manifest

REGISTRATION: dict[str, Any] = {
    "model": "faces",
    "candidates": {"student_alone": {"against": None}},
}


def built(folder: Path, **changes: Any) -> tuple[ReleaseManifest, str]:
    """The unit of the student alone, its part of the evaluation report changed, and its card."""
    evaluation, bias, gates = assessed()
    assessment = {**evaluation["models"]["student_alone"], **changes}
    measured = exported(400_000) | {"input_size": 64, "embedding_dimension": 24}
    named = {
        "student_alone_export": measured,
        "student_alone_metrics": {"images_seen": 1000, "minutes": 1.5},
        "student_alone_onnx": b"a model",
        "student_alone_proposals": None,
    }
    rows = manifest().assign(license="Apache-2.0", source="drawn")
    drawn = Material(name="drawn", kind="photographs", role="train", license="Apache-2.0", stated_by="this test")
    build_units(
        rows,
        {"models": {"student_alone": assessment}},
        bias,
        gates,
        REGISTRATION,
        governance(),
        {"student_alone": [drawn]},
        "A sheet.",
        {"manifest": "0123456789abcdef"},
        folder,
        named,
    )
    return open_release(folder / "student_alone"), (folder / "student_alone" / "model_card.md").read_text()


def test_a_unit_carries_a_threshold_for_each_measurable_rate_and_names_the_others(tmp_path: Path) -> None:
    release, card = built(tmp_path)
    calibrated = {entry["far"]: entry for entry in assessed()[0]["models"]["student_alone"]["calibrated"]}
    assert [entry.far for entry in release.thresholds] == [0.01, 0.1]
    for entry in release.thresholds:
        assert entry.model_dump() == {name: calibrated[entry.far][name] for name in entry.model_dump()}
    # Twelve validation people with five photos each: 66 pairs of people times 25.
    assert [entry.model_dump() for entry in release.not_measurable] == [{"far": 1e-4, "non_mated": 1650}]
    assert "| 0.0001 | not measurable | 1,650 comparisons |" in card
    assert "| 0.01 | " in card and "| 16 of 1,650 comparisons |" in card


def test_a_unit_carries_the_cheapest_threshold_with_its_prices_its_cap_and_both_peoples_rates(tmp_path: Path) -> None:
    release, card = built(tmp_path)
    money = assessed()[0]["models"]["student_alone"]["money"]
    cheapest = release.cheapest()
    assert cheapest.prices.model_dump() == money["prices"]
    assert (cheapest.prices.maximum_fmr, cheapest.prices.cost_false_match) == (0.03, 500.0)
    assert cheapest.threshold == money["optimum"]["threshold"]
    assert cheapest.calibration.fmr == money["optimum"]["fmr"] <= 0.03
    assert (cheapest.test.fmr, cheapest.test.fnmr) == (money["fmr"]["value"], money["fnmr"]["value"])
    assert f"Least cost at **{cheapest.threshold:.4f}**: {cheapest.cost:,.2f} EUR per 1,000 transactions" in card
    assert "with a cap on false matches of 0.03" in card


def test_an_evaluation_from_before_prices_is_refused_with_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(AssessmentError, match="no cost-optimal threshold of 'student_alone'.*pipelines evaluation"):
        built(tmp_path, money=None)
    assert not (tmp_path / "student_alone").exists()


def test_a_report_that_contradicts_itself_makes_no_unit(tmp_path: Path) -> None:
    money = assessed()[0]["models"]["student_alone"]["money"]
    dearer = money | {"optimum": money["optimum"] | {"cost": money["optimum"]["cost"] + 1}}
    with pytest.raises(ValueError, match="by its prices it costs"):
        built(tmp_path, money=dearer)
    assert not (tmp_path / "student_alone").exists()
