from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.balanced_sampling import BalanceConfiguration, balanced_weights
from countenance.errors import AssessmentError


def photos_of(counts: dict[str, int]) -> tuple[list[str], dict[str, str]]:
    """One person a group, named after it, with so many photos."""
    return [group for group, count in counts.items() for _ in range(count)], {group: group for group in counts}


def test_by_hand_every_group_comes_equally_often():
    subjects, groups = photos_of({"many": 60, "few": 20})
    # 40 photos each would be equal.
    assert balanced_weights(subjects, groups) == pytest.approx({"many": 2 / 3, "few": 2.0})


def test_half_the_strength_is_between():
    subjects, groups = photos_of({"many": 64, "few": 16})
    found = balanced_weights(subjects, groups, BalanceConfiguration(strength=0.5))
    # 40/64 and 40/16 under the root, times what keeps the number of photos: 2 to 1 in place of 4 to 1.
    assert found["few"] / found["many"] == pytest.approx(2.0)
    assert 64 * found["many"] + 16 * found["few"] == pytest.approx(80.0)
    assert balanced_weights(subjects, groups, BalanceConfiguration(strength=0.0)) == pytest.approx(
        {"many": 1.0, "few": 1.0}
    )


def test_nobody_comes_more_often_than_the_most():
    subjects, groups = photos_of({"many": 990, "few": 10})
    found = balanced_weights(subjects, groups)
    assert found["few"] == pytest.approx(4.0)
    assert found["many"] < 1.0


def test_everybody_of_a_group_weighs_alike_and_the_unknown_are_left_as_they_are():
    subjects = ["anna", "anna", "bela", "carl", None, "stranger"]
    found = balanced_weights(subjects, {"anna": "x", "bela": "x", "carl": "y", "dora": "y"})
    assert found == pytest.approx({"anna": 2 / 3, "bela": 2 / 3, "carl": 2.0})


@given(
    counts=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1),
    strength=st.floats(0.0, 1.0),
    most=st.floats(1.0, 10.0),
)
def test_a_smaller_group_never_weighs_less_and_none_more_than_the_most(counts, strength, most):
    subjects, groups = photos_of(counts)
    found = balanced_weights(subjects, groups, BalanceConfiguration(strength=strength, most=most))
    sizes = Counter(subjects)
    by_size = sorted(found, key=lambda group: sizes[group])
    weights = [found[group] for group in by_size]
    assert all(one >= other - 1e-12 for one, other in pairwise(weights))
    assert max(weights) <= most + 1e-12
    assert min(weights) > 0.0


def test_nothing_to_balance_is_said():
    with pytest.raises(AssessmentError, match="nothing to balance"):
        balanced_weights(["anna"], {"bela": "x"})
