from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.errors import DataError
from countenance.rollout.traffic import Schedule, TrafficLog, build_schedule, routing_key, sticky_share

from .scenes import NOON, SALT
from .simulation import THRESHOLD, everywhere, simulated_log, simulated_pairs

RATES = {"v1": everywhere(0.05), "v2": everywhere(0.02)}
HERE = {"group": "south", "until": "PT2H", "site": "north gate"}


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_growing_share_only_adds_people(key: str, one: float, other: float) -> None:
    place = sticky_share(key, SALT)
    assert 0 <= place < 1
    small, large = sorted((one, other))
    assert place < large or not place < small


def test_a_person_keeps_the_place_for_one_salt_and_gets_another_for_another() -> None:
    keys = [f"key-{number}" for number in range(200)]
    places = [sticky_share(key, SALT) for key in keys]
    assert places == [sticky_share(key, SALT) for key in keys]
    assert sum(place != sticky_share(key, b"another salt") for place, key in zip(places, keys, strict=True)) > 190


def test_people_are_spread_evenly() -> None:
    places = np.array([sticky_share(f"key-{number}", SALT) for number in range(10_000)])
    assert (places < 0.05).mean() == pytest.approx(0.05, abs=0.01)
    assert (places < 0.5).mean() == pytest.approx(0.5, abs=0.02)


def test_a_routing_key_does_not_show_the_subject() -> None:
    assert "subject" not in routing_key("subject-7", b"secret") != routing_key("subject-7", b"other")


def test_the_same_generator_gives_the_same_log() -> None:
    pd.testing.assert_frame_equal(simulated_log(RATES, requests=500).frame, simulated_log(RATES, requests=500).frame)


def test_a_schedule_keeps_its_rate_its_error_rates_and_its_unlabelled_share() -> None:
    log = simulated_log(RATES, requests=12_000, requests_per_hour=3000, never_labelled=0.1)
    lasted = (log.frame["at"].iloc[-1] - pd.Timestamp(NOON)).total_seconds() / 3600
    assert lasted == pytest.approx(4, rel=0.05)
    assert log.frame["label_at"].isna().mean() == pytest.approx(0.1, abs=0.01)
    assert (log.decisions("v1") != log.mated()).mean() == pytest.approx(0.05, abs=0.01)
    assert (log.decisions("v2") != log.mated()).mean() == pytest.approx(0.02, abs=0.01)


def test_labels_come_after_their_requests_with_the_given_median_delay() -> None:
    log = simulated_log(RATES, label_delay_median="PT30M", never_labelled=0.0)
    delay = log.frame["label_at"] - log.frame["at"]
    assert (delay > timedelta(0)).all()
    assert delay.dt.total_seconds().median() == pytest.approx(1800, rel=0.05)


def test_the_share_of_mated_requests_can_be_set() -> None:
    assert simulated_log(RATES, mated_share=0.9).mated().mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("remaining", [0.0, 0.1])
def test_a_group_stays_away_until_its_moment(remaining: float) -> None:
    frame = simulated_log(RATES, absence=HERE | {"remaining": remaining}, sites=("east gate", "west gate")).frame
    early = frame["at"] < pd.Timestamp(NOON) + timedelta(hours=2)
    south = frame["group"] == "south"
    assert set(frame["site"][early]) == {"north gate"}
    assert set(frame["site"][~early]) == {"east gate", "west gate"}
    assert south[~early].mean() == pytest.approx(0.3, abs=0.02)
    assert south[early].mean() == pytest.approx(0.3 * remaining / (0.7 + 0.3 * remaining), abs=0.01)


def test_a_score_at_the_threshold_is_not_a_match() -> None:
    log = simulated_log(RATES, requests=3)
    frame = log.frame.assign(**{"score:v1": [THRESHOLD, np.nextafter(THRESHOLD, 1), 0.0]})
    assert TrafficLog(frame, log.thresholds).decisions("v1").tolist() == [False, True, False]


def test_a_release_without_scores_is_named() -> None:
    with pytest.raises(DataError, match="no scores of 'v7': it knows v1, v2"):
        simulated_log(RATES, requests=3).decisions("v7")


def test_a_log_that_breaks_the_contract_is_refused() -> None:
    log = simulated_log(RATES, requests=4)
    frame = log.frame
    for broken, sentence in (
        (frame.drop(columns="site"), "lacks the column 'site'"),
        (frame.drop(columns="score:v2"), "lacks the column 'score:v2'"),
        (frame.iloc[:0], "holds no request"),
        (frame.iloc[::-1], "not in order of arrival"),
        (frame.assign(request_id="same"), "a request twice"),
        (frame.assign(at=frame["at"].dt.tz_localize(None)), "'at' of the traffic log has no time zone"),
        (frame.assign(**{"score:v1": np.nan}), "not a number"),
    ):
        with pytest.raises(DataError, match=sentence):
            TrafficLog(broken, log.thresholds)


def test_pairs_that_lack_a_column_or_leave_nobody_to_draw_are_refused() -> None:
    pairs = simulated_pairs(RATES, count=100)
    rest = {"start": NOON, "routing_secret": b"secret", "generator": np.random.default_rng(1)}
    with pytest.raises(DataError, match="lack the column 'score:v3'"):
        build_schedule(pairs, {"v3": 0.1}, Schedule(requests=5), **rest)  # type: ignore[arg-type]
    away = Schedule.model_validate({"requests": 5, "absence": HERE})
    with pytest.raises(DataError, match="No pair is left"):
        build_schedule(pairs[pairs["group"] == "south"], {"v1": 0.1}, away, **rest)  # type: ignore[arg-type]
