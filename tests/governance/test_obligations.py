import re
from pathlib import Path

import pytest

from countenance.governance.obligations import Obligation, answered, obligation_map, project_files

PROJECT = Path(__file__).parents[2]
ACT, NIST = obligation_map().frameworks
REPORTS = {"bias.json", "evaluation.json", "gates.json", "measurements.json"}
UNIT = REPORTS | {"dataset_sheet.md", "model_card.md", "release.json"}


@pytest.mark.parametrize("article", range(9, 16))
def test_every_article_from_9_to_15_is_there(article):
    assert any(re.match(rf"Art\. {article}\b", row.clause) for row in ACT.rows)


@pytest.mark.parametrize(("function", "categories"), [("GOVERN", 6), ("MAP", 5), ("MEASURE", 4), ("MANAGE", 4)])
def test_every_category_of_every_function_is_there_once(function, categories):
    named = [row.clause.partition(":")[0] for row in NIST.rows if row.clause.startswith(function)]
    assert named == [f"{function} {number}" for number in range(1, categories + 1)]


def test_what_the_map_names_in_the_project_is_there():
    assert all((PROJECT / name).exists() for name in project_files())


@pytest.mark.parametrize("row", [*ACT.rows, *NIST.rows], ids=lambda row: row.clause)
def test_a_row_names_files_that_a_release_has_and_an_answer_if_and_only_if_it_has_evidence(row):
    assert set(row.unit) <= UNIT
    assert set(row.tracked) <= {"crops", "ingestion_metrics", "manifest", "validation_report"}
    assert bool(row.answer) == bool(row.unit or row.tracked or row.project)
    assert row.answer or row.left


def test_evidence_that_a_release_does_not_have_is_not_claimed():
    row = Obligation(
        clause="1", asks="something", answer="a card", unit=("card.md",), tracked=("manifest",), project=("x",)
    )
    whole = answered(row, {"card.md": "abc"}, {"manifest": "def"}, {"x": ""})
    assert [(entry.name, entry.kind, entry.digest) for entry in whole.evidence] == [
        ("card.md", "unit", "abc"),
        ("manifest", "dvc", "def"),
        ("x", "project", ""),
    ]
    nothing = answered(row, {}, {}, {})
    assert (nothing.evidence, nothing.answer) == ((), "")
