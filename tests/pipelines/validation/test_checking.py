"""A check that can't run is told apart from bad data, and the others run nevertheless."""

from typing import Any

import pandas as pd
import pytest

from countenance.errors import ConfigurationError, DataError
from pipelines.validation.configuration import ValidationConfiguration
from pipelines.validation.expectations import require_passed, run_expectations

FACTS = pd.DataFrame({"face_id": ["a", "b", "c"], "age_years": [10.0, -1.0, None], "license": ["x", None, "x"]})
GOOD = {"type": "expect_column_values_to_be_unique", "arguments": {"column": "face_id"}}
BAD = {"type": "expect_column_values_to_be_between", "arguments": {"column": "age_years", "min_value": 0}}
BROKEN = {
    "misspelt_column": {"type": "expect_column_values_to_not_be_null", "arguments": {"column": "licence"}},
    "unknown_type": {"type": "expect_column_values_to_be_lovely", "arguments": {"column": "license"}},
    "wrong_argument": {"type": GOOD["type"], "arguments": {"column": "face_id", "lowest": 3}},
    "wrong_value": {"type": BAD["type"], "arguments": {"column": "age_years"}},
    "unknown_restriction": {**GOOD, "only": {"soruce": "lfw"}},
    "number_of_text": {"type": BAD["type"], "arguments": {"column": "license", "min_value": 0}},
}


def run(**expectations: dict[str, Any]) -> dict[str, Any]:
    suite = {name: {"severity": "critical", "why": name, **check} for name, check in expectations.items()}
    configuration = ValidationConfiguration.model_validate({"labels": {}, "expectations": suite})
    return run_expectations({"faces": FACTS}, configuration, rows=len(FACTS))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_check_is_a_finding_of_its_own(name: str):
    report = run(**{name: BROKEN[name], "good": GOOD})
    broken, good = report["findings"]
    assert broken["status"] == "broken check" and broken["holds"] is None and broken["problem"]
    assert broken["broken"] == 0 and broken["first_rows"] == []
    assert good["status"] == "holds"
    assert not report["passed"] and report["broken_checks"] == 1 and report["critical_failures"] == 0
    with pytest.raises(ConfigurationError, match=f"Check '{name}' could not run, which says nothing of the data"):
        require_passed(report)


def test_bad_data_are_named_before_a_broken_check():
    report = run(bad=BAD, broken=BROKEN["misspelt_column"])
    with pytest.raises(DataError, match=r"bad, but 1 of 2 faces break it \(faces b in row 1\); besides, 1 checks"):
        require_passed(report)


def test_a_warning_is_shown_and_does_not_stop():
    report = run(bad={**BAD, "severity": "warning"})
    require_passed(report)
    assert report["passed"] and report["warnings"] == 1
    assert report["findings"][0]["first_rows"] == [{"row": 1, "id": "b", "value": -1.0}]


def test_what_no_row_has_a_value_of_is_not_checked_rather_than_held():
    report = run(none={**BAD, "only": {"face_id": "c"}})
    assert report["findings"][0]["status"] == "not checked" and report["passed"]


def test_a_text_of_a_row_is_not_repeated_in_the_report():
    spoilt = {"type": "expect_column_values_to_be_in_set", "arguments": {"column": "license", "value_set": ["y"]}}
    rows = run(spoilt=spoilt)["findings"][0]["first_rows"]
    assert [(row["row"], row["value"]) for row in rows] == [(0, None), (2, None)]


def test_a_finding_names_so_many_rows_and_says_how_many_there_are():
    facts = pd.DataFrame({"face_id": [f"f{row}" for row in range(50)], "age_years": [-1.0] * 50})
    suite = {"bad": {"severity": "critical", "why": "ages", **BAD}}
    configuration = ValidationConfiguration.model_validate({"labels": {}, "expectations": suite, "named_rows": 4})
    found = run_expectations({"faces": facts}, configuration, rows=50)["findings"][0]
    assert found["broken"] == 50 and [row["row"] for row in found["first_rows"]] == [0, 1, 2, 3]


def test_a_task_that_is_unknown_can_not_be_declared():
    with pytest.raises(ValueError, match="unknown task 'glasses'"):
        ValidationConfiguration.model_validate({"labels": {"lfw": {"glasses": 1.0}}, "expectations": {}})
