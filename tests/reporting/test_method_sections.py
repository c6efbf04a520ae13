from countenance.reporting.method_sections import method_section, title_of

from .method_samples import comparison, groups


def section(**changes) -> dict:
    found = method_section(comparison() | changes, groups())
    assert found is not None
    return found


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
        "accuracy is over 5,400 pairs of 312 people that training never saw, half of them mated, in 10 folds that "
        "share nobody."
    )


def test_contrasts_say_which_is_better() -> None:
    (found,) = section()["contrasts"]
    assert found["title"] == "AdaDistill, weighted alpha against AdaDistill, fixed centres"
    assert (found["verdict"], found["tone"]) == ("better", "good")


def test_a_row_of_the_users_own_goes_by_its_name() -> None:
    assert title_of("weighted_with_glasses") == "weighted with glasses"


def test_groups_are_told_where_they_were_measured() -> None:
    assert section()["groups"]["headline"] == "AdaDistill, weighted alpha"
    found = method_section(comparison(), {})
    assert found is not None and found["groups"] is None


def test_without_a_comparison_there_is_no_section() -> None:
    assert method_section({}, groups()) is None


def test_the_trials_that_chose_the_settings_are_shown_with_how_far_each_is_from_the_chosen() -> None:
    assert section()["settings"] is None
    tried = [
        {"row": "refo", "learning_rate": 0.1, "scale": None, "margin": None, "score": 0.8, "chosen": False},
        {"row": "refo", "learning_rate": 0.2, "scale": None, "margin": None, "score": 0.825, "chosen": True},
        {"row": "alone", "learning_rate": 0.2, "scale": 20.0, "margin": 0.3, "score": 0.7, "chosen": True},
        {"row": "alone", "learning_rate": 9.0, "scale": 20.0, "margin": 0.3, "score": None, "chosen": False},
    ]
    people = [{"people": None if trial["score"] is None else 61} for trial in tried]
    both = [trial | who for trial, who in zip(tried, people, strict=True)]
    found = section(settings={"steps": 200, "tried": both})["settings"]
    assert found["summary"].startswith("4 trainings of 200 steps, judged by 61 people with two photos or more")
    shown = [tuple(trial.values()) for trial in found["trials"]]
    assert shown == [
        ("ReFO-style, features alone", "0.1", "–", "–", "80.0 %", "-2.5 points", False),
        ("ReFO-style, features alone", "0.2", "–", "–", "82.5 %", "", True),
        ("student alone", "0.2", "20", "0.3", "70.0 %", "", True),
        ("student alone", "9", "20", "0.3", "diverged", "", False),
    ]


def test_a_row_names_its_own_settings() -> None:
    runs = [run | {"scale": 20.0, "margin": None} for run in comparison()["runs"]]
    (alone, *_) = section(runs=runs)["rows"]
    assert alone["hint"] == "learning rate 0.2, scale 20, named faces"
