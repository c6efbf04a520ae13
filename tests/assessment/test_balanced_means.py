import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.balanced_means import mean_of_means
from countenance.assessment.intervals import Resampling

QUICK = Resampling(resamples=200)
NAN = np.nan


def test_every_column_counts_alike_however_many_photos_it_has():
    values = np.array([[1.0, NAN], [1.0, NAN], [1.0, NAN], [NAN, 3.0], [NAN, NAN]])
    measured = mean_of_means(values, ["many", "few"], unit="degrees", resampling=QUICK)
    assert measured.value == 2.0
    assert (measured.count, measured.unit, measured.higher_is_better) == (4, "degrees", False)


def test_an_empty_column_is_named_and_nothing_is_made_up_for_it():
    measured = mean_of_means(np.array([[1.0, NAN]]), ["frontal", "profile"], unit="degrees", resampling=QUICK)
    assert measured.value is None
    assert measured.note == "not measurable: nothing labelled in profile"
    nothing = mean_of_means(np.full((2, 2), NAN), ["frontal", "profile"], unit="degrees", resampling=QUICK)
    assert (nothing.value, nothing.note) == (None, "not labelled")


def test_a_single_subject_gives_no_interval():
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    alone = mean_of_means(values, ["a", "b"], unit="u", subjects=["x", "x"], resampling=QUICK)
    assert (alone.value, alone.low, alone.note) == (2.5, None, "no interval: a single subject")
    two = mean_of_means(values, ["a", "b"], unit="u", subjects=["x", "y"], resampling=QUICK)
    assert two.low is not None and two.high is not None and two.low < 2.5 < two.high


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=9), st.randoms())
def test_the_order_of_photos_does_not_matter(rows: list, random):
    values = np.array(rows)
    shuffled = values[random.sample(range(len(values)), len(values))]
    quick = Resampling(resamples=2)
    one, other = (mean_of_means(item, ["a", "b"], unit="u", resampling=quick).value for item in (values, shuffled))
    assert one == pytest.approx(other)
