import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.configuration import narrow
from countenance.data.splits import SplitConfiguration, assign_splits, require_disjoint_splits
from countenance.errors import ConfigurationError, DataError

FACES = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from([f"s{i}" for i in range(12)])),
        st.sampled_from([f"p{i}" for i in range(20)]),
    ),
    min_size=1,
    max_size=60,
)


def frame(faces: list[tuple[str | None, str]]) -> pd.DataFrame:
    table = pd.DataFrame(faces, columns=["subject_id", "photo_sha256"])
    return table.assign(face_id=[f"f{i}" for i in range(len(faces))])


@given(faces=FACES, seed=st.integers(0, 5))
@settings(max_examples=60)
def test_no_subject_and_no_photo_is_ever_in_two_splits(faces: list[tuple[str | None, str]], seed: int):
    table = frame(faces)
    table["split"] = assign_splits(table, SplitConfiguration(seed=seed))
    require_disjoint_splits(table)


@given(faces=FACES)
@settings(max_examples=30)
def test_the_order_of_faces_does_not_change_their_split(faces: list[tuple[str | None, str]]):
    table = frame(faces)
    table["split"] = assign_splits(table, SplitConfiguration())
    shuffled = table.sample(frac=1, random_state=1).drop(columns="split")
    shuffled["again"] = assign_splits(shuffled, SplitConfiguration())
    assert (shuffled["again"].sort_index() == table["split"]).all()


def test_two_people_who_share_a_photo_go_to_the_same_split():
    for seed in range(20):
        table = frame([("a", "1"), ("b", "1"), ("b", "2"), ("c", "2")])
        assert assign_splits(table, SplitConfiguration(seed=seed)).nunique() == 1


def test_photos_that_are_kept_with_each_other_go_to_the_same_split():
    for seed in range(20):
        table = frame([(None, f"p{i}") for i in range(6)]).assign(kept_with=["a", "a", "b", None, "b", "a"])
        split = assign_splits(table, SplitConfiguration(seed=seed))
        assert split[[0, 1, 5]].nunique() == split[[2, 4]].nunique() == 1


def test_a_column_of_ties_that_is_empty_changes_no_split():
    table = frame([("a", "1"), (None, "2"), ("b", "3"), (None, "4")])
    alone = assign_splits(table, SplitConfiguration())
    assert assign_splits(table.assign(kept_with=None), SplitConfiguration()).tolist() == alone.tolist()


def test_the_shares_of_people_come_out_as_asked():
    table = frame([(f"s{i}", f"p{i}") for i in range(4000)])
    shares = assign_splits(table, SplitConfiguration(train=0.6, validation=0.1, test=0.3)).value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.03)
    assert shares["test"] == pytest.approx(0.3, abs=0.03)


def test_a_person_in_two_splits_is_refused_with_faces_named_and_not_the_person():
    table = frame([("Jane Doe", "1"), ("Jane Doe", "2")]).assign(split=["train", "test"])
    with pytest.raises(DataError, match="1 subjects are in more than one split") as caught:
        require_disjoint_splits(table)
    assert "f0, f1" in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_a_photo_in_two_splits_is_refused():
    table = frame([("a", "1"), ("b", "1")]).assign(split=["train", "test"])
    with pytest.raises(DataError, match="photos are in more than one split"):
        require_disjoint_splits(table)


def test_shares_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ConfigurationError, match="must sum to 1"):
        narrow(SplitConfiguration, {"train": 0.5, "validation": 0.1, "test": 0.1}, where="parameters_ingestion.yml")
