import json
from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import ValidationError

from countenance.errors import DataError, ModelError, TrainingError
from countenance.learning.compared_methods import ComparedMethod, MethodComparisonConfiguration, SettingsSearch
from countenance.learning.method_comparison import planned_students
from countenance.learning.method_settings import (
    LEAST_PEOPLE,
    Attempt,
    best_settings,
    search_settings,
    with_chosen_settings,
)
from countenance.learning.teachers.features import TeacherFeatures
from tests.learning.faces import NETWORK, small_world
from tests.learning.test_method_comparison import ALONE, STUDENT, comparison, weighted

WEIGHTED = ComparedMethod.model_validate(
    {"learning_rate": 0.1, "method": {"name": "weighted", "margin": {"margin": 0.45, "scale": 20}}}
)


def searched(rates=(0.2,), scales=(), margins=(), **changes):
    asked = comparison(alone=ALONE, weighted=weighted()).model_dump()
    search = {"steps": 1, "seed": 5, "people_share": 0.2, "learning_rate": rates, "scale": scales, "margin": margins}
    return MethodComparisonConfiguration.model_validate(asked | {"search": search} | changes)


@dataclass(frozen=True)
class Score:
    value: float
    people: int = 12

    def surely_above(self, other, share):
        return self.value > other.value + 1 - share


def tries(row, compared, search, score):
    return best_settings(row, compared, search, lambda row, one: Attempt(score(one), {"minutes": 1.0}))


def test_settings_are_tried_one_after_the_other_each_with_the_best_of_the_others_so_far():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.1, 0.2, 0.4), scale=(10, 20), margin=(0.3,))
    scores = {(0.1, 20, 0.45): 1, (0.2, 20, 0.45): 3, (0.4, 20, 0.45): 2, (0.2, 10, 0.45): 3, (0.2, 20, 0.3): 4}
    tried = tries("weighted", WEIGHTED, search, lambda one: Score(scores.pop(tuple(one.settings.values()))))
    assert not scores  # every one of these and no other was trained, none twice
    assert [(trial["learning_rate"], trial["scale"], trial["margin"]) for trial in tried if trial["chosen"]] == [
        (0.2, 20, 0.3)
    ]
    assert [trial["score"] for trial in tried] == [1, 3, 2, 3, 4]
    assert {(trial["people"], trial["minutes"]) for trial in tried} == {(12, 1.0)}


@pytest.mark.parametrize(("better", "chosen"), [(0.05, [True, False]), (0.15, [False, True])])
def test_a_rows_own_settings_stand_unless_another_is_surely_better(better, chosen):
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.2,), sure=0.9)
    tried = tries("weighted", WEIGHTED, search, lambda one: Score(0.5 + (one.learning_rate == 0.2) * better))
    assert [trial["chosen"] for trial in tried] == chosen


def test_a_training_that_diverges_is_a_trial_that_is_never_chosen():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.2, 0.4))

    def attempt(row, one):
        if one.learning_rate == 0.2:
            return Attempt(Score(0.5), {})
        return Attempt(None, {"diverged": "The identity loss is not a number."})

    tried = best_settings("weighted", WEIGHTED, search, attempt)
    assert [(trial["score"], trial["chosen"], "diverged" in trial) for trial in tried] == [
        (None, False, True), (0.5, True, False), (None, False, True),
    ]  # fmt: skip
    with pytest.raises(TrainingError, match="Every training of the row 'weighted' diverged.*is not a number"):
        best_settings("weighted", WEIGHTED, SettingsSearch(steps=1, seed=1, learning_rate=(0.4,)), attempt)


def test_a_setting_that_a_method_does_not_have_is_not_tried():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.2,), scale=(20,), margin=(0.3,))
    seen = []
    for name in ("refo", "margin_distillation"):
        row = ComparedMethod.model_validate({"learning_rate": 0.1, "method": {"name": name}})
        seen += [tuple(trial[of] for of in ("learning_rate", "scale", "margin")) for trial in
                 tries(name, row, search, lambda one: Score(-one.learning_rate))]  # fmt: skip
    assert seen == [(0.1, None, None), (0.2, None, None), (0.1, 64, None), (0.2, 64, None), (0.1, 20, None)]


def test_a_setting_goes_to_where_the_method_keeps_it():
    changed = WEIGHTED.with_setting("scale", 32).with_setting("margin", 0.2).with_setting("learning_rate", 0.3)
    assert (changed.learning_rate, changed.method.margin.scale, changed.method.margin.margin) == (0.3, 32, 0.2)
    sharper = ComparedMethod.model_validate({"learning_rate": 0.1, "method": {"name": "margin_distillation"}})
    assert sharper.with_setting("scale", 32).method.scale == 32
    assert sharper.setting("margin") is None


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"steps": 1, "seed": 1}, "name values to try of one of learning_rate, scale, margin"),
        ({"steps": 1, "seed": 1, "margin": [2.0]}, "less than 1.57"),
        ({"steps": 1, "seed": 1, "learning_rate": [-0.1]}, "greater than 0"),
        ({"steps": 1, "seed": 1, "rate": [0.1]}, "rate"),
    ],
)
def test_values_that_no_training_could_take_are_refused_at_the_door(search, said):
    asked = comparison(alone=ALONE, weighted=weighted()).model_dump()
    with pytest.raises(ValidationError, match=said):
        MethodComparisonConfiguration.model_validate(asked | {"search": search})


