import re
from collections import Counter

import pytest

from countenance.errors import AssessmentError
from countenance.reporting.comparison_page import compare, render_comparison, template_section
from countenance.reporting.comparison_text import comparison_json, comparison_text

from .comparison_samples import MADE, given, group, pair_report, template_report, three
from .test_page import HOSTILE, Reader

NAMES = {"teacher": "teacher", "student_alone": "v1 student alone", "student_distilled": "v2 AdaDistill"}


def test_the_page_tells_every_model_every_published_method_and_its_source():
    reader = Reader(render_comparison(compare(three()), title="IJB-C, three models"))
    text = reader.text
    assert reader.open == []
    for words in (
        "IJB-C, three models IJB-C, TAR at FAR 1e-4: v2 AdaDistill 93.71",
        "23,124 templates of 469,375 samples; 15,658,489 pairs, 19,557 of them mated; 19,593 probes searched in",
        "1:1, TAR at FAR, of 19,557 mated",
        "1,563 false accepts allowed",
        "93.71 % 93.11 to 94.31 18,327 accepted",
        "Published on IJB-C",
        "23. MobileFaceNet alone, on MS1MV2",
        "trained on MS1MV2; 1.199 M parameters; 221 M operations",
        "Crosses are published figures",
    ):
        assert words in text, words


def test_the_page_needs_nothing_but_itself_and_no_id_is_given_twice():
    reports = [*three(), given("candidate", pair_report("v2 AdaDistill", [0.99, 0.98]))]
    page = render_comparison(compare(reports), title="t")
    reader = Reader(page)
    assert "<script" not in page and "@import" not in page and not re.search(r"url\((?!#)", page)
    assert all(address.startswith("#") for address in reader.addresses)
    assert {address[1:] for address in reader.addresses} <= set(reader.ids)
    assert [name for name, count in Counter(reader.ids).items() if count > 1] == []


def test_names_are_told_as_they_are_and_never_as_markup():
    reports = [given("candidate", template_report(HOSTILE, 5.0, {**MADE, "name": HOSTILE}))]
    page = render_comparison(compare(reports), title=HOSTILE)
    assert "<script" not in page and HOSTILE in Reader(page).text


def test_the_champion_is_marked():
    assert '<tr class="champion"><th scope="row">v1 student alone<small>champion' in render_comparison(
        compare(three()), title="t"
    )


def test_on_a_made_protocol_the_page_says_that_published_figures_are_not_comparable():
    text = Reader(render_comparison(compare(three(MADE)), title="t")).text
    assert "those on IJB-C or another one aren't comparable with it" in text and "SwinFace" not in text
    asked = Reader(render_comparison(compare(three(MADE), benchmark="ijb-c"), title="t")).text
    assert "Published on IJB-C, another protocol Not comparable with the figures above" in asked and "SwinFace" in asked


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(AssessmentError, match="no published figures on 'moon'"):
        compare(three(), benchmark="moon")


def test_the_same_reports_give_the_same_page():
    assert render_comparison(compare(three(MADE)), title="t") == render_comparison(compare(three(MADE)), title="t")


def test_the_terminal_has_the_same_table():
    ((_, _, table),) = compare(three()).protocols
    text = comparison_text(table)
    assert text.startswith("IJB-C\n23,124 templates")
    words = " ".join(text.split())
    assert "v2 AdaDistill (candidate) 68.73 % 83.76 % 93.71 %" in words
    assert "15,638 false accepts allowed" not in words  # hints go on in the next line
    assert "23. MobileFaceNet alone, on MS1MV2 (p) [8] 81.65 % 89.13 %" in words
    assert "[8] AdaDistill (Boutros et al., ECCV 2024): trained on MS1MV2;" in words
    assert max(len(line) for line in text.splitlines()) <= 170


def test_the_terminal_and_the_json_have_groups_and_what_stands_apart():
    reports = [given("candidate", pair_report("a", [0.9, 0.8], groups={"one": group(0.95)}))]
    ((_, _, table),) = compare(reports).protocols
    assert "By group" in comparison_text(table) and "one" in comparison_text(table)
    assert comparison_json(table)["side_by_side"][0]["figures"]["a"]["value"] == "95.00 %"
    ((_, _, made),) = compare(three(MADE), benchmark="IJB-C").protocols
    assert "Published on IJB-C, another protocol: not comparable" in comparison_text(made)
    told = comparison_json(made)["published"]
    assert told["same_protocol"] is False and told["methods"][0]["figures"][0]["value"] == "96.73 %"


def test_the_reports_section_has_the_models_of_the_page_with_their_roles():
    models = {model: template_report(model, 5.0, MADE) for model in (*NAMES, "unshown")}
    roles = {"student_alone": "candidate", "student_distilled": "candidate", "teacher": "teacher"}
    section = template_section({"protocol": MADE, "models": models}, NAMES, roles, "student_distilled")
    assert section is not None and section.key == "template-report"
    assert [(row.name, row.tag) for row in section.table.rows] == [
        ("teacher", ""),
        ("v1 student alone", "candidate"),
        ("v2 AdaDistill", "champion"),
    ]
    assert len(section.figures) == 3


@pytest.mark.parametrize("reports", [{}, {"protocol": None, "models": {}, "note": "too few people"}])
def test_the_reports_section_is_absent_without_any_report(reports: dict):
    assert template_section(reports, NAMES, {}, None) is None
