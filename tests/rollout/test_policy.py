from datetime import timedelta

import pytest

from countenance.configuration import narrow
from countenance.errors import ConfigurationError
from countenance.rollout.policy import RolloutPolicy


def read(**values: object) -> RolloutPolicy:
    return narrow(RolloutPolicy, values, where="parameters_rollout.yml")


def test_the_defaults_are_a_complete_policy() -> None:
    assert read() == RolloutPolicy()
    assert read().promotion_needs_approval


def test_durations_are_read_as_seconds_or_as_iso_text() -> None:
    assert read(label_delay=5400).label_delay == read(label_delay="PT1H30M").label_delay == timedelta(hours=1.5)


def test_the_hash_is_that_of_the_values_and_of_nothing_else() -> None:
    assert read(steps=[0.05, 0.5]).policy_hash() == read(steps=(0.05, 0.5), alpha=0.05).policy_hash()
    assert read().policy_hash() != read(alpha=0.04).policy_hash()
    assert read().policy_hash() != read(shadow={"labelled": 7}).policy_hash()
    assert len(read().policy_hash()) == 64


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", []),
        ("steps", [0.5, 0.25]),
        ("steps", [0.0, 0.5]),
        ("steps", [0.5, 1.5]),
        ("alpha", 0.0),
        ("non_inferiority_margin", 0.0),
        ("label_delay", -1),
        ("deadline", 0),
        ("on_inconclusive", "promote"),
        ("guarded_groups", ["north", "north"]),
        ("maximum_unlabelled_share", 1.0),
        ("group_minimum", 0),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=key):
        read(**{key: value})


def test_a_misspelt_key_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"shadow\.labelled"):
        read(shadow={"labelled": 0})
    with pytest.raises(ConfigurationError, match="did you mean 'steps'"):
        read(step_s=[0.1])
