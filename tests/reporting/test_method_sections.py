import pytest

from countenance.reporting.method_sections import gained, method_section, seeded, title_of, told_apart
from countenance.reporting.wording import Shown

from .method_samples import comparison, groups, unmeasured
from .method_samples import seeded as sample


def section(**changes) -> dict:
    found = method_section(comparison() | changes, groups())
    assert found is not None
    return found


def test_a_mean_is_shown_with_its_interval_and_each_seeds_value() -> None:
    assert seeded(sample(0.88)) == Shown("88.0 %", "87.0 to 89.0", "by seed: 87.8, 88.2")
    assert seeded(unmeasured("why")) == Shown("not measurable", note="why")


def test_a_difference_is_in_points_with_its_sign_and_a_ratio_says_how_many_times() -> None:
    assert gained(sample(0.06, 0.012)) == Shown("+6.0 points", "+4.8 to +7.2", "by seed: +5.7, +6.3")
    assert gained(sample(1.05, 0.1, "ratio")) == Shown("1.05 times", "0.95 to 1.15")
    assert gained(unmeasured()).value == "not measurable"


@pytest.mark.parametrize(
    ("low", "high", "told"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (None, None, 0)]
)
def test_two_are_told_apart_where_the_whole_interval_lies_on_one_side_of_zero(low, high, told) -> None:
    assert told_apart({"low": low, "high": high}) == told


def test_every_way_is_held_against_the_student_alone() -> None:
    rows = {row["title"]: row for row in section()["rows"]}
    assert [row["verdict"] for row in rows.values()] == ["reference", "worse", "not told apart", "better", "better"]
    alone, weighted = rows["student alone"], rows["AdaDistill, weighted alpha"]
    assert alone["gain"] is None and alone["hint"] == "learning rate 0.2, named faces"
    assert weighted["hint"] == "learning rate 0.2, named and unnamed faces"
    assert weighted["gain"].value == "+6.0 points"
    assert rows["AdaDistill, adaptive alpha"]["tar"].value == "not measurable"


def test_the_summary_names_the_headline_and_whoever_does_better() -> None:
    assert section()["summary"] == (
        "AdaDistill, weighted alpha: 88.0 % 1:1 accuracy against 82.0 % of the student alone, +6.0 points "
        "(+4.8 to +7.2). No other way does better on average."
    )
    assert section(headline="adaptive")["summary"].endswith("Best on average: AdaDistill, weighted alpha, 88.0 %.")


def test_budget_seeds_pairs_and_people_are_named() -> None:
    assert section()["how"] == (
        "10 trainings of the same student on 19,200 crops each, 5 minutes in all, from the seeds 7 and 101. 1:1 "
        "accuracy is over 5,400 pairs of 312 people that training never saw, half of them mated, in 10 folds that share "
        "nobody."
    )


def test_contrasts_say_which_is_better() -> None:
    (found,) = section()["contrasts"]
    assert found["title"] == "AdaDistill, weighted alpha against AdaDistill, fixed centres"
    assert (found["verdict"], found["tone"]) == ("better", "good")


def test_a_row_of_the_users_own_goes_by_its_name() -> None:
    assert title_of("weighted_with_glasses") == "weighted with glasses"


@pytest.mark.parametrize(
    ("verdict", "begins", "tone"),
    [
        ("kept", "Distillation does not make the worst group worse: ", "good"),
        ("worse", "Distillation makes the worst group worse: ", "bad"),
        ("open", "Whether distillation makes the worst group worse is not shown either way: ", "open"),
    ],
)
def test_the_verdict_on_the_worst_group_is_one_clear_line(verdict: str, begins: str, tone: str) -> None:
    found = method_section(comparison(), groups(verdict))
    assert found is not None
    assert found["groups"]["verdict"] == (
        f"{begins}the worst group's FNMR changes by -10.0 points (-12.0 to -8.0), its FMR is 1.05 times that of the "
        "student alone (0.95 to 1.15); allowed: +1 points and 1.25 times."
    )
    assert found["groups"]["tone"] == tone


def test_groups_that_are_too_small_are_counted_and_not_shown() -> None:
    found = section()["groups"]
    assert [row["group"] for row in found["rows"]] == ["dark", "light"]
    assert [row["people"] for row in found["rows"]] == ["80 people", "40 people, few"]
    assert found["hidden"] == 1 and found["attribute"] == "skin tone"
    assert [row["title"] for row in found["others"]] == ["AdaDistill, weighted alpha"]


def test_without_groups_or_without_one_that_can_be_shown_there_is_no_verdict() -> None:
    found = method_section(comparison(), {})
    assert found is not None and found["groups"] is None
    bare = groups()
    bare["groups"] = [group | {"subjects": None} for group in bare["groups"]]
    for row in bare["rows"].values():
        row |= {"groups": {}, "worst": None}
    found = method_section(comparison(), bare)
    assert found is not None
    assert found["groups"]["verdict"] == "No group is large enough to be shown."
    assert found["groups"]["rows"] == found["groups"]["others"] == []


def test_without_a_comparison_there_is_no_section() -> None:
    assert method_section({}, groups()) is None
