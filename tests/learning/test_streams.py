from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import DataError
from countenance.learning.streams import Streams

SOURCES = np.array(["a"] * 6 + ["b"] * 4)
BOTH = {"first": np.arange(10), "second": np.array([0, 9])}


def streams(rows=BOTH, shares=None, batch_size=5, **options):
    settings = {"sources": SOURCES, "source_weights": {}, "seed": 1} | options
    return Streams(rows, shares or dict.fromkeys(rows, 1.0), batch_size, **settings)


def drawn(mixed: Streams, stream: str, steps: int) -> list[int]:
    return [row for step in range(steps) for name, row in mixed.batch(step) if name == stream]


def test_a_batch_holds_every_stream_by_its_share_and_a_stream_without_a_share_or_rows_not_at_all():
    mixed = streams({**BOTH, "empty": np.array([], dtype=int)}, {"first": 3, "second": 1, "empty": 4}, batch_size=8)
    assert mixed.counts == {"first": 6, "second": 2}
    assert Counter(name for name, _ in mixed.batch(0)) == {"first": 6, "second": 2}
    assert streams(shares={"first": 1, "second": 0}).counts == {"first": 5}


@given(seed=st.integers(0, 100), batch_size=st.integers(1, 12))
def test_every_row_comes_once_before_any_comes_twice(seed, batch_size):
    mixed = streams({"first": np.arange(10)}, batch_size=batch_size, seed=seed)
    rows = drawn(mixed, "first", -(-20 // batch_size))
    assert sorted(rows[:10]) == list(range(10))
    assert sorted(rows[10:20]) == list(range(10))
    assert mixed.batch(3) == streams({"first": np.arange(10)}, batch_size=batch_size, seed=seed).batch(3)


def test_a_source_of_weight_two_comes_twice_a_round_and_one_of_a_half_with_half_its_rows():
    mixed = streams({"first": np.arange(10)}, batch_size=14, source_weights={"a": 2.0, "b": 0.5})
    count = Counter(row for _, row in mixed.batch(0))
    assert all(count[row] == 2 for row in range(6))
    assert sum(count[row] for row in range(6, 10)) == 2
    # The next round takes another half sooner or later: nobody is left out for good.
    assert set(drawn(mixed, "first", 12)) == set(range(10))


def test_a_source_of_weight_zero_stays_away():
    assert set(drawn(streams(source_weights={"b": 0.0}), "first", 4)) <= set(range(6))


def test_a_weight_for_a_source_that_is_not_there_is_refused_by_its_name():
    with pytest.raises(DataError, match="source 'c' has a weight but no rows"):
        streams(source_weights={"c": 2.0})


def test_nothing_to_train_on_is_said():
    with pytest.raises(DataError, match="No face of the manifest can be trained on"):
        streams({"first": np.array([], dtype=int)})


def test_rows_of_weight_three_come_three_times_a_round_beside_the_weight_of_their_source():
    heavy = np.where(np.arange(10) % 5 == 0, 3.0, 1.0)
    mixed = streams({"first": np.arange(10)}, batch_size=14, row_weights=heavy)
    count = Counter(row for _, row in mixed.batch(0))
    assert [count[row] for row in range(10)] == [3, 1, 1, 1, 1, 3, 1, 1, 1, 1]
    both = streams({"first": np.arange(10)}, batch_size=16, row_weights=heavy, source_weights={"b": 0.0})
    assert Counter(drawn(both, "first", 1))[0] >= 3


def test_without_weights_of_rows_the_order_is_as_it_was():
    assert streams().batch(3) == streams(row_weights=np.ones(10)).batch(3)


@pytest.mark.parametrize("weights", [np.ones(9), np.full(10, -1.0), np.full(10, np.nan)])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(DataError, match="one number of zero or more a row"):
        streams(row_weights=weights)
