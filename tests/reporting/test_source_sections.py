import re

import pytest

from countenance.reporting.source_sections import detection_plot, detection_section, source_section

from .samples import detection, measured

NAMES = {"one": "first", "two": "second"}
BY_SOURCE = {
    "one": {
        "lfw": {"gender": measured(0.9, 0.8, 0.95, "proportion", count=1200)},
        "mtfl": {
            "gender": measured(0.8, 0.7, 0.9, "proportion", count=300),
            "smile": measured(0.7, 0.6, 0.8, "proportion"),
        },
    },
    "two": {"lfw": {}, "mtfl": {"gender": measured(0.85, 0.8, 0.9, "proportion", count=300)}},
}
EVALUATION = {"models": {model: {"by_source": found} for model, found in BY_SOURCE.items()}}


def test_every_task_has_a_row_a_source_that_is_labelled_for_it_and_a_cell_a_model() -> None:
    found = source_section(EVALUATION, NAMES)
    assert found is not None
    rows = [(row["task"], row["source"], [cell.value for cell in row["cells"]]) for row in found["rows"]]
    assert rows == [
        ("Gender", "lfw", ["90.0 %", "not measured"]),
        ("Gender", "mtfl", ["80.0 %", "85.0 %"]),
        ("Smile expression", "mtfl", ["70.0 %", "not measured"]),
    ]
    first = found["rows"][0]["cells"][0]
    assert (first.interval, first.note) == ("80.0 to 95.0", "1,200 faces")


def test_an_evaluation_without_sources_has_no_section() -> None:
    assert source_section({}, NAMES) is None
    assert source_section({"models": {"one": {}}}, NAMES) is None


def test_detection_has_a_row_a_source_with_its_three_numbers() -> None:
    found = detection_section({"detection": detection()})
    assert found is not None
    row = found["rows"][0]
    assert (row["source"], row["photos"], row["faces"]) == ("lfw", "300", "341")
    assert (row["recall"].value, row["false_faces"].value, row["precision"].value) == ("98.1 %", "0.06", "0.964")
    assert found["tasks"][0][0] == "Gender"
    assert [cell.note for cell in found["tasks"][0][1]] == ["301 faces", "301 faces"]
    assert "0.412, the lowest with at most 0.1 false faces a validation photo" in found["threshold"]


def test_detection_without_a_usable_threshold_or_without_tasks_says_so() -> None:
    bare = detection() | {"threshold": None}
    for source in bare["sources"].values():
        del source["tasks"]
    found = detection_section({"detection": bare})
    assert found is not None
    assert found["threshold"].startswith("No threshold keeps the false faces within what is allowed")
    assert found["tasks"] == []


def test_detection_that_was_not_measured_has_no_section_and_no_curve() -> None:
    assert detection_section({}) is None
    assert detection_plot({}) is None
    assert (
        detection_plot({"detection": detection() | {"curve": [{"false_faces_per_photo": 0.0, "recall": 0.9}]}}) is None
    )


@pytest.mark.parametrize("allowed", [0.1, None])
def test_the_curve_marks_what_is_allowed(allowed: float | None) -> None:
    svg = detection_plot({"detection": detection() | {"false_faces_allowed": allowed}})
    assert svg is not None
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert ("0.1 allowed" in shown) is (allowed is not None)
    assert "false faces a photo" in shown


def test_the_mark_of_what_is_allowed_stands_in_the_picture_where_the_curve_ends_before_it() -> None:
    points = [(0.0, 0.3), (0.04, 0.9), (0.07, 0.99)]
    curve = [{"false_faces_per_photo": false, "recall": recall} for false, recall in points]
    svg = detection_plot({"detection": detection() | {"false_faces_allowed": 0.1, "curve": curve}})
    assert svg is not None
    (width,) = re.findall(r'<svg viewBox="0 0 ([\d.]+) ', svg)
    (begin,) = re.findall(r'x="([\d.]+)"[^>]*>0\.1 allowed', svg)
    assert float(begin) < 0.9 * float(width)
