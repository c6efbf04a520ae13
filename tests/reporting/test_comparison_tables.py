from typing import Any

import pytest

from countenance.assessment.results import Measurement
from countenance.reporting.comparison_anchors import anchors_of
from countenance.reporting.comparison_reports import GivenReport, compared
from countenance.reporting.comparison_tables import Column, ComparisonTable, Row, comparison_table
from countenance.reporting.comparison_words import headline_words, power_words
from countenance.reporting.wording import Shown

from .comparison_samples import LFW, MADE, OPTIONS, given, group, pair_report, template_report, three


def table_of(*reports: GivenReport, benchmark: str | None = None) -> ComparisonTable:
    (protocol,) = compared(reports)
    return comparison_table(protocol, anchors_of(protocol, benchmark))


def at(table: ComparisonTable, name: str, what: str, place: float = 0.0) -> Shown:
    rows: tuple[Row, ...] = (*table.rows, *table.published)
    row = next(row for row in rows if row.name == name)
    columns: tuple[Column, ...] = table.columns if row.source is None else table.published_columns
    return next(
        cell
        for column, cell in zip(columns, row.cells, strict=True)
        if column.what == what and column.at == pytest.approx(place)
    )


def row(far: float, **changes: Any) -> dict[str, Any]:
    found = {"far": far, "tar": 0.9, "accepted": 90, "mated": 100, "threshold": 0.4, "false_accepts": 69,
             "non_mated": 6_900, "realised_far": 0.01, "low": 0.85, "high": 0.94, "note": ""}  # fmt: skip
    return found | changes


def test_a_tar_has_its_interval_and_its_counts_and_the_column_says_what_the_far_allows():
    report = template_report("a", 5.0, MADE, verification=[row(1e-2)])
    table = table_of(given("candidate", report))
    column = next(column for column in table.columns if column.what == "far")
    assert (column.group, column.heading, column.hint) == (
        "1:1, TAR at FAR, of 100 mated", "1e-2", "69 false accepts allowed",
    )  # fmt: skip
    assert at(table, "a", "far", 1e-2) == Shown("90.00 %", "85.00 to 94.00", "90 accepted")


def test_false_accepts_are_told_where_ties_leave_fewer_and_where_the_other_rule_takes_more():
    fewer = table_of(given("a", template_report("a", 5.0, MADE, verification=[row(1e-2, false_accepts=60)])))
    assert at(fewer, "a", "far", 1e-2).note == "90 accepted, 60 false"
    options = OPTIONS | {"rule": "insightface_compat"}
    rows = [row(1e-2, false_accepts=80, low=None, high=None, note="no interval")]
    more = table_of(given("a", template_report("a", 5.0, MADE, verification=rows, options=options)))
    assert at(more, "a", "far", 1e-2) == Shown("90.00 %", "no interval", "90 accepted, 80 false: over the FAR")
    assert more.words[0].startswith("Read as the public scripts do (insightface_compat)")


def test_an_interval_without_a_lower_end_says_its_upper_one():
    table = table_of(given("candidate", template_report("a", 5.0, MADE, verification=[row(1e-2, low=None)])))
    assert at(table, "a", "far", 1e-2) == Shown("90.00 %", "at most 94.00", "90 accepted")


def test_what_is_not_measurable_says_so_and_why_and_is_never_nought():
    table = table_of(*three(MADE))
    assert at(table, "v2 AdaDistill", "far", 1e-6) == Shown("not measurable", note="below 1 in 6,900")
    assert at(table, "v2 AdaDistill", "fpir", 0.01) == Shown("not measurable", note="below 1 in 60")
    no_mated = row(
        1e-2, tar=None, accepted=0, mated=0, low=None, high=None, note="not measurable: no mated comparisons"
    )
    report = template_report("a", 5.0, MADE, verification=[no_mated])
    assert at(table_of(given("a", report)), "a", "far", 1e-2) == Shown("not measurable", note="no mated comparisons")


def test_ranks_and_tpir_are_the_means_over_galleries_with_the_counts_of_all():
    table = table_of(*three())
    assert at(table, "IResNet50", "rank", 1) == Shown("99.93 %", note="19,580")
    assert at(table, "IResNet50", "fpir", 0.1).value == "97.93 %"
    assert any(column.group == "1:N, found within rank, of 19,593 probes" for column in table.columns)
    assert any("means over the galleries" in words for words in table.words)


