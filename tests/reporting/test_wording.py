import math

import pytest

from countenance.reporting.wording import (
    Shown,
    finite,
    heading,
    lasting,
    listed,
    many,
    measurement,
    moment,
    money,
    plain_times,
    rate,
    share,
)


def stored(value: float | None, unit: str, note: str = "") -> dict[str, object]:
    ends = (None, None) if value is None else (value * 0.9, value * 1.1)
    return {
        "value": value,
        "low": ends[0],
        "high": ends[1],
        "count": 9,
        "unit": unit,
        "higher_is_better": True,
        "note": note,
    }


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (stored(0.5, "proportion"), Shown("50.0 %", "45.0 to 55.0")),
        (stored(0.05, "inter-ocular distance"), Shown("5.0 % of eye distance", "4.5 to 5.5")),
        (
            stored(1234.5, "EUR per 1,000 transactions"),
            Shown("1,234.50 EUR per 1,000 transactions", "1,111.05 to 1,357.95"),
        ),
        (stored(2.0, "worst / mean", "over 2 groups"), Shown("2.00", "1.80 to 2.20", "over 2 groups")),
        (stored(None, "years", "not labelled"), Shown("not labelled")),
        (stored(None, "years", "not measurable: too few"), Shown("not measurable", "", "too few")),
        (None, Shown("not measured")),
    ],
)
def test_a_measurement_reads_with_its_unit_or_says_why_it_is_missing(
    values: dict[str, object] | None, shown: Shown
) -> None:
    assert measurement(values) == shown


def test_a_rate_carries_its_counts() -> None:
    values = {"errors": 3, "comparisons": 1200, "subjects": 9, "value": 0.0025, "low": 0.001, "high": 0.006}
    assert rate(values) == Shown("0.25 %", "0.10 to 0.60", "3 of 1,200")
    assert rate({**values, "value": None}) == rate(None) == Shown("not measurable")


def test_what_is_no_number_is_told_apart() -> None:
    assert finite(3) == 3.0 and finite(True) == 1.0
    assert [finite(value) for value in (None, "3", math.nan, math.inf)] == [None] * 4


def test_a_time_of_the_same_day_drops_the_date_and_every_time_is_utc() -> None:
    assert moment("2025-03-01T12:05:09+00:00") == "1 March 2025, 12:05"
    assert moment("2025-03-01T12:05:00+00:00", after="2025-03-01T01:00:00+00:00") == "12:05"
    assert moment("2025-03-02T00:05:00+00:00", after="2025-03-01T23:00:00+00:00") == "2 March 2025, 00:05"
    assert moment("2025-03-01T01:00:00+02:00") == "28 February 2025, 23:00"


def test_times_within_a_sentence_read_as_times() -> None:
    assert plain_times("until 2026-12-21T22:57:00.132312+00:00 (why)") == "until 21 December 2026, 22:57 UTC (why)"
    assert plain_times("TAR 0.99, 12 of 20") == "TAR 0.99, 12 of 20"


@pytest.mark.parametrize(
    ("end", "words"),
    [("01T12:45", "45 min"), ("01T15:20", "3 h 20 min"), ("03T16:00", "2 days 4 h"), ("04T12:00", "3 days")],
)
def test_a_time_span_is_told_in_the_units_that_matter(end: str, words: str) -> None:
    assert lasting("2025-03-01T12:00:00+00:00", f"2025-03-{end}:00+00:00") == words


def test_counts_shares_money_and_lists_read_as_words() -> None:
    assert many(1, "person", "people") == "1 person" and many(1200, "person", "people") == "1,200 people"
    assert (share(0.05), share(0.005), share(1.0)) == ("5 %", "0.5 %", "100 %")
    assert money(1020, "EUR") == "EUR 1,020.00"
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert heading({"a_b": "first"}, "a_b") == "first" and heading({}, "a_b") == "a b"
