"""What every assessment hands back: frozen results that turn into plain JSON types."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from countenance.errors import AssessmentError

NOT_LABELLED = "not labelled"


@dataclass(frozen=True)
class Result:
    """Base of every result: ``to_dict`` gives types that JSON can carry, with None for what is missing.

    ``from_dict`` reads them back, for results that hold no arrays.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain dicts, lists, numbers, texts and None.

        Raises:
            AssessmentError: a number is not finite; JSON has no word for it.
        """
        return {field.name: plain(getattr(self, field.name), where=field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what ``to_dict`` wrote, results within results included.

        Raises:
            AssessmentError: a key is missing or unknown, or a value is of the wrong kind.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise AssessmentError(
                f"A stored {cls.__name__} does not fit at '{place}' ({first['msg']}): write it again."
            ) from error


def plain(value: object, *, where: str = "the value") -> Any:
    """Turn ``value`` into plain JSON types.

    Raises:
        AssessmentError: a number is not finite, or the type has no JSON form.
    """
    if isinstance(value, Result):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), where=field.name) for field in fields(value)}
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), where=where)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise AssessmentError(f"The number in '{where}' is {value}, which JSON cannot carry: use None.")
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where=where) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise AssessmentError(f"A {type(value).__name__} in '{where}' has no plain JSON form: convert it first.")


def optional_float(value: object) -> float | None:
    """Return ``value`` as a float, or None where it is None or not a number."""
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    return None if math.isnan(number) else number


@dataclass(frozen=True)
class Measurement(Result):
    """One measured number with its interval.

    Attributes:
        value: the number, or None where nothing could be measured; ``note`` then says why.
        low: lower end of the interval, or None where there is none.
        high: upper end of the interval, or None where there is none.
        count: how many photos or comparisons the number rests on.
        unit: e.g. "proportion", "years", "degrees", "inter-ocular distances".
        higher_is_better: True for an accuracy, False for an error or a cost.
        note: what a reader must know, e.g. "not labelled"; empty where there is nothing to say.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    unit: str
    higher_is_better: bool
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise AssessmentError(f"A measurement's {name} is {number}: use None for what is missing.")
        if self.value is None and not self.note:
            raise AssessmentError("A measurement without a value has no note: say why nothing was measured.")

    @classmethod
    def missing(cls, unit: str, *, higher_is_better: bool, note: str = NOT_LABELLED) -> Measurement:
        """Return the measurement of something that could not be measured; ``note`` says why."""
        return cls(None, None, None, 0, unit, higher_is_better, note)
