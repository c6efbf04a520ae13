"""Numbers, times and missing things as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

NOT_MEASURED: Final = "not measured"
NOT_MEASURABLE: Final = "not measurable"
_ISO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:\d\d)")
TASK_TITLES: Final = {
    "face": "Face or no face",
    "landmarks": "Landmarks",
    "pose": "Head pose",
    "gender": "Gender",
    "smile": "Smile expression",
    "age": "Age",
    "identity": "Identity",
}


@dataclass(frozen=True)
class Shown:
    """A number as shown: its value with the unit, its interval and its note, each empty where there is none."""

    value: str
    interval: str = ""
    note: str = ""


def finite(value: object) -> float | None:
    """``value`` as a float; None where it is missing, no number or not finite."""
    if value is None or isinstance(value, str):
        return None
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None


def scale_of(unit: str) -> tuple[float, int, str]:
    """How numbers of a unit are shown: a factor, digits after the point, and the unit's short form."""
    if unit in ("proportion", "inter-ocular distance"):
        return 100.0, 1, "%" if unit == "proportion" else "% of eye distance"
    if " / " in unit or unit == "ratio":
        return 1.0, 2, ""  # the heading says what is divided by what
    return (1.0, 3, unit) if unit == "average precision" else (1.0, 2, unit)


def direction(values: Mapping[str, Any]) -> str:
    """Which way a stored measurement is better."""
    return "higher is better" if values["higher_is_better"] else "lower is better"


def measurement(values: Mapping[str, Any] | None) -> Shown:
    """A stored measurement as shown; without a value its note says why, e.g. "not labelled"."""
    if values is None:
        return Shown(NOT_MEASURED)
    if values["value"] is None:
        words, _, more = str(values["note"]).partition(": ")
        return Shown(words or NOT_MEASURABLE, note=more)
    factor, digits, unit = scale_of(values["unit"])
    interval = between(values["low"], values["high"], factor, digits)
    return Shown(f"{values['value'] * factor:,.{digits}f} {unit}".rstrip(), interval, values["note"])


def rate(values: Mapping[str, Any] | None) -> Shown:
    """A stored error rate as shown, its counts in the note."""
    if values is None or values["value"] is None:
        return Shown(NOT_MEASURABLE)
    counts = f"{values['errors']:,} of {values['comparisons']:,}"
    return Shown(percent(values["value"], 2), between(values["low"], values["high"], 100.0, 2), counts)


def between(low: float | None, high: float | None, factor: float = 1.0, digits: int = 2) -> str:
    """An interval as shown; empty where an end is missing."""
    if low is None or high is None:
        return ""
    return f"{low * factor:,.{digits}f} to {high * factor:,.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A proportion in percent."""
    return NOT_MEASURABLE if value is None else f"{value * 100:,.{digits}f} %"


def share(value: float) -> str:
    """A share of the traffic in percent, without needless digits: ``5 %``, ``0.5 %``."""
    return f"{value * 100:g} %"


def money(value: float, currency: str) -> str:
    """An amount, the currency first: ``EUR 1,020.00``."""
    return f"{currency} {value:,.2f}".strip()


def many(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: ``1 person``, ``12 people``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def moment(text: str, after: str | None = None) -> str:
    """An ISO time as shown; where ``after`` is a time of the same day, the time of day alone.

    Every time is UTC.
    """
    at = datetime.fromisoformat(text).astimezone(UTC)
    if after is not None and datetime.fromisoformat(after).astimezone(UTC).date() == at.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%B %Y, %H:%M}"


def plain_times(text: str) -> str:
    """A recorded sentence with its ISO times as people read them."""
    return _ISO_TIME.sub(lambda found: f"{moment(found.group())} UTC", text)


def lasting(start: str, end: str) -> str:
    """The time between two ISO times: ``45 min``, ``3 h 20 min``, ``2 days 4 h``."""
    minutes = round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 60)
    hours, left = divmod(minutes, 60)
    if hours >= 48:
        days, rest = divmod(hours, 24)
        return f"{days} days" + (f" {rest} h" if rest else "")
    return (f"{hours} h " if hours else "") + f"{left} min"


def listed(words: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def heading(names: Mapping[str, str], key: str) -> str:
    """A model's heading; a model without one goes by its key, in words."""
    return names.get(key, key.replace("_", " "))
