import json

import numpy as np
import pytest
from pydantic import ValidationError

from countenance.errors import DataError, ModelError
from countenance.learning.compared_methods import ComparedMethod, MethodComparisonConfiguration, SettingsSearch
from countenance.learning.method_comparison import planned_students
from countenance.learning.method_settings import best_settings, search_settings, with_chosen_settings
from tests.learning.test_method_comparison import ALONE, STUDENT, comparison, weighted
from tests.learning.test_method_comparison import teacher as teacher  # fixtures
from tests.learning.test_method_comparison import world as world

WEIGHTED = ComparedMethod.model_validate(
    {"learning_rate": 0.1, "method": {"name": "weighted", "margin": {"margin": 0.45, "scale": 20}}}
)


def searched(rates=(0.2,), scales=(), margins=(), **changes):
    asked = comparison(alone=ALONE, weighted=weighted()).model_dump()
    search = {"steps": 1, "seed": 5, "learning_rate": rates, "scale": scales, "margin": margins}
    return MethodComparisonConfiguration.model_validate(asked | {"search": search} | changes)


def test_settings_are_tried_one_after_the_other_each_with_the_best_of_the_others_so_far():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.1, 0.2, 0.4), scale=(10, 20), margin=(0.3,))
    scores = {
        (0.1, 20, 0.45): 0.5,
        (0.2, 20, 0.45): 0.7,
        (0.4, 20, 0.45): 0.6,
        (0.2, 10, 0.45): 0.7,
        (0.2, 20, 0.3): 0.8,
    }
    tried = best_settings("weighted", WEIGHTED, search, lambda row, one: scores.pop(tuple(one.settings.values())))
    assert not scores  # every one of these and no other was trained, none twice
    assert [(trial["learning_rate"], trial["scale"], trial["margin"]) for trial in tried if trial["chosen"]] == [
        (0.2, 20, 0.3)
    ]
    assert [trial["score"] for trial in tried] == [0.5, 0.7, 0.6, 0.7, 0.8]


def test_a_rows_own_settings_stand_unless_another_does_better():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.2, 0.4), margin=(0.3,))
    tried = best_settings("weighted", WEIGHTED, search, lambda row, one: 0.5)
    assert [trial["chosen"] for trial in tried] == [True, False, False, False]


def test_a_setting_that_a_method_does_not_have_is_not_tried():
    search = SettingsSearch(steps=1, seed=1, learning_rate=(0.2,), scale=(20,), margin=(0.3,))
    seen = []
    for name in ("refo", "margin_distillation"):
        row = ComparedMethod.model_validate({"learning_rate": 0.1, "method": {"name": name}})
        seen += [tuple(trial[of] for of in ("learning_rate", "scale", "margin")) for trial in
                 best_settings(name, row, search, lambda row, one: -one.learning_rate)]  # fmt: skip
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


class OfThePeopleForValidation:
    """Remembers who was asked about, and likes the settings that it sees second."""

    def __init__(self):
        self.faces, self.calls = set(), 0

    def __call__(self, said):
        self.faces |= set(said["face_id"])
        self.calls += 1
        return float(self.calls % 2 == 0)


def test_each_row_is_trained_with_every_value_and_asked_about_the_people_for_validation_alone(world, teacher, tmp_path):
    score = OfThePeopleForValidation()
    tried = search_settings(*world, STUDENT, searched(), teacher=teacher, folder=tmp_path, score=score)
    assert [(trial["row"], trial["learning_rate"], trial["chosen"]) for trial in tried] == [
        ("alone", 0.05, False), ("alone", 0.2, True), ("weighted", 0.1, False), ("weighted", 0.2, True),
    ]  # fmt: skip
    assert {trial["images_seen"] for trial in tried} == {12}
    rows = world[0]
    assert score.faces == set(rows.loc[rows["subject_id"].notna() & (rows["split"] == "validation"), "face_id"])
    json.dumps(tried)


def test_finished_trials_are_not_trained_again(world, teacher, tmp_path):
    search_settings(*world, STUDENT, searched(), teacher=teacher, folder=tmp_path, score=len)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert before
    search_settings(*world, STUDENT, searched((0.2, 0.3)), teacher=teacher, folder=tmp_path, score=len)
    after = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert before.items() < after.items()


def test_the_comparison_is_trained_with_what_was_chosen_and_counts_it_among_what_a_run_depends_on(world, teacher):
    compared = searched()
    tried = [
        {"row": "weighted", "learning_rate": 0.3, "scale": 32.0, "margin": 0.2, "chosen": True},
        {"row": "weighted", "learning_rate": 0.9, "scale": 9.0, "margin": 0.9, "chosen": False},
    ]
    chosen = with_chosen_settings(compared, tried)
    assert chosen.rows["weighted"].settings == {"learning_rate": 0.3, "scale": 32.0, "margin": 0.2}
    assert chosen.rows["alone"] == compared.rows["alone"]
    before, after = (planned_students(*world, STUDENT, each, teacher=teacher) for each in (compared, chosen))
    assert [one.digest == two.digest for one, two in zip(before, after, strict=True)] == [True, False]


def test_without_a_search_nothing_is_trained(world, teacher, tmp_path):
    assert search_settings(*world, STUDENT, comparison(), teacher=teacher, folder=tmp_path, score=len) == []
    assert not list(tmp_path.iterdir())


def test_a_search_without_people_for_validation_or_with_a_teacher_that_does_not_fit_trains_nothing(
    world, teacher, tmp_path
):
    rows, crops = world
    nobody = rows.assign(split=np.where(rows["split"] == "validation", "train", rows["split"]))
    with pytest.raises(DataError, match="No face of the split validation has a name"):
        search_settings(nobody, crops, STUDENT, searched(), teacher=teacher, folder=tmp_path, score=len)
    longer = STUDENT.network.model_copy(update={"embedding_dimension": 99})
    with pytest.raises(ModelError, match="set 'network.embedding_dimension'"):
        search_settings(*world, STUDENT, searched(network=longer), teacher=teacher, folder=tmp_path, score=len)
    assert not list(tmp_path.rglob("*.parquet"))
