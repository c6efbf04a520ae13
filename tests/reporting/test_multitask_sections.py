import numpy as np
import pandas as pd
import pytest

from countenance.reporting.multitask_sections import (
    ablation_section,
    cost_section,
    cost_sentence,
    effort_section,
    gain_words,
    gradient_lengths,
    interference_section,
    tells_apart,
)
from countenance.reporting.wording import Shown

from .samples import ablation, costs, curves, efforts, gain

NAMES = {"student_alone": "v1", "student_distilled": "v2"}


def section() -> dict:
    found = ablation_section(ablation())
    assert found is not None
    return found


def test_a_gain_is_shown_with_its_sign_and_percentages_differ_by_points() -> None:
    assert gain_words(gain(0.071, 0.08, (0.009, 0.006, 0.012), "inter-ocular distance", False)) == Shown(
        "+0.9 points of eye distance", "+0.6 to +1.2"
    )
    assert gain_words(gain(0.9, 0.91, (-0.01, -0.02, 0.0), "proportion", True)) == Shown("-1.0 points", "-2.0 to +0.0")
    assert gain_words(gain(7.4, 6.8, (-0.6, -0.9, -0.3), "years", False)).value == "-0.60 years"


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (None, None, 0)],
)
def test_two_are_told_apart_where_the_whole_interval_lies_on_one_side_of_zero(low, high, told) -> None:
    assert tells_apart({"low": low, "high": high}) == told


def test_the_summary_says_whom_learning_together_helps_whom_it_harms_and_where_nothing_is_shown() -> None:
    assert section()["summary"] == (
        "Learning together is shown to help landmarks, and to harm age. Not told apart: gender."
    )
    nothing = ablation() | {"tasks": {"gender": ablation()["tasks"]["gender"]}}
    found = ablation_section(nothing)
    assert found is not None
    assert found["summary"].startswith("Learning together is shown to help no task, and to harm none.")


def test_every_task_has_its_row_in_the_usual_order_and_one_that_could_not_be_measured_is_not_compared() -> None:
    rows = {row["task"]: row for row in section()["rows"]}
    assert list(rows) == ["Landmarks", "Gender", "Age", "Identity"]
    assert (rows["Landmarks"]["verdict"], rows["Age"]["verdict"]) == ("better together", "better alone")
    assert (rows["Gender"]["verdict"], rows["Identity"]["verdict"]) == ("not told apart", "not compared")
    assert rows["Identity"]["hint"] == "TAR at FAR 0.01, higher is better"
    assert (rows["Landmarks"]["alone"].value, rows["Landmarks"]["together"].value) == (
        "8.0 % of eye distance",
        "7.1 % of eye distance",
    )


def test_the_budget_and_the_seeds_are_named() -> None:
    assert section()["how"] == (
        "5 trainings of the same network on 15,360 crops each, 9 minutes in all, from the seed 7."
    )
    two = ablation_section(ablation() | {"seeds": [7, 8]})
    assert two is not None
    assert two["how"].endswith("from the seeds 7 and 8, each face counted with its mean over them.")


def test_without_an_ablation_there_is_no_section() -> None:
    assert ablation_section({}) is None


def test_the_costs_are_multiples_of_the_one_network() -> None:
    found = cost_section(costs())
    assert found is not None
    first, last = found["rows"][0], found["rows"][-1]
    assert first["parameters"] == Shown("1.26 million", "1.00 times")
    assert last["multiply_adds"] == Shown("350.0 million", "5.74 times")
    assert len(found["rows"]) == 9
    assert cost_section({}) is None


def test_the_sentence_of_the_costs_names_both_and_how_many_times() -> None:
    sentence = cost_sentence(costs())
    assert "1.26 million parameters, 61.0 million multiply-adds a face" in sentence
    assert sentence.endswith("5.60 million (4.4 times) and 350.0 million (5.7 times).")


def test_the_share_of_waiting_is_told_and_an_older_run_has_none() -> None:
    known = efforts()
    del known["student_distilled"]["data_wait_share"]
    rows = effort_section(known, NAMES)
    assert [(row["model"], row["waited"]) for row in rows] == [("v1", "2.1 %"), ("v2", "not recorded")]
    assert effort_section({}, NAMES) == []


def test_tasks_that_pull_against_each_other_are_listed_worst_first() -> None:
    (found,) = interference_section({"student_alone": curves(False, gradients=True), "other": curves(False)}, NAMES)
    assert found["model"] == "v1"
    assert (
        found["sentence"] == "2 of 4 pairs of tasks pull against each other on average, over 5 looks at the gradients."
    )
    assert [(pair["pair"], pair["cosine"]) for pair in found["pairs"]] == [
        ("Face and age", "-0.30"),
        ("Landmarks and age", "-0.04"),
    ]
    assert found["pairs"][0]["ratio"] == "0.17"  # 0.4 over 2.4


def test_without_a_look_at_the_gradients_there_is_nothing_to_say() -> None:
    assert interference_section({"student_alone": curves(False)}, NAMES) == []


def test_a_gradients_length_is_its_median_and_one_that_is_always_zero_is_left_out() -> None:
    table = pd.DataFrame({"gradient/age": [1.0, np.nan, 3.0, 9.0], "gradient/off": 0.0, "gradient_cosine/age/off": 1.0})
    assert gradient_lengths(table) == {"age": 3.0}
