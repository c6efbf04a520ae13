from typing import Any

import pytest

from countenance.errors import AssessmentError
from countenance.reporting.comparison_reports import compared

from .comparison_samples import IJB_C, LFW, MADE, OPTIONS, given, pair_report, template_report, three


def refusal(*reports: Any) -> str:
    with pytest.raises(AssessmentError) as refused:
        compared(reports)
    return str(refused.value)


def test_models_of_one_protocol_share_a_table_in_the_order_they_were_given():
    (table,) = compared(three())
    assert (table.kind, table.name) == ("templates", "ijbc")
    assert [(model.heading, model.role) for model in table.models] == [
        ("v2 AdaDistill", "candidate"),
        ("v1 student alone", "champion"),
        ("IResNet50", "teacher"),
    ]
    assert table.champion is table.models[1]


def test_a_model_may_have_reports_of_several_kinds_and_protocols():
    cfp = {**LFW, "name": "cfp_fp"}
    reports = [
        *three(),
        given("candidate", pair_report("v2 AdaDistill", [0.99, 0.98])),
        given("champion", pair_report("v1 student alone", [0.99, 0.98])),
        given("candidate", pair_report("v2 AdaDistill", [0.95, 0.94], cfp)),
        given("champion", pair_report("v1 student alone", [0.93, 0.94], cfp)),
    ]
    assert [(table.kind, table.name, len(table.models)) for table in compared(reports)] == [
        ("templates", "ijbc", 3),
        ("pairs", "lfw", 2),
        ("pairs", "cfp_fp", 2),
    ]


def test_a_report_without_a_name_goes_by_its_role():
    (table,) = compared([given("candidate", template_report(None, 5.0)), given("v1", template_report(None, 4.0))])
    assert [(model.heading, model.role) for model in table.models] == [("candidate", ""), ("v1", "")]


def test_reports_of_protocols_of_other_counts_are_refused_with_the_count():
    said = refusal(
        given("candidate", template_report("a", 5.0)),
        given("champion", template_report("b", 5.0, {**IJB_C, "pairs": 15_658_490})),
    )
    assert said == (
        "candidate.json and champion.json are not of the same protocol (pairs: 15,658,489 and 15,658,490): figures on "
        "different protocols can't share a table; evaluate both on the same one."
    )


def test_a_gallery_of_another_size_is_another_protocol():
    other = {**IJB_C, "galleries": {"G1": 1_772, "G2": 1_758}}
    said = refusal(given("candidate", template_report("a", 5.0)), given("champion", template_report("b", 5.0, other)))
    assert "(galleries: G1 1,772, G2 1,759 and G1 1,772, G2 1,758)" in said


def test_models_that_were_measured_on_different_protocols_only_are_refused():
    said = refusal(given("candidate", template_report("a", 5.0)), given("champion", template_report("b", 5.0, MADE)))
    assert said.startswith("candidate.json is on protocol 'ijbc' and champion.json on 'test-people'")


def test_a_model_given_twice_is_refused():
    twice = refusal(given("candidate", template_report("a", 5.0)), given("champion", template_report("a", 5.0)))
    assert twice.startswith("Model 'a' was given twice, as candidate and as champion")
    again = refusal(given("candidate", template_report("a", 5.0)), given("candidate", template_report("a", 5.0)))
    assert again == "candidate.json and candidate.json are both of candidate on the same protocol: give one of them."


def test_two_models_under_one_word_are_refused():
    said = refusal(given("candidate", template_report("a", 5.0)), given("candidate", pair_report("b", [0.9, 0.8])))
    assert "candidate.json is of model 'a' and candidate.json of 'b', and both were given as candidate" in said


def test_reports_read_by_different_rules_are_refused():
    nearest = template_report("b", 5.0, options=OPTIONS | {"rule": "insightface_compat"})
    said = refusal(given("candidate", template_report("a", 5.0)), given("champion", nearest))
    assert "was read by rule 'threshold' and champion.json by 'insightface_compat'" in said


def test_reports_with_intervals_of_different_levels_are_refused():
    wide, usual = (
        template_report(name, 5.0, options=OPTIONS | {"level": at}) for name, at in (("a", 0.5), ("b", 0.95))
    )
    said = refusal(given("candidate", wide), given("champion", usual))
    assert said == (
        "candidate.json has intervals of level 0.5 and champion.json of 0.95: evaluate both with the same --level."
    )


def test_other_lists_of_equal_counts_are_another_protocol():
    other = template_report("b", 5.0, {**IJB_C, "sha256": "d" * 64})
    said = refusal(given("candidate", template_report("a", 5.0)), given("champion", other))
    assert "are not of the same protocol (their lists differ, though not in a count)" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "weather"}, "its kind is 'weather'"),
        ({"kind": None}, "its kind is None"),
        ({"kind": []}, "its kind is []"),
        ({"version": 2}, "of version 2, and version 1 is read here"),
        ({"protocol": {}}, "doesn't name its protocol"),
    ],
)
def test_what_is_no_report_of_a_known_kind_and_version_is_refused(changes: dict[str, Any], words: str):
    said = refusal(given("candidate", template_report("a", 5.0) | changes))
    assert "candidate.json" in said and words in said


def test_a_report_without_one_of_its_parts_is_refused_with_the_parts_name():
    report = template_report("a", 5.0)
    del report["roc"]
    assert refusal(given("candidate", report)) == (
        "candidate.json is a templates report without 'roc': evaluate again."
    )
    assert refusal() == "There is no report to compare: give one at least."
