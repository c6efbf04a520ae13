from typing import Any

from countenance.reporting.validation_sections import validation_section

from .samples import finding, validation


def section(**changes: Any) -> dict[str, Any]:
    found = validation_section({**validation(), **changes}, {})
    assert found is not None
    return found


def test_what_needs_somebody_comes_first():
    findings = [
        finding("fine"),
        finding("silent", status="not checked", holds=None, problem="no embeddings"),
        finding("mild", status="bad data", holds=False, severity="warning", broken=2),
        finding("grave", status="bad data", holds=False, broken=2),
        finding("misspelt", status="broken check", holds=None, problem="it could not run", severity="warning"),
    ]
    shown = section(findings=findings)["findings"]
    assert [row["name"] for row in shown] == ["misspelt", "grave", "mild", "silent", "fine"]
    assert [row["tone"] for row in shown] == ["bad", "bad", "open", "open", "good"]
    assert [row["detail"] for row in shown] == [
        "it could not run",
        "2 of 180 faces",
        "2 of 180 faces",
        "no embeddings",
        "",
    ]


def test_rows_are_named_with_their_value():
    shown = next(row for row in section()["findings"] if row["name"] == "sharp")
    assert shown["rows"] == ["face-0001 (row 12): 1.25", "and 2 more, in validation_report.json"]


def test_the_verdict_counts_protected_groups_too():
    rare = finding("rare", table="protected_coverage", status="bad data", holds=False, broken=1, checked=2)
    found = validation_section(validation(), {"passed": False, "findings": [rare], "coverage": []})
    assert found is not None and not found["passed"]
    assert "4 expectations: 1 critical failure, 1 warning, 0 broken checks, 1 not checked" in found["verdict"]
    assert found["findings"][0]["detail"] == "1 of 2 groups"


def test_coverage_is_a_row_a_group_and_a_small_protected_group_is_not_counted():
    cells = [
        {"split": split, "attribute": "race", "group": "Other", "faces": None, "subjects": subjects}
        for split, subjects in (("test", None), ("train", 40))
    ]
    found = section(coverage=cells)["coverage"]
    assert found == {"splits": ["train", "test"], "groups": [("race", "Other", ["40", "fewer than 10"])]}


def test_drift_is_told_in_a_sentence():
    assert section()["drift"]["sentence"] == "Nothing to compare with: there is no last version."
    columns = [
        {"column": "yaw_deg", "method": "wasserstein", "distance": 0.01, "threshold": 0.1, "drifted": False},
        {"column": "age_years", "method": "wasserstein", "distance": 0.5, "threshold": 0.1, "drifted": True},
    ]
    drift = {"version": "b", "last": "a", "faces": 180, "last_faces": 90, "columns": columns, "reason": None}
    found = section(drift=drift)["drift"]
    assert found["sentence"] == "Version b (180 faces) against version a (90 faces): age_years drifted."
    assert [column["column"] for column in found["columns"]] == ["age_years", "yaw_deg"]


def test_where_nothing_was_validated_there_is_no_section():
    assert validation_section({}, {}) is None


def test_how_many_more_rows_there_are_is_told_where_not_all_are_shown():
    rows = [{"row": row, "id": f"face-{row}", "value": None} for row in range(8)]
    shown = section(findings=[finding("f", status="bad data", holds=False, broken=1040, checked=2000, first_rows=rows)])
    assert shown["findings"][0]["rows"][-2:] == ["face-4 (row 4)", "and 1,035 more, in validation_report.json"]