@pytest.fixture(scope="module")
def people():
    rows, crops = small_world(people=30, photos=2)
    number = rows["subject_id"].str.removeprefix("person-").astype(float)
    return rows.assign(split=np.where(number % 3 == 2, "test", np.where(number < 12, "validation", "train"))), crops


@pytest.fixture(scope="module")
def teacher(people):
    faces = tuple(str(face) for face in people[0].loc[people[0]["is_face"], "face_id"])
    features = np.random.default_rng(1).normal(size=(len(faces), 2, NETWORK.embedding_dimension)).astype(np.float32)
    return TeacherFeatures(faces, features / np.linalg.norm(features, axis=2, keepdims=True))


class LikesEverySecond:
    """Remembers who was asked about, and likes the settings that it sees second."""

    def __init__(self):
        self.faces, self.splits, self.calls = set(), set(), 0

    def __call__(self, manifest, said):
        self.faces |= set(said["face_id"])
        self.splits |= set(manifest.loc[manifest["face_id"].isin(said["face_id"]), "split"])
        self.calls += 1
        return Score(float(self.calls % 2 == 0))


def search(people, teacher, folder, compared=None, score=None):
    return search_settings(
        *people, STUDENT, compared or searched(), teacher=teacher, folder=folder, score=score or LikesEverySecond()
    )


def test_each_row_is_trained_with_every_value_and_asked_about_no_test_person_and_nobody_it_was_trained_on(
    people, teacher, tmp_path
):
    score = LikesEverySecond()
    tried = search(people, teacher, tmp_path, score=score)
    assert [(trial["row"], trial["learning_rate"], trial["chosen"]) for trial in tried] == [
        ("alone", 0.05, False), ("alone", 0.2, True), ("weighted", 0.1, False), ("weighted", 0.2, True),
    ]  # fmt: skip
    assert {trial["images_seen"] for trial in tried} == {12}
    asked = people[0][people[0]["face_id"].isin(score.faces)]
    assert score.splits == {"validation"} and set(asked["split"]) == {"validation", "train"}
    assert asked["subject_id"].nunique() >= LEAST_PEOPLE
    json.dumps(tried)


def test_finished_and_diverged_trials_are_not_trained_again(people, teacher, tmp_path):
    blown = searched((1e30, 0.2), steps=2)
    blown = blown.model_copy(update={"search": blown.search.model_copy(update={"steps": 3})})
    tried = search(people, teacher, tmp_path, blown)
    assert [trial["learning_rate"] for trial in tried if "diverged" in trial] == [1e30, 1e30]
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.*")}
    assert search(people, teacher, tmp_path, blown) == tried
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.*")} == before


def test_the_comparison_is_trained_with_what_was_chosen_and_counts_it_among_what_a_run_depends_on(people, teacher):
    compared = searched()
    tried = [
        {"row": "weighted", "learning_rate": 0.3, "scale": 32.0, "margin": 0.2, "chosen": True},
        {"row": "weighted", "learning_rate": 0.9, "scale": 9.0, "margin": 0.9, "chosen": False},
    ]
    chosen = with_chosen_settings(compared, tried)
    assert chosen.rows["weighted"].settings == {"learning_rate": 0.3, "scale": 32.0, "margin": 0.2}
    assert chosen.rows["alone"] == compared.rows["alone"]
    before, after = (planned_students(*people, STUDENT, each, teacher=teacher) for each in (compared, chosen))
    assert [one.digest == two.digest for one, two in zip(before, after, strict=True)] == [True, False]


def test_without_a_search_nothing_is_trained(people, teacher, tmp_path):
    assert search(people, teacher, tmp_path, comparison()) == []
    assert not list(tmp_path.iterdir())


def test_too_few_people_to_choose_by_or_a_teacher_that_does_not_fit_are_found_out_before_any_training(
    people, teacher, tmp_path
):
    few = searched()
    few = few.model_copy(update={"search": few.search.model_copy(update={"people_share": 0.0})})
    with pytest.raises(DataError, match="chosen by 8 people with two faces for validation, where 10 are the least"):
        search(people, teacher, tmp_path, few)
    longer = STUDENT.network.model_copy(update={"embedding_dimension": 99})
    with pytest.raises(ModelError, match="set 'network.embedding_dimension'"):
        search(people, teacher, tmp_path, searched(network=longer))
    named = tuple(face for face in teacher.face_ids if not face.startswith("unnamed"))
    with pytest.raises(ModelError, match="no feature for .* with 'distilled.unnamed_as_classes' set"):
        search(people, teacher.of(named), tmp_path)
    assert not list(tmp_path.iterdir())
