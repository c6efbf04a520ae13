import pytest

from countenance.reporting.seeded_words import gained, seeded, told_apart
from countenance.reporting.wording import Shown

from .method_samples import seeded as sample
from .method_samples import unmeasured


def test_a_mean_is_shown_with_its_interval_and_each_seeds_value() -> None:
    assert seeded(sample(0.88)) == Shown("88.0 %", "87.0 to 89.0", "by seed: 87.8, 88.2")
    assert seeded(unmeasured("why")) == Shown("not measurable", note="why")


def test_a_difference_is_in_points_with_its_sign_and_a_ratio_says_how_many_times() -> None:
    assert gained(sample(0.06, 0.012)) == Shown("+6.0 points", "+4.8 to +7.2", "by seed: +5.7, +6.3")
    assert gained(sample(1.05, 0.1, "ratio")) == Shown("1.05 times", "0.95 to 1.15")
    assert gained(unmeasured()).value == "not measurable"


@pytest.mark.parametrize(
    ("low", "high", "told"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (None, None, 0)]
)
def test_two_are_told_apart_where_the_whole_interval_lies_on_one_side_of_zero(low, high, told) -> None:
    assert told_apart({"low": low, "high": high}) == told


def test_a_single_seed_is_not_told_twice() -> None:
    assert seeded(sample(0.88) | {"by_seed": [0.88]}).note == ""
