"""The arms of a simulation: what is true of the candidate in each, put into resampled traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.simulation.log import DecisionLog

LOGGED: Final = "logged"
LEVEL: Final = "null"
WORSE: Final = "worse"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What is true of the candidate.

    ``logged``: its decisions as they were; nobody knows whether it is worse. ``null``: for every person a coin says
    which model's decisions count as the candidate's, so it is exactly as good as the champion, in every group, and the
    two disagree as often as they did. ``worse``: the same, and then correct decisions are made wrong, so that its
    error rate is higher by ``worse`` (0 to 1) in all traffic, or in ``group`` alone.
    """

    name: str
    worse: float = 0.0
    group: str | None = None

    @property
    def known(self) -> bool:
        """Whether it is known if the candidate is worse."""
        return self.name != LOGGED

    @property
    def words(self) -> str:
        """The arm in a few words."""
        if self.name == LOGGED:
            return "as logged"
        if self.name == LEVEL:
            return "no worse"
        where = "" if self.group is None else f" in '{self.group}'"
        return f"worse by {100 * self.worse:g} pp{where}"


def check_arm(arm: Arm, log: DecisionLog) -> None:
    """Refuse an arm that the log cannot give.

    Raises:
        RolloutError: the group isn't in the log, or there aren't so many correct decisions to make wrong.
    """
    if arm.group is not None and arm.group not in log.groups:
        known = f"it knows {', '.join(log.groups)}" if log.groups else "it names no group"
        raise RolloutError(f"The log holds nobody of group '{arm.group}': {known}.")
    if arm.worse > 0 and _chance(arm, log) > 1:
        raise RolloutError(
            f"The candidate cannot be worse by {100 * arm.worse:g} pp: too few of its decisions are correct; give a "
            "smaller --worse."
        )


class Resampler:
    """Draws traffic of the log's people anew: whole people with replacement, each request at its own time.

    Args:
        log: what was seen.
        requests: how many requests to make; None: about as many as the log holds. Beyond one length of the log, the
            people drawn for the next length come after it on the clock.
    """

    def __init__(self, log: DecisionLog, requests: int | None = None) -> None:
        self._log, self._requests = log, requests
        self._rows = np.argsort(log.person, kind="stable")
        self._counts = np.bincount(log.person, minlength=len(log.keys))
        self._firsts = np.cumsum(self._counts) - self._counts
        gap = (log.at[-1] - log.at[0]) // max(len(log) - 1, 1)
        self._length = log.at[-1] - log.at[0] + gap

    def draw(self, generator: np.random.Generator) -> DecisionLog:
        """Resampled traffic in order of arrival; a person drawn twice is two people."""
        parts: list[NDArray[np.intp]] = []
        people: list[NDArray[np.int64]] = []
        lengths = drawn = 0
        wanted = self._requests
        while not parts or (wanted is not None and drawn < wanted):
            rows, person = self._pass(generator)
            parts.append(rows)
            people.append(person + lengths * len(self._counts))
            drawn, lengths = drawn + len(rows), lengths + 1
        shifts = np.repeat(np.arange(lengths), [len(rows) for rows in parts]) * self._length
        rows, person = np.concatenate(parts)[:wanted], np.concatenate(people)[:wanted]
        shifts = shifts[:wanted]
        log = self._log
        return log.rows(rows, person=person, at=log.at[rows] + shifts, label_at=log.label_at[rows] + shifts)

    def _pass(self, generator: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        people = len(self._counts)
        chosen = generator.integers(people, size=people)
        counts = self._counts[chosen]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        rows = self._rows[np.repeat(self._firsts[chosen], counts) + within]
        order = np.argsort(rows, kind="stable")  # the log is in order of arrival, so rows are moments
        return rows[order], np.repeat(np.arange(people), counts)[order]


def applied(arm: Arm, traffic: DecisionLog, log: DecisionLog, generator: np.random.Generator) -> DecisionLog:
    """``traffic`` (drawn from ``log``) with what is true in ``arm`` put in.

    Asked with generators of one seed, two arms toss the same coins for the same people.
    """
    if arm.name == LOGGED:
        return traffic
    candidate, champion = _exchanged(traffic, generator)
    if arm.worse > 0:
        candidate = _worsened(arm, traffic, candidate, log, generator)
    return traffic.rows(np.arange(len(traffic)), candidate_match=candidate, champion_match=champion)


def _exchanged(traffic: DecisionLog, generator: np.random.Generator) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Both models' decisions, after a coin for every person said who is who."""
    tails = generator.random(int(traffic.person.max()) + 1) < 0.5
    both = (traffic.candidate_match >= 0) & (traffic.champion_match >= 0)
    swapped = tails[traffic.person] & both
    return (
        np.where(swapped, traffic.champion_match, traffic.candidate_match),
        np.where(swapped, traffic.candidate_match, traffic.champion_match),
    )


def _worsened(
    arm: Arm, traffic: DecisionLog, candidate: NDArray[np.int8], log: DecisionLog, generator: np.random.Generator
) -> NDArray[np.int8]:
    drawn = generator.random(len(traffic))
    known = traffic.mated >= 0
    # Where nobody knows the truth a changed decision still counts as disagreement, at the rate of the others.
    wrong = np.where(known, drawn < _chance(arm, log), drawn < arm.worse)
    wrong &= (candidate >= 0) & _affected(arm, traffic) & (~known | (candidate == traffic.mated))
    return np.where(wrong, 1 - candidate, candidate).astype(np.int8)


def _affected(arm: Arm, log: DecisionLog) -> NDArray[np.bool_]:
    if arm.group is None:
        return np.ones(len(log), dtype=np.bool_)
    return np.asarray(log.group == log.groups.index(arm.group))


def _chance(arm: Arm, log: DecisionLog) -> float:
    """The chance of making a correct decision wrong that raises the error rate by ``arm.worse``."""
    affected = _affected(arm, log)
    both = affected & (log.mated >= 0) & (log.candidate_match >= 0) & (log.champion_match >= 0)
    if not both.any():
        return float("inf")
    truth = log.mated[both]
    rate = ((log.candidate_match[both] != truth).mean() + (log.champion_match[both] != truth).mean()) / 2
    return arm.worse / (1 - float(rate)) if rate < 1 else float("inf")
