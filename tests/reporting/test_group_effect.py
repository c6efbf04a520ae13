import pytest

from countenance.reporting.group_effect import effect_section
from countenance.reporting.method_sections import METHOD_TITLES

from .method_samples import groups, of_one_run, seeded, unmeasured


@pytest.mark.parametrize(
    ("verdict", "said", "tone"),
    [
        ("kept", "shown to be no worse", "good"),
        ("worse", "shown to be worse", "bad"),
        ("open", "not shown to be worse or no worse", "open"),
    ],
)
def test_the_verdict_on_the_worst_group_is_one_clear_line(verdict: str, said: str, tone: str) -> None:
    found = effect_section(groups(verdict), METHOD_TITLES)
    assert found is not None
    assert found["verdict"] == (
        "The worst group, shown to be no worse in false non-matches: its FNMR changes by -10.0 points (-12.0 to -8.0; "
        f"+1 allowed); {said} in false matches: its FMR is 1.05 times that of the student alone (0.95 to 1.15; 1.25 "
        "allowed)."
    )
    assert found["tone"] == tone


def test_groups_that_are_too_small_are_counted_and_not_shown() -> None:
    found = effect_section(groups(), METHOD_TITLES)
    assert found is not None
    assert [row["group"] for row in found["rows"]] == ["dark", "light"]
    assert [row["people"] for row in found["rows"]] == ["80 people", "40 people, few"]
    assert found["hidden"] == 1 and found["attribute"] == "skin tone"
    assert [row["title"] for row in found["others"]] == ["AdaDistill, weighted alpha"]


def test_without_groups_or_without_one_that_can_be_shown_there_is_no_verdict() -> None:
    assert effect_section({}, {}) is None
    bare = groups()
    bare["groups"] = [group | {"subjects": None} for group in bare["groups"]]
    for row in bare["rows"].values():
        row |= {"groups": {}, "worst": None}
    found = effect_section(bare, {})
    assert found is not None
    assert found["verdict"] == "No group is large enough to be shown."
    assert found["rows"] == found["others"] == []


def test_a_run_has_one_training_of_each_and_says_so() -> None:
    found = effect_section(of_one_run(), {"student_alone": "v1", "student_distilled": "v2"})
    assert found is not None
    assert (found["reference"], found["headline"], found["one_training"]) == ("v1", "v2", True)
    assert found["rows"][0]["fnmr"][0].note == ""
    several = effect_section(groups(), METHOD_TITLES)
    assert several is not None and several["one_training"] is False


def harmed(error: str, group: str = "dark") -> dict:
    found = groups()
    found["rows"]["weighted"]["groups"][group][f"{error}_difference"] = seeded(0.05, 0.01)
    return found


def test_a_group_that_loses_is_named_though_it_is_not_the_worst() -> None:
    found = effect_section(harmed("fnmr", "light"), METHOD_TITLES)
    assert found is not None
    assert found["harmed"] == "Shown to have more errors than with the student alone: light (false non-matches)."
    assert [row["fnmr_changed"] for row in found["rows"]] == [("fewer", "good"), ("more", "bad")]
    assert {row["fmr_changed"] for row in found["rows"]} == {("not told apart", "open")}
    assert found["tone"] == "good"
    usual = effect_section(groups(), METHOD_TITLES)
    assert usual is not None
    assert usual["harmed"] == "No group is shown to have more errors of either kind than with the student alone."
    other = effect_section(harmed("fmr"), METHOD_TITLES)
    assert other is not None and other["harmed"].endswith("student alone: dark (false matches).")


def test_a_change_that_could_not_be_measured_is_said_in_a_whole_sentence() -> None:
    found = groups("open")
    found["rows"]["weighted"]["worst"] |= {"fmr_ratio": unmeasured("no false match of the student alone")}
    section = effect_section(found, METHOD_TITLES)
    assert section is not None
    assert section["verdict"].endswith(
        "; not shown to be worse or no worse in false matches: the change of its FMR is not measurable (no false match "
        "of the student alone)."
    )
