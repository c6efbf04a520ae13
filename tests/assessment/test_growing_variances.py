import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.growing_variances import growing_dyadic_variances
from countenance.assessment.intervals import dyadic_variance


@settings(deadline=None, max_examples=60)
@given(subjects=st.integers(2, 7), comparisons=st.integers(1, 60), seed=st.integers(0, 1000))
def test_each_is_the_variance_of_the_errors_so_far(subjects: int, comparisons: int, seed: int):
    generator = np.random.default_rng(seed)
    first = generator.integers(0, subjects, comparisons)
    second = (first + generator.integers(1, subjects, comparisons)) % subjects
    order = generator.permutation(comparisons)[: generator.integers(0, comparisons + 1)]
    found = growing_dyadic_variances(first, second, order)
    assert len(found) == len(order) + 1
    dyads, dyad = np.unique(np.sort(np.stack([first, second]), axis=0), axis=1, return_inverse=True)
    made = np.bincount(dyad)
    for count, variance in enumerate(found):
        errors = np.bincount(dyad[order[:count]], minlength=len(made))
        assert variance == pytest.approx(dyadic_variance(errors, made, *dyads), rel=1e-9, abs=1e-12)
