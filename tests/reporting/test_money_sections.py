import re
from typing import Any

from countenance.reporting.money_sections import cost_plot, money_section
from countenance.reporting.plots import series_of
from countenance.reporting.wording import Shown

from .small_run import NAMES, assessed

MONEY: dict[str, Any] = {
    "prices": {
        "currency": "EUR", "cost_false_match": 500.0, "cost_false_non_match": 2.0, "mated_prior": 0.95,
        "transactions": 1000, "maximum_fmr": 0.03,
    },
    "optimum": {
        "threshold": 0.5, "fmr": 0.01, "fnmr": 0.1, "cost": 440.0, "unit": "EUR per 1,000 transactions", "capped": True,
    },
    "lowest_allowed": 0.5,
    "fmr": {"value": 0.02, "errors": 2, "comparisons": 100, "low": 0.0, "high": 0.06},
    "fnmr": {"value": 0.1, "errors": 1, "comparisons": 10, "low": 0.0, "high": 0.4},
    "cost": {
        "value": 690.0, "low": 100.0, "high": 1500.0, "count": 110, "unit": "EUR per 1,000 transactions",
        "higher_is_better": False, "note": "",
    },
    "curve": {"thresholds": [0.1, 0.5, 0.9], "fmr": [1, 0.01, 0], "fnmr": [0, 0.1, 1], "costs": [25000, 440, 1900]},
}  # fmt: skip
CALIBRATED = [
    {"far": 0.001, "threshold": None, "realised_far": None, "false_accepts": None, "non_mated": 100},
    {"far": 0.01, "threshold": 0.5, "realised_far": 0.01, "false_accepts": 1, "non_mated": 100},
]
EVALUATION: dict[str, Any] = {
    "models": {
        "teacher": {
            "model": "teacher", "calibrated_by": "teacher", "money": MONEY, "calibrated": CALIBRATED,
            "operating": {"threshold": 0.6},
        }
    }
}  # fmt: skip


def test_the_cheapest_threshold_is_told_with_both_peoples_rates_and_an_unmeasurable_rate_by_its_reason() -> None:
    section = money_section(EVALUATION, NAMES)
    assert section is not None
    (row,) = section["cheapest"]
    assert row["model"] == "teacher"
    assert row["threshold"] == Shown("0.5000", note="kept up by the cap")
    assert row["chosen"] == Shown("440.00", note="FMR 1.00 %, FNMR 10.00 %")
    assert row["cost"].value == "690.00 EUR per 1,000 transactions"
    assert (row["fmr"].value, row["fmr"].note) == ("2.00 %", "2 of 100")
    ((_, cells),) = section["calibrated"]
    assert cells == [
        Shown("not measurable", note="below 1 in 100 non-mated comparisons"),
        Shown("0.5000", note="1 of 100 non-mated comparisons"),
    ]
    assert "costs EUR 500.00, a person turned away EUR 2.00" in section["prices"]
    assert "At most 3.00 % of strangers may be let in" in section["prices"]


def test_a_threshold_that_was_taken_over_from_another_model_says_from_which() -> None:
    borrowed = EVALUATION["models"]["teacher"] | {"model": "student_damaged", "calibrated_by": "student_distilled"}
    section = money_section({"models": {"student_damaged": borrowed}}, NAMES)
    assert section is not None
    assert section["cheapest"][0]["threshold"].note == "kept up by the cap; that of v2 AdaDistill"
    # The curve is that of the other model, which has its own line.
    assert cost_plot({"models": {"student_damaged": borrowed}}, series_of(NAMES, None)) is None


def test_thresholds_that_cost_nothing_are_drawn_too() -> None:
    free = MONEY | {"optimum": MONEY["optimum"] | {"cost": 0.0}}
    evaluation = {"models": {"teacher": EVALUATION["models"]["teacher"] | {"money": free}}}
    assert cost_plot(evaluation, series_of(NAMES, None)) is not None


def test_without_a_cap_nothing_is_said_to_be_forbidden() -> None:
    free = MONEY | {"prices": MONEY["prices"] | {"maximum_fmr": None}, "lowest_allowed": None}
    evaluation = {"models": {"teacher": EVALUATION["models"]["teacher"] | {"money": free}}}
    section = money_section(evaluation, NAMES)
    assert section is not None and "There is no cap on false matches" in section["prices"]
    assert cost_plot(evaluation, series_of(NAMES, None)) is not None


def test_the_curve_of_every_model_is_drawn_and_the_champion_marked() -> None:
    svg = cost_plot(assessed()[0], series_of(NAMES, "student_distilled"))
    assert svg is not None
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert {"teacher", "v2 AdaDistill (champion)", "threshold (cosine)", "EUR per 1,000 transactions"} <= set(shown)


def test_an_evaluation_from_before_prices_has_no_section() -> None:
    old = {"models": {"teacher": {"tar": []}}}
    assert money_section(old, NAMES) is None
    assert cost_plot(old, series_of(NAMES, None)) is None
    assert money_section({}, NAMES) is None
