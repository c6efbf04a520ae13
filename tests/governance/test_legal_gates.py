import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.governance.legal_gates import LICENSE_GATE, license_gate, purpose_gate, rows_by_purpose
from countenance.governance.licenses import License, LicenseTable
from countenance.governance.materials import Material

from .declarations import manifest, use

COMMERCIAL = {"setting": "commercial", "data_purposes": ["access control"]}


def material(license_id, name="faces", kind="photographs"):
    return Material(name=name, kind=kind, role="train", license=license_id, stated_by="this test")


@pytest.mark.parametrize(
    ("licenses", "changes", "verdict", "value"),
    [
        (["Apache-2.0"], {}, "PASS", 0),
        (["Apache-2.0", "CC-BY-4.0"], COMMERCIAL, "PASS", 0),
        (["research-only"], {}, "PASS", 0),
        (["research-only"], COMMERCIAL, "FAIL", 1),
        (["Apache-2.0", "CC-BY-NC-4.0", "research-only"], COMMERCIAL, "FAIL", 2),
        (["Apache-2.0", "unknown"], {}, "INCONCLUSIVE", 1),
        (["unstated"], COMMERCIAL, "INCONCLUSIVE", 1),
        (["a contract that nobody wrote into the table"], {}, "INCONCLUSIVE", 1),
        (["research-only", "unknown"], COMMERCIAL, "FAIL", 2),
        ([], {}, "INCONCLUSIVE", 0),
    ],
)
def test_licences_decide_about_the_setting(licenses, changes, verdict, value):
    gate = license_gate(use(**changes), [material(license_id) for license_id in licenses], LicenseTable())
    assert (gate.name, gate.verdict, gate.value, gate.limit) == (LICENSE_GATE, verdict, value, 0.0)
    assert gate.reason.endswith(".")


def test_the_reason_names_what_forbids_it_and_nothing_else():
    materials = [material("Apache-2.0", "drawn"), material("research-only", "lfw")]
    gate = license_gate(use(**COMMERCIAL), materials, LicenseTable())
    assert "photographs lfw (research-only)" in gate.reason and "drawn" not in gate.reason


def test_the_training_data_of_a_teacher_count_as_its_own_material():
    materials = [material("MIT", "t.onnx", "network"), material("unknown", "t.onnx", "training data of a network")]
    gate = license_gate(use(), materials, LicenseTable())
    assert gate.verdict == "INCONCLUSIVE"
    assert gate.reason == "Nobody knows what is allowed: training data of a network t.onnx (unknown)."


def test_what_a_licence_asks_for_is_a_warning():
    gate = license_gate(use(), [material("CC-BY-4.0")], LicenseTable())
    assert gate.warning == "CC-BY-4.0 asks to name its makers."


def test_a_contract_of_ones_own_allows_what_it_says():
    table = LicenseTable({"acme-2026": License(title="contract", research=True, commercial=True, text="the archive")})
    assert license_gate(use(**COMMERCIAL), [material("acme-2026")], table).verdict == "PASS"


@given(st.lists(st.sampled_from(["MIT", "research-only", "unknown"]), min_size=1))
def test_what_research_may_not_commerce_may_not_either_and_more_material_never_helps(licenses):
    order = {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2}
    materials = [material(license_id) for license_id in licenses]
    research, commercial = (license_gate(wanted, materials, LicenseTable()) for wanted in (use(), use(**COMMERCIAL)))
    assert order[research.verdict] <= order[commercial.verdict]
    fewer = license_gate(use(**COMMERCIAL), materials[:1], LicenseTable())
    assert order[fewer.verdict] <= order[commercial.verdict]


def test_data_for_something_else_fail_and_the_purpose_and_the_rows_are_named():
    gate = purpose_gate(use(), {"research": 10, "advertising": 3})
    assert (gate.verdict, gate.value) == ("FAIL", 3.0)
    assert "advertising (3 rows)" in gate.reason and "research or demonstration" in gate.reason


def test_rows_that_name_no_purpose_are_inconclusive():
    assert purpose_gate(use(), {"research": 10}).verdict == "PASS"
    gate = purpose_gate(use(), {"research": 10, None: 2})
    assert (gate.verdict, gate.value) == ("INCONCLUSIVE", 2.0)
    assert gate.reason == "2 of 12 rows of the manifest don't say what they may be used for."
    assert purpose_gate(use(), {}).verdict == "INCONCLUSIVE"


def test_rows_are_counted_by_purpose():
    rows = manifest({}, {"purpose": "research"}, {"purpose": None}, {"purpose": "research", "split": "test"})
    assert rows_by_purpose(rows) == {"demonstration": 1, "research": 2, None: 1}
    assert rows_by_purpose(manifest({"purpose": None})) == {None: 1}
