import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import ConfigurationError
from countenance.governance.licenses import License, LicenseTable

CONTRACT = License(title="our contract", research=True, commercial=True, text="the archive")


@pytest.mark.parametrize(
    ("license_id", "research", "commercial"),
    [
        ("Apache-2.0", True, True),
        ("MIT", True, True),
        ("CC0-1.0", True, True),
        ("CC-BY-4.0", True, True),
        ("CC-BY-NC-4.0", True, False),
        ("CC-BY-NC-SA-4.0", True, False),
        ("research-only", True, False),
    ],
)
def test_what_a_licence_allows(license_id, research, commercial):
    license_ = LicenseTable().find(license_id)
    assert license_ is not None
    assert (license_.allows("research_only"), license_.allows("commercial")) == (research, commercial)


@given(st.sampled_from(["Apache-2.0", "MIT", "CC-BY-SA-4.0", "research-only"]), st.randoms())
def test_ids_are_found_without_regard_to_case(license_id, random):
    spelt = "".join(random.choice((letter.lower(), letter.upper())) for letter in license_id)
    assert LicenseTable().find(spelt) == LicenseTable().find(license_id)


@pytest.mark.parametrize("license_id", ["unknown", "unstated", "", "Apache", "MIT OR Apache-2.0"])
def test_what_nobody_knows_is_no_licence(license_id):
    assert LicenseTable().find(license_id) is None


def test_every_importer_names_a_licence_of_the_table_or_says_that_it_knows_none():
    from pathlib import Path

    import countenance.data.importers as importers

    named = {
        license_id
        for file in Path(importers.__path__[0]).glob("*.py")
        for license_id in re.findall(r'^    license(?:: str)? = "([^"]+)"', file.read_text(), re.MULTILINE)
    }
    assert {"Apache-2.0", "research-only", "CC-BY-4.0", "unstated"} <= named
    assert {license_id for license_id in named if LicenseTable().find(license_id) is None} == {"unstated"}


def test_a_project_may_add_its_own_contract_but_not_a_meaning_of_unknown():
    assert LicenseTable({"acme-2026": CONTRACT}).find("ACME-2026") == CONTRACT
    for taken in ("unknown", "Unstated"):
        with pytest.raises(ConfigurationError, match=f"A licence called '{taken}'.*give it another id"):
            LicenseTable({taken: CONTRACT})


def test_the_hub_gets_one_id_where_there_is_one_licence_and_other_where_it_knows_none():
    table = LicenseTable()
    assert table.hugging_face_id(["Apache-2.0", "apache-2.0"]) == "apache-2.0"
    assert table.hugging_face_id(["Apache-2.0", "MIT"]) == "other"
    assert table.hugging_face_id(["research-only"]) == "other"
    assert table.hugging_face_id(["unknown"]) == "other"