def test_without_a_search_there_are_no_columns_of_it():
    protocol = {**MADE, "galleries": {}, "probes": 0}
    table = table_of(given("a", template_report("a", 5.0, protocol, identification=None)))
    assert {column.what for column in table.columns} == {"far"}
    assert table.what.endswith("1:N not measured: no galleries and no probes.")


def test_failures_to_extract_stand_beside_the_model():
    failures = {"samples": 12, "templates": 1, "pairs": 40}
    table = table_of(given("candidate", template_report("a", 5.0, failures=failures)))
    assert table.rows[0].about == "failed: 12 samples, 1 template, 40 pairs"


def test_published_figures_of_the_same_benchmark_have_their_mark_and_a_footnote_with_source_data_and_size():
    table = table_of(*three())
    name = "8. AdaDistill, weighted alpha, ArcFace m 0.45"
    found = next(row for row in table.published if row.name == name)
    assert found.tag == "p" and found.source is not None
    assert table.sources[found.source - 1] == (
        "AdaDistill (Boutros et al., ECCV 2024): trained on MS1MV2; 1.199 M parameters; 221 M operations"
    )
    assert at(table, name, "far", 1e-4) == Shown("93.27 %") and at(table, name, "far", 1e-3) == Shown("")
    assert "p = read from the source; m = remembered, to be checked." in table.words[0]
    assert table.title == "IJB-C" and table.published_columns == table.columns


def test_a_published_far_that_was_not_measured_here_has_its_column_all_the_same():
    reports = [given("a", template_report("a", 5.0, verification=[row(1e-3, non_mated=15_638_932)]))]
    table = table_of(*reports)
    assert [column.at for column in table.columns if column.what == "far"] == [1e-5, 1e-4, 1e-3]
    assert at(table, "a", "far", 1e-4) == Shown("not measured")


def test_on_a_made_protocol_the_table_says_that_no_published_figure_is_comparable():
    table = table_of(*three(MADE))
    assert table.published == ()
    assert table.words[0] == (
        "No published figures stand here: none are on this protocol ('test-people'), and those on IJB-C or another one "
        "aren't comparable with it."
    )


def test_figures_of_another_protocol_stand_apart_in_columns_of_their_own():
    table = table_of(*three(MADE), benchmark="IJB-C")
    assert not table.same_protocol and table.title == "test-people"
    assert [(column.heading, column.hint) for column in table.published_columns] == [("1e-5", ""), ("1e-4", "")]
    assert "published figures on IJB-C are not comparable with it" in table.words[0]


def test_a_difference_to_the_champion_is_paired_by_fold_as_worked_by_hand():
    # Differences of 10, 0 and 10 points: mean 6.667, deviation 5.774, t with 2 degrees of freedom 4.303.
    protocol = {**LFW, "folds": 3}
    table = table_of(
        given("candidate", pair_report("a", [0.9, 0.8, 1.0], protocol)),
        given("champion", pair_report("b", [0.8, 0.8, 0.9], protocol)),
    )
    assert at(table, "a", "difference") == Shown("+6.67 points", "-7.68 to +21.01")
    assert at(table, "b", "difference") == Shown("–")
    assert at(table, "a", "accuracy").value == "90.00 %"
    assert any("paired: fold by fold on the same pairs, with a 95 % interval" in words for words in table.words)


def test_a_difference_that_is_the_same_in_all_folds_has_no_interval():
    protocol = {**LFW, "folds": 3}
    table = table_of(
        given("candidate", pair_report("a", [0.91, 0.81, 0.71], protocol)),
        given("champion", pair_report("b", [0.9, 0.8, 0.7], protocol)),
    )
    assert at(table, "a", "difference") == Shown("+1.00 points", "no interval", "all folds differ alike")


def test_a_difference_has_the_level_of_the_other_intervals():
    protocol = {**LFW, "folds": 3}
    options = {"flip": "sum", "rule": "threshold", "common_far": None, "level": 0.9, "seed": 0}
    table = table_of(
        given("candidate", pair_report("a", [0.9, 0.8, 1.0], protocol, options=options)),
        given("champion", pair_report("b", [0.8, 0.8, 0.9], protocol, options=options)),
    )
    # Student's t with 2 degrees of freedom is 2.920 at .95.
    assert at(table, "a", "difference") == Shown("+6.67 points", "-3.07 to +16.40")
    assert any("with a 90 % interval" in words for words in table.words)


