from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd

from countenance.rollout.tape import as_datetime, as_moment, between, record_tape
from countenance.rollout.traffic import TrafficLog, sticky_share

from .scenes import NOON, SALT, policy


def minutes(*values: float | None) -> pd.Series:
    return pd.Series([pd.NaT if value is None else pd.Timestamp(NOON) + timedelta(minutes=value) for value in values])


LOG = TrafficLog(
    pd.DataFrame(
        {
            "at": minutes(0, 1, 2, 3),
            "request_id": ["a", "b", "c", "d"],
            "site": ["east", "west", "east", "west"],
            "routing_key": ["k1", "k2", "k1", "k3"],
            "group": ["north", None, "south", "north"],
            "mated": [True, True, False, False],
            "label_at": minutes(30, 2, None, 4),
            "score:new": [0.9, 0.1, 0.9, 0.1],
            "score:old": [0.4, 0.6, 0.6, 0.4],
        }
    ),
    {"new": 0.5, "old": 0.5},
)
TAPE = record_tape(LOG, candidate="new", champion="old", policy=policy(label_delay=600), salt=SALT)


def test_a_difference_is_the_candidates_error_less_the_champions() -> None:
    # new: right, wrong, wrong, right; old: wrong, right, wrong, right
    assert TAPE.difference.tolist() == [-1, 1, 0, 0]
    assert TAPE.disagreed.tolist() == [True, True, False, False]


def test_a_label_counts_at_the_given_age_or_when_it_comes_later_and_never_without_one() -> None:
    after = [None if np.isnat(moment) else as_datetime(moment) - NOON for moment in TAPE.ready_at]
    assert after == [timedelta(minutes=30), timedelta(minutes=11), None, timedelta(minutes=13)]
    assert TAPE.ready_order.tolist() == [1, 3, 0]


def test_people_keep_their_place_and_an_unknown_group_is_none() -> None:
    assert TAPE.position.tolist() == [sticky_share(key, SALT) for key in LOG.frame["routing_key"]]
    assert TAPE.group.tolist() == ["north", None, "south", "north"]


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end() -> None:
    assert between(TAPE.at, as_moment(NOON), as_moment(NOON + timedelta(minutes=2))) == slice(1, 3)


def test_a_moment_goes_to_numpy_and_back_in_utc() -> None:
    elsewhere = datetime(2025, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert as_datetime(as_moment(elsewhere)) == NOON
