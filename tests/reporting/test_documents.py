import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from countenance.errors import ModelError
from countenance.reporting.documents import render_document, table_cell, yaml_scalar

FRAMEWORKS = [
    {"name": "a text", "note": "a note", "rows": [{"clause": "1", "asks": "this", "answer": "that", "left": "little"}]}
]


@example(1e-05)
@example(-1e22)
@example("\x85 \x7f \ufeff \U0001f600 é – \u2028")
@given(st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_scalar_is_read_back_as_what_it_was(value):
    assert yaml.safe_load(f"key: {yaml_scalar(value)}") == {"key": value}


@pytest.mark.parametrize("word", ["apache-2.0", "Faces behind countenance", "image-classification"])
def test_plain_words_stay_plain(word):
    assert yaml_scalar(word) == word


@pytest.mark.parametrize("text", ["no", "Null", "1K<n<10K", "12", "a: b", "x # y", "2024-01-01", "- x", "yes"])
def test_what_a_reader_could_take_for_something_else_is_quoted(text):
    assert yaml_scalar(text).startswith('"')


def test_a_cell_is_on_one_line_and_its_bars_are_escaped():
    assert table_cell("a | b\nc") == "a \\| b c"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"candidate": " "}, "candidate"),
        ({"candidate": "TODO"}, "candidate"),
        ({"frameworks": []}, "frameworks"),
        ({"frameworks": [FRAMEWORKS[0] | {"note": None}]}, "frameworks.1.note"),
        (
            {"frameworks": [FRAMEWORKS[0] | {"rows": [FRAMEWORKS[0]["rows"][0] | {"asks": "tbd"}]}]},
            "frameworks.1.rows.1.asks",
        ),
    ],
)
def test_a_blank_field_is_named_at_whatever_depth_and_the_sentence_says_what_to_do(changes, field):
    fields = {"candidate": "it", "frameworks": FRAMEWORKS}
    assert render_document("governance.md.jinja", "map", fields)
    with pytest.raises(ModelError) as caught:
        render_document("governance.md.jinja", "map", fields | changes)
    assert str(caught.value) == f"The map has a blank field '{field}': fill it, then register."


def test_numbers_and_truth_values_are_never_blank():
    assert "0" in render_document(
        "governance.md.jinja", "map", {"candidate": 0, "frameworks": FRAMEWORKS, "unused": False}
    )


def test_what_is_not_a_number_says_nothing():
    with pytest.raises(ModelError, match="blank field 'rate'"):
        render_document(
            "governance.md.jinja", "map", {"candidate": "it", "frameworks": FRAMEWORKS, "rate": float("nan")}
        )
