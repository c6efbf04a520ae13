"""What many outcomes say together: rates and means, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.simulation.arms import Arm
from countenance.rollout.simulation.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Rate:
    """``count`` of ``of``, and the Clopper-Pearson interval of the chance behind it."""

    count: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The observed share."""
        return self.count / self.of

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"share": self.share}


def rate(count: int, of: int, *, level: float = 0.95) -> Rate:
    """A share with its exact interval (Clopper & Pearson, "The use of confidence or fiducial limits", 1934).

    Args:
        count: how often it happened.
        of: of how many, 1 or more.
        level: of the interval, two-sided; it covers at least that often.

    Raises:
        RolloutError: nothing was counted.
    """
    from scipy.stats import beta

    if of < 1:
        raise RolloutError("A rate of no repetitions has no value: simulate at least one.")
    half = (1 - level) / 2
    low = 0.0 if count == 0 else float(beta.ppf(half, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(1 - half, count + 1, of - count))
    return Rate(count=count, of=of, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A quantity over repetitions: its mean with an interval, and its 10 %, 50 % and 90 % quantiles.

    ``low`` and ``high`` are None where one value alone gives no interval.
    """

    of: int
    mean: float
    low: float | None
    high: float | None
    q10: float
    median: float
    q90: float


def amount(values: Sequence[float], *, level: float = 0.95) -> Amount | None:
    """The mean with Student's interval, and quantiles; None for no values."""
    from scipy.stats import t

    if not values:
        return None
    numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    mean, count = float(numbers.mean()), len(numbers)
    half = None if count < 2 else float(t.ppf((1 + level) / 2, count - 1) * numbers.std(ddof=1) / math.sqrt(count))
    q10, median, q90 = (float(value) for value in np.quantile(numbers, (0.1, 0.5, 0.9)))
    return Amount(
        of=count,
        mean=mean,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        q10=q10,
        median=median,
        q90=q90,
    )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One policy in one arm over all repetitions.

    Attributes:
        promoted, stopped, undecided: how the repetitions ended; ``harm``: stopped because harm was shown. In the arm
            ``null`` a stop is a false rollback, in ``worse`` a promotion is a false promotion.
        exposed: at least one request was answered by the candidate.
        stop_hours, stop_requests: from the start to the stop, of those stopped; in ``worse`` the detection delay.
        promotion_hours: from the start to the promotion, of those promoted.
        people, requests: exposed. ``money``: the price of the candidate's wrong answers to the exposed;
            ``money_beyond``: less that of those the champion would have given. ``minutes``: an operator's.
    """

    policy: str
    arm: str
    words: str
    repetitions: int
    promoted: Rate
    stopped: Rate
    harm: Rate
    undecided: Rate
    exposed: Rate
    stop_hours: Amount | None
    stop_requests: Amount | None
    promotion_hours: Amount | None
    people: Amount
    requests: Amount
    money: Amount
    money_beyond: Amount
    minutes: Amount

    @property
    def error(self) -> Rate | None:
        """The rate of the wrong verdict: of false rollbacks or false promotions; None in the arm ``logged``."""
        return {"null": self.stopped, "worse": self.promoted}.get(self.arm)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        values = asdict(self)
        for name in ("promoted", "stopped", "harm", "undecided", "exposed"):
            values[name] = getattr(self, name).to_dict()
        return values


def summarise(policy: str, arm: Arm, outcomes: Sequence[Outcome], *, level: float = 0.95) -> Summary:
    """Put the outcomes of one policy in one arm together.

    Raises:
        RolloutError: there is no outcome.
    """
    count = len(outcomes)
    stopped = [outcome for outcome in outcomes if outcome.ending == "stopped"]
    promoted = [outcome for outcome in outcomes if outcome.ending == "promoted"]

    def share(happened: int) -> Rate:
        return rate(happened, count, level=level)

    def of_all(name: str) -> Amount:
        found = amount([getattr(outcome, name) for outcome in outcomes], level=level)
        assert found is not None
        return found

    return Summary(
        policy=policy,
        arm=arm.name,
        words=arm.words,
        repetitions=count,
        promoted=share(len(promoted)),
        stopped=share(len(stopped)),
        harm=share(sum(outcome.by_harm for outcome in stopped)),
        undecided=share(count - len(promoted) - len(stopped)),
        exposed=share(sum(outcome.exposed_requests > 0 for outcome in outcomes)),
        stop_hours=amount([outcome.hours for outcome in stopped], level=level),
        stop_requests=amount([float(outcome.requests) for outcome in stopped], level=level),
        promotion_hours=amount([outcome.hours for outcome in promoted], level=level),
        people=of_all("exposed_people"),
        requests=of_all("exposed_requests"),
        money=of_all("money"),
        money_beyond=of_all("money_beyond"),
        minutes=of_all("minutes"),
    )
