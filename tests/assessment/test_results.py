import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from countenance.assessment.results import Measurement, Result, optional_float
from countenance.errors import AssessmentError


@dataclass(frozen=True, eq=False)
class Nested(Result):
    array: np.ndarray
    inner: Measurement
    when: datetime
    pairs: dict


def test_a_result_becomes_json_and_a_measurement_comes_back_from_it():
    measurement = Measurement(0.5, None, 0.75, 4, "proportion", True, "")
    nested = Nested(np.array([1.0, 2.0]), measurement, datetime(2030, 1, 2, tzinfo=UTC), {"a": np.float32(0.5)})
    written = json.loads(json.dumps(nested.to_dict(), allow_nan=False))
    assert written["array"] == [1.0, 2.0]
    assert written["when"] == "2030-01-02T00:00:00+00:00"
    assert written["pairs"] == {"a": 0.5}
    assert written["inner"]["low"] is None
    assert Measurement.from_dict(written["inner"]) == measurement


def test_a_number_that_json_cannot_carry_is_refused_by_name():
    nested = Nested(
        np.array([1.0, np.nan]), Measurement.missing("years", higher_is_better=False), datetime.now(UTC), {}
    )
    with pytest.raises(AssessmentError, match="'array' is nan"):
        nested.to_dict()


def test_a_type_without_a_json_form_is_refused_by_name():
    nested = Nested(
        np.array([]), Measurement.missing("years", higher_is_better=False), datetime.now(UTC), {"a": {1, 2}}
    )
    with pytest.raises(AssessmentError, match="set in 'pairs.a'"):
        nested.to_dict()


@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_a_measurement_never_holds_nan(field: str):
    numbers = {"value": 0.5, "low": 0.4, "high": 0.6, field: float("nan")}
    with pytest.raises(AssessmentError, match=f"{field} is nan"):
        Measurement(**numbers, count=3, unit="years", higher_is_better=False)


def test_a_measurement_without_a_value_must_say_why():
    with pytest.raises(AssessmentError, match="say why"):
        Measurement(None, None, None, 0, "years", False)
    assert Measurement.missing("years", higher_is_better=False).note == "not labelled"


def test_an_optional_float_is_none_for_none_and_nan():
    assert optional_float(None) is None
    assert optional_float(float("nan")) is None
    assert optional_float(np.float32(0.5)) == 0.5


def test_a_stored_result_that_does_not_fit_is_refused_by_its_place():
    stored = Measurement(0.5, None, 0.75, 4, "proportion", True).to_dict()
    with pytest.raises(AssessmentError, match="stored Measurement does not fit at 'colour'"):
        Measurement.from_dict(stored | {"colour": "red"})
    with pytest.raises(AssessmentError, match="at 'count'"):
        Measurement.from_dict({name: value for name, value in stored.items() if name != "count"})
