import json
import re
from copy import deepcopy

import pytest

from countenance.reporting.compatibility_sections import compatibility_plot, compatibility_section

from .small_run import NAMES, assessed


@pytest.fixture
def evaluation():
    return deepcopy(json.loads(json.dumps(assessed()[0])))


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", str(svg))


def test_every_pair_has_four_rows_with_counts_and_the_headline_with_its_interval(evaluation):
    pairs = compatibility_section(evaluation, NAMES)
    assert [pair["title"] for pair in pairs] == [
        "v2 AdaDistill on templates of teacher",
        "v2 AdaDistill on templates of v1 student alone",
    ]
    names, cells = zip(*pairs[0]["rows"], strict=True)
    assert names == (
        "v2 AdaDistill → v2 AdaDistill",
        "v2 AdaDistill → teacher",
        "teacher → v2 AdaDistill",
        "teacher → teacher",
    )
    assert pairs[0]["fars"] == ["0.0001", "0.01", "0.1"]
    for row in cells:
        assert row[0].value == "not measurable"
        assert re.fullmatch(r"[\d.]+ to [\d.]+ %", row[1].interval) and "mated" in row[1].note
        assert re.fullmatch(r"[\d,]+ of [\d,]+ mated", row[2].interval)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.03, "is shown to gain"), (-0.03, -0.01, "it is shown to lose"), (-0.01, 0.03, "no difference is shown")],
)
def test_a_conclusion_is_drawn_from_the_interval_alone(evaluation, low, high, words):
    evaluation["compatibility"][0]["over_other"] |= {"difference": 0.01, "low": low, "high": high}
    keeping, _ = compatibility_section(evaluation, NAMES)[0]["sentences"]
    assert "TAR changes by +1.0 points against teacher alone" in keeping and keeping.endswith(f"{words}.")


def test_what_could_not_be_measured_says_why(evaluation):
    nothing = {"difference": None, "low": None, "high": None, "note": "below 1 in 40 comparisons"}
    evaluation["compatibility"][0]["under_own"] |= nothing
    evaluation["compatibility"][0]["over_other"] |= {"low": None}
    keeping, renewing = compatibility_section(evaluation, NAMES)[0]["sentences"]
    assert keeping.endswith("there is no interval.")
    assert renewing.endswith("not measurable: below 1 in 40 comparisons.")


def different_dimensions(evaluation):
    empty = dict.fromkeys(("agreement", "over_other", "under_own", "kept_threshold"))
    note = "not comparable: the embeddings have 128 and 512 dimensions"
    found = evaluation["compatibility"][0] | empty | {"note": note, "comparisons": []}
    return evaluation | {"compatibility": [found]}


def test_models_of_unequal_dimension_are_told_in_words_and_not_drawn(evaluation):
    apart = different_dimensions(evaluation)
    assert compatibility_plot(apart, NAMES) is None
    (pair,) = compatibility_section(apart, NAMES)
    assert pair["note"] == "not comparable: the embeddings have 128 and 512 dimensions"
    assert pair["rows"] == pair["sentences"] == [] and pair["kept"] is None


def test_the_plot_has_a_row_for_each_direction_and_the_numbers(evaluation):
    shown = texts(compatibility_plot(evaluation, NAMES))
    assert {"v2 AdaDistill → teacher", "teacher → v2 AdaDistill", "v2 AdaDistill and teacher"} <= set(shown)
    value = evaluation["compatibility"][0]["comparisons"][1]["headline"]["value"]
    assert f"{value * 100:.1f} %" in shown


def test_a_comparison_without_a_number_is_drawn_as_such(evaluation):
    evaluation["compatibility"][0]["comparisons"][1]["headline"] |= {"value": None, "low": None, "high": None}
    assert "not measurable" in texts(compatibility_plot(evaluation, NAMES))


def test_without_a_pair_there_is_no_section(evaluation):
    evaluation["compatibility"] = []
    assert compatibility_plot(evaluation, NAMES) is None
    assert compatibility_section({}, NAMES) == []
