import numpy as np
import pytest

from countenance.learning.people_apart import with_people_set_apart
from tests.learning.faces import small_world


@pytest.fixture(scope="module")
def people():
    rows, _ = small_world(people=30, photos=2)
    number = rows["subject_id"].str.removeprefix("person-").astype(float)
    return rows.assign(split=np.where(number % 3 == 2, "test", np.where(number < 12, "validation", "train")))


def test_who_is_set_apart_follows_from_seed_and_name_and_share(people):
    apart = with_people_set_apart(people, 0.5, 5)
    again = with_people_set_apart(people.sample(frac=1, random_state=1), 0.5, 5).loc[people.index]
    assert apart["split"].tolist() == again["split"].tolist()
    assert apart["split"].tolist() != with_people_set_apart(people, 0.5, 6)["split"].tolist()
    fewer = with_people_set_apart(people, 0.2, 5)["split"] != people["split"]
    assert (fewer <= (apart["split"] != people["split"])).all()


def test_only_named_training_people_are_moved_and_all_their_faces_together(people):
    apart = with_people_set_apart(people, 0.5, 5)
    moved = apart["split"] != people["split"]
    assert moved.any() and set(people.loc[moved, "split"]) == {"train"}
    assert set(apart.loc[moved, "split"]) == {"validation"}
    assert apart.groupby("subject_id")["split"].nunique().max() == 1
    assert not moved[people["subject_id"].isna()].any()


def test_a_share_of_nothing_moves_nobody(people):
    assert with_people_set_apart(people, 0.0, 5)["split"].tolist() == people["split"].tolist()