def test_no_difference_is_invented_where_the_reports_cannot_give_it():
    table = table_of(*three())
    assert "difference" not in {column.what for column in table.columns}
    assert any(words.startswith("Differences to the champion aren't given") for words in table.words)
    alone = table_of(given("candidate", pair_report("a", [0.9, 0.8])))
    assert "difference" not in {column.what for column in alone.columns}


def test_models_that_were_not_treated_alike_are_told():
    other = template_report("b", 5.0, options=OPTIONS | {"flip": "first", "normalise_samples": True})
    words = table_of(given("candidate", template_report("a", 5.0)), given("champion", other)).words
    assert words[0] == (
        "The models weren't treated alike: a: flip sum, normalise samples no; b: flip first, normalise samples yes."
    )


def test_groups_stand_side_by_side_with_their_errors_at_the_common_threshold():
    options = {"flip": "sum", "rule": "threshold", "common_far": 1e-3}
    groups = {"one": group(0.95), "two": group(0.9)}
    side = table_of(
        given("candidate", pair_report("a", [0.9, 0.8], options=options, groups=groups)),
        given("champion", pair_report("b", [0.9, 0.8], options=options, groups={"one": group(0.91)})),
    ).side
    assert side is not None and side.models == ("a", "b") and "FAR 1e-3 over all pairs" in side.what
    assert side.rows[0] == (
        "one",
        "3,000 pairs, 1,500 mated",
        (
            Shown("95.00 %", "94.00 to 95.80", "FMR 0.20 %, FNMR 4.00 %"),
            Shown("91.00 %", "90.00 to 91.80", "FMR 0.20 %, FNMR 4.00 %"),
        ),
    )
    assert side.rows[1][2][1] == Shown("not measured")


def figures(model: str, **measured: Measurement) -> dict[str, Any]:
    return {
        "kind": "attributes", "version": 1, "model": model,
        "protocol": {"name": "CelebA", "faces": 900, "subjects": 80},
        "options": {"level": 0.95}, "failures": {"faces": 2 if model == "a" else 0}, "curves": {},
        "figures": {name.replace("__", "."): found.to_dict() for name, found in measured.items()},
    }  # fmt: skip


def test_attributes_stand_side_by_side_figure_by_figure():
    unlabelled = Measurement.missing("years", higher_is_better=False)
    smile, age = Measurement(0.93, 0.92, 0.94, 900, "proportion", True), Measurement(4.2, 4.0, 4.4, 800, "years", False)
    table = table_of(
        given("candidate", figures("a", smile__accuracy=smile, age__mean_absolute_error=unlabelled)),
        given("champion", figures("b", smile__accuracy=smile, age__mean_absolute_error=age)),
    )
    assert table.columns == () and table.side is not None
    assert table.side.rows == (
        ("smile, accuracy", "%, higher is better", (Shown("93.00", "92.00 to 94.00", "of 900"),) * 2),
        (
            "age, mean absolute error",
            "years, lower is better",
            (Shown("not labelled"), Shown("4.20", "4.00 to 4.40", "of 800")),
        ),
    )
    assert "a: failed: 2 faces." in table.words
    assert (
        "Published on CelebA, for orientation only" in table.words[-1] and "SwinFace, smile accuracy" in table.words[-1]
    )


def test_the_headline_is_at_the_far_nearest_to_one_in_ten_thousand_that_all_have():
    (ijbc,), (made,) = compared(three()), compared(three(MADE))
    assert headline_words(ijbc, "IJB-C").startswith(
        "IJB-C, TAR at FAR 1e-4: v2 AdaDistill 93.71\N{NO-BREAK SPACE}%, v1"
    )
    assert headline_words(made, "made").startswith("made, TAR at FAR 1e-3: ")


@pytest.mark.parametrize(("rate", "words"), [(1e-6, "1e-6"), (0.1, "1e-1"), (0.03, "0.03"), (1.0, "1")])
def test_rates_are_written_as_the_field_does(rate: float, words: str):
    assert power_words(rate) == words
