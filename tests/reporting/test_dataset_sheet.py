from typing import Any

import pandas as pd
import pytest
import yaml

from countenance.errors import ConfigurationError, ModelError
from countenance.governance.dataset_facts import dataset_facts
from countenance.reporting.dataset_sheet import render_dataset_sheet

from ..governance.declarations import GOVERNANCE, governance, manifest

FACTS = dataset_facts(
    manifest(
        {"subject_id": "anna of a test", "gender": "female", "age_years": 30.0},
        {"subject_id": "ben of a test", "gender": "male", "split": "test"},
        {"source": "photographed", "license": "research-only", "purpose": "research", "consent_id": "c-1"},
        {"is_face": False, "split": "validation"},
    ),
    pd.DataFrame({"face_id": ["face-1"], "skin_tone": ["darker"]}),
    smallest_group=1,
)
VALIDATION = {"passed": True, "expectations": 16, "faces": 4, "critical_failures": 0, "warnings": 2, "broken_checks": 1}


def sheet(**changes: Any) -> str:
    arguments: dict[str, Any] = {
        "facts": FACTS,
        "governance": governance(),
        "provenance": {"dataset_sha256": "d" * 64, "dvc": {"crops": "abc.dir"}},
        "validation": VALIDATION,
        "quarantined": {"records": 3, "drawn": 1},
    }
    return render_dataset_sheet("countenance", **arguments | changes)


def test_the_head_is_what_the_hub_reads():
    found = yaml.safe_load(sheet().split("---\n")[1])
    assert found["license"] == ["apache-2.0", "other"]
    assert found["license_name"] == "apache-2.0+research-only"
    assert found["size_categories"] == ["n<1K"]
    assert found["annotations_creators"] == ["expert-generated"]
    assert found["source_datasets"] == ["extended"]
    assert "image-feature-extraction" in found["task_categories"]
    assert found["pretty_name"] == "Faces behind countenance"


SECTIONS = (
    "Motivation", "Composition", "Collection", "Labels", "Splits", "Licences", "Consent and purpose", "Group coverage",
    "Known gaps",
)  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_every_question_of_a_datasheet_has_its_section(section):
    assert f"\n## {section}\n" in sheet()


def test_the_sheet_tells_what_people_say_and_what_the_numbers_say():
    text = sheet()
    for told in (
        "- **drawn** (faces of a test): Made for a test.",
        "| drawn | 3 | 2 | 1 | 2 | 2 |",
        "Written down by hand. 1 records were put aside at import.",
        "Written down by hand. 0 records were put aside at import.",
        "| train | 2 | 0 | 1 |",
        "In more than one of them: 0 named people, 0 photos.",
        "16 expectations on 4 rows passed, with 0 critical findings, 2 warnings and 1 checks that could not run.",
        "research-only: research and other non-commercial use only, by the terms of the set. Stated by this test.",
        "Nobody is in them. 1 of 1 faces carry the id of a consent, 0 a day on which it ends. Purposes: research.",
        "| skin_tone (protected) | darker | not read | not read | 1 |",
        "- drawn: There are hardly any.",
        "- No face of photographed is labelled for gender.",
        "DVC knows crops as `abc.dir`",
    ):
        assert told in text, told


def test_nobody_is_named():
    assert "of a test" in sheet() and "anna" not in sheet() and "ben " not in sheet()


def test_a_blank_field_is_named_in_one_sentence():
    with pytest.raises(ModelError) as caught:
        sheet(provenance={"dataset_sha256": " ", "dvc": {"crops": "abc.dir"}})
    expected = "The dataset sheet of 'countenance' has a blank field 'dataset_sha256': fill it, then register."
    assert str(caught.value) == expected


@pytest.mark.parametrize("field", ["motivation", "collection", "labelling", "consent", "known_gaps"])
def test_a_statement_that_was_blanked_behind_the_configuration_is_named_too(field):
    declared = governance()
    sources = dict(declared.sources)
    sources["drawn"] = sources["drawn"].model_copy(update={field: () if field == "known_gaps" else "  "})
    with pytest.raises(ModelError, match=rf"dataset sheet of 'countenance' has a blank field 'sources.1.{field}'"):
        sheet(governance=declared.model_copy(update={"sources": sources}))


def test_a_source_that_nobody_stated_anything_of_is_named():
    sources = {"drawn": GOVERNANCE["sources"]["drawn"]}
    with pytest.raises(ConfigurationError, match="Nothing is stated of the source 'photographed'"):
        sheet(governance=governance(sources=sources))
