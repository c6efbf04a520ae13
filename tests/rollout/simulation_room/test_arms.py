"""Resampling keeps people whole and time as it was; the arms put a known truth into it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.simulation.arms import LEVEL, LOGGED, WORSE, Arm, Resampler, applied, check_arm
from countenance.rollout.simulation.log import DecisionLog, of_table

from .logs import known_log, table


def small() -> DecisionLog:
    return of_table(table(), candidate="new", champion="old", where="the log")


def differences(log: DecisionLog) -> np.ndarray:
    known = log.mated >= 0
    return (log.candidate_match != log.mated)[known].astype(int) - (log.champion_match != log.mated)[known]


def test_whole_people_are_drawn_with_replacement() -> None:
    log = known_log()
    drawn = Resampler(log).draw(np.random.default_rng(1))
    visits = Counter(log.person.tolist())
    keys = [log.keys[person] for person in log.person]
    moments = dict(zip(log.at, keys, strict=True))
    of_copy: dict[int, list[np.datetime64]] = {}
    for person, moment in zip(drawn.person, drawn.at, strict=True):
        of_copy.setdefault(int(person), []).append(moment)
    for times in of_copy.values():
        who = {moments[time] for time in times}
        assert len(who) == 1
        assert len(times) == visits[int(np.flatnonzero(log.keys == who.pop())[0])]
    assert len(of_copy) == len(log.keys)


def test_time_stays_as_it_was() -> None:
    log = known_log()
    drawn = Resampler(log).draw(np.random.default_rng(1))
    assert (np.diff(drawn.at) >= np.timedelta64(0)).all()
    delay = dict(zip(log.at.tolist(), (log.label_at - log.at).tolist(), strict=True))
    assert all(
        delay[at] == late for at, late in zip(drawn.at.tolist(), (drawn.label_at - drawn.at).tolist(), strict=True)
    )


def test_the_same_seed_draws_the_same_traffic() -> None:
    log = known_log()
    one, other = (Resampler(log).draw(np.random.default_rng(5)) for _ in range(2))
    assert (one.at == other.at).all() and (one.person == other.person).all()


@pytest.mark.parametrize("requests", [1, 7_999, 20_000])
def test_so_many_requests_are_made_as_are_asked_for(requests: int) -> None:
    log = known_log()
    drawn = Resampler(log, requests).draw(np.random.default_rng(1))
    assert len(drawn) == requests
    assert (np.diff(drawn.at) >= np.timedelta64(0)).all()
    labelled = ~np.isnat(drawn.label_at)
    assert (drawn.label_at[labelled] >= drawn.at[labelled]).all()


def test_as_logged_nothing_is_changed() -> None:
    log = small()
    assert applied(Arm(name=LOGGED), log, log, np.random.default_rng(1)) is log


def test_no_worse_means_that_a_coin_a_person_says_who_is_who() -> None:
    log = small()
    seen = set()
    for seed in range(200):
        changed = applied(Arm(name=LEVEL), log, log, np.random.default_rng(seed))
        assert (changed.candidate_match != changed.champion_match).tolist() == [False, True, False, True]
        seen.add(tuple(differences(changed).tolist()))
    assert seen == {(0, a, b) for a in (-1, 1) for b in (-1, 1)}


def test_no_worse_has_no_difference_on_average_whatever_was_logged() -> None:
    log = known_log(candidate_alone=0.05, champion_alone=0.01)
    means = [differences(applied(Arm(name=LEVEL), log, log, np.random.default_rng(seed))).mean() for seed in range(60)]
    assert abs(np.mean(means)) < 3 * np.std(means) / np.sqrt(len(means))


def test_worse_raises_the_error_rate_by_what_was_asked() -> None:
    log = known_log(candidate_alone=0.005, champion_alone=0.02)
    arm = Arm(name=WORSE, worse=0.02)
    means = [differences(applied(arm, log, log, np.random.default_rng(seed))).mean() for seed in range(60)]
    assert np.mean(means) == pytest.approx(0.02, abs=4 * np.std(means) / np.sqrt(len(means)))


def test_worse_in_a_group_leaves_the_others_alone() -> None:
    log = known_log()
    south = log.group == log.groups.index("south")
    arm = Arm(name=WORSE, worse=0.2, group="south")
    level = applied(Arm(name=LEVEL), log, log, np.random.default_rng(3))
    worse = applied(arm, log, log, np.random.default_rng(3))
    assert (worse.candidate_match == level.candidate_match)[~south].all()
    changed = (worse.candidate_match != level.candidate_match)[south & (log.mated >= 0)]
    assert changed.mean() == pytest.approx(0.2, abs=0.04)


def test_a_harm_that_cannot_be_put_in_is_refused() -> None:
    log = known_log()
    with pytest.raises(RolloutError, match="nobody of group 'east': it knows north, south"):
        check_arm(Arm(name=WORSE, worse=0.01, group="east"), log)
    with pytest.raises(RolloutError, match="too few of its decisions are correct"):
        check_arm(Arm(name=WORSE, worse=0.99), log)
    check_arm(Arm(name=WORSE, worse=0.5), log)
