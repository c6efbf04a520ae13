import re

from countenance.governance.obligations import obligation_map, project_files
from countenance.reporting.evidence_map import NOT_ANSWERED, render_evidence_map

UNIT = {
    name: f"{number:064x}"
    for number, name in enumerate(
        ("bias.json", "dataset_sheet.md", "evaluation.json", "gates.json", "measurements.json", "model_card.md"),
        start=1,
    )
}
DVC = {"manifest": "a" * 32, "ingestion_metrics": "b" * 32, "validation_report": "c" * 32}
IN_PROJECT = dict.fromkeys(project_files(), "")


def rows(text):
    return [line for line in text.splitlines() if re.match(r"\| (Art\.|GOVERN|MAP|MEASURE|MANAGE)", line)]


def test_every_clause_has_a_row_and_the_files_are_linked_with_their_hash():
    text = render_evidence_map("student_alone", UNIT, DVC, IN_PROJECT)
    assert len(rows(text)) == sum(len(framework.rows) for framework in obligation_map().frameworks)
    assert f"[model_card.md](model_card.md) (`{UNIT['model_card.md'][:16]}…`)" in text
    assert f"DVC's validation_report (`{'c' * 16}…`)" in text
    assert "[release.json](release.json)" in text


def test_what_nothing_answers_says_so():
    unanswered = [row for row in rows(render_evidence_map("it", UNIT, DVC, IN_PROJECT)) if NOT_ANSWERED in row]
    assert any("Art. 12(3)" in row for row in unanswered) and any("GOVERN 3" in row for row in unanswered)
    bare = rows(render_evidence_map("it", {}, {}, {}))
    with_release_json = [row for row in bare if NOT_ANSWERED not in row]
    assert all("[release.json]" in row for row in with_release_json)


def test_it_claims_no_conformity():
    text = render_evidence_map("it", UNIT, DVC, IN_PROJECT)
    assert "no claim of conformity and no legal advice" in text
    assert not re.search(r"\b(compliant|complies|conforms|certified)\b", text)
