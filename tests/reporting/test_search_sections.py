import re

import pytest

from countenance.reporting.search_sections import front_plot, search_section

from .search_samples import search, student


def test_the_best_student_comes_first_and_the_untrained_last():
    section = search_section(search())
    assert [row["number"] for row in section["rows"]] == [2, 0, 1, 3, 5, 6]
    assert [row["mark"] for row in section["rows"]] == ["best", "on the front", "", "", "", ""]
    assert section["rows"][0]["layout"] == "mobilefacenet on 64 x 64 pixels, width 0.75, blocks 4-6-2"
    assert section["rows"][0]["score"].interval == "78.0 to 86.0"
    assert section["summary"].endswith("TAR 83.0 % at FAR 0.01 with 480,000 parameters and 31.0 million multiply-adds.")

    nothing = search() | {"best": 7, "students": [student(0, "over budget"), student(7, "trained", 0.0)]}
    assert [row["number"] for row in search_section(nothing)["rows"]] == [7, 0]


def test_what_became_of_the_others_is_said():
    section = search_section(search())
    assert "7 students proposed: 3 trained, 1 given up, 1 failed, 1 over budget and 1 repeated." in section["how"]
    assert section["budget"] == "At most 600,000 parameters and 40,000,000 multiply-adds an image."
    rows = {row["number"]: row for row in section["rows"]}
    assert rows[3]["note"] == "55.0 % after 20 steps"
    assert rows[6]["note"] == "The identity loss is not a number at step 3."
    assert rows[5]["milliseconds"] == "not measured"


def test_a_search_without_a_trained_student_says_so_and_draws_nothing():
    nobody = search() | {"best": None, "students": [student(0, "over budget", looks={})]}
    assert search_section(nobody)["summary"] == "No student of the budget was trained to the end."
    assert front_plot(nobody) is None
    assert search_section({}) is None and front_plot({}) is None


def test_no_limit_is_said_to_be_none():
    free = search() | {"budget": {"parameters": None, "multiply_adds": None, "milliseconds": None}}
    assert search_section(free)["budget"] == "There was no limit."
    timed = search() | {"budget": {"parameters": None, "multiply_adds": None, "milliseconds": 2.5}}
    assert search_section(timed)["budget"] == "At most 2.5 ms an image."


def test_the_front_is_drawn_with_a_number_beside_every_trained_student():
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", str(front_plot(search())))
    assert {"0", "1", "2", "beaten", "beaten by none"} <= set(shown)
    assert not {"3", "5", "6"} & set(shown)


def test_a_single_student_is_its_own_front():
    alone = search() | {"students": [student(0, "trained", 0.5, front=True)], "best": 0}
    assert "beaten by none" in str(front_plot(alone))


@pytest.mark.parametrize(
    "costs", [(9_000_000, 31_000_000), (4_100_000, 4_200_000), (700_000, 120_000_000), (1_200_000,)]
)
def test_the_costs_can_be_read_off_the_plot_however_near_they_lie(costs):
    students = [student(100 + place, "trained", 0.5, multiply_adds=cost) for place, cost in enumerate(costs)]
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", str(front_plot(search() | {"students": students, "best": 100})))
    before_the_title = shown[: shown.index("multiply-adds an image, million")]
    labels = [float(text) for text in before_the_title if re.fullmatch(r"[0-9.]+", text)]
    lowest, highest = min(costs) / 1e6, max(costs) / 1e6
    assert labels == sorted(labels) and len(labels) == len(set(labels))
    assert any(lowest / 1.5 < label < highest * 1.5 for label in labels)
