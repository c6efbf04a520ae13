"""Means over seeds and their differences as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from countenance.reporting.wording import NOT_MEASURABLE, Shown, between, percent


def seeded(found: Mapping[str, Any]) -> Shown:
    """A mean over seeds as shown: in percent, its interval, and each seed's value."""
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    return Shown(percent(found["value"]), between(found["low"], found["high"], 100.0, 1), _by_seed(found, "{:.1f}"))


def gained(found: Mapping[str, Any]) -> Shown:
    """A difference as shown: in points with its sign; a ratio says how many times."""
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    if found["unit"] == "ratio":
        return Shown(f"{found['value']:.2f} times", between(found["low"], found["high"]))
    ends = ""
    if found["low"] is not None and found["high"] is not None:
        ends = f"{found['low'] * 100:+.1f} to {found['high'] * 100:+.1f}"
    return Shown(f"{found['value'] * 100:+.1f} points", ends, _by_seed(found, "{:+.1f}"))


def told_apart(found: Mapping[str, Any]) -> int:
    """1 where the whole interval lies above zero, -1 where it lies below, 0 where it holds zero or isn't."""
    if found["low"] is None or found["high"] is None:
        return 0
    return 1 if found["low"] > 0 else -1 if found["high"] < 0 else 0


def _by_seed(found: Mapping[str, Any], form: str) -> str:
    if len(found["by_seed"]) < 2:
        return ""
    values = [NOT_MEASURABLE if value is None else form.format(value * 100) for value in found["by_seed"]]
    return f"by seed: {', '.join(values)}"
