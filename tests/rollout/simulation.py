"""Simulated traffic of two groups, in which every release errs at rates of our choosing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from countenance.rollout.traffic import Schedule, TrafficLog, build_schedule

from .scenes import GROUPS, NOON

THRESHOLD = 0.35


def simulated_pairs(
    error_rates: Mapping[str, Mapping[str, float]], *, seed: int = 7, count: int = 6000
) -> pd.DataFrame:
    """Pairs whose releases err with the given rates: release -> group -> rate."""
    generator = np.random.default_rng(seed)
    group = generator.choice(np.array(GROUPS, dtype=object), size=count, p=(0.7, 0.3))
    mated = generator.random(count) < 0.5
    pairs = {"subject": [f"subject-{number % 1500}" for number in range(count)], "mated": mated, "group": group}
    for release, by_group in error_rates.items():
        rates = np.array([by_group[name] for name in group])
        match = mated ^ (generator.random(count) < rates)
        pairs[f"score:{release}"] = np.where(match, THRESHOLD + 0.2, THRESHOLD - 0.2)
    return pd.DataFrame(pairs)


def simulated_log(
    error_rates: Mapping[str, Mapping[str, float]], *, seed: int = 7, start: datetime = NOON, **schedule: object
) -> TrafficLog:
    return build_schedule(
        simulated_pairs(error_rates, seed=seed),
        dict.fromkeys(error_rates, THRESHOLD),
        Schedule.model_validate({"requests": 9_000, "label_delay_median": "PT6M", "never_labelled": 0.05} | schedule),
        start=start,
        routing_secret=b"the routing secret",
        generator=np.random.default_rng(seed),
    )


def everywhere(rate: float) -> dict[str, float]:
    return dict.fromkeys(GROUPS, rate)
