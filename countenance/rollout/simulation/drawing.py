"""Plots of a simulation: how rollouts ended, how long the verdict took, and how many people were exposed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from countenance.rollout.simulation.outcome import Outcome
from countenance.rollout.simulation.rates import Summary

Draw = Callable[[Axes], None]

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_DASHES: Final = {"logged": ":", "null": "-", "worse": "--"}
_ENDINGS: Final = (
    ("promoted", "#009e73", "white"),
    ("stopped", "#d55e00", "white"),
    ("undecided", "#c8c8c8", "#1b1b1b"),
)
_LEAST_LABELLED: Final = 0.06
"""A part of a bar that is smaller than this has no room for its percentage."""


def simulation_plots(
    summaries: Sequence[Summary], outcomes: Mapping[tuple[str, str], Sequence[Outcome]]
) -> dict[str, Draw | None]:
    """What draws each plot, by file name.

    Args:
        summaries: one a policy and arm, those of a policy together.
        outcomes: by policy and arm.
    """
    return {
        "outcomes": lambda axis: _outcomes(axis, summaries),
        "time_to_verdict": lambda axis: _time_to_verdict(axis, summaries, outcomes),
        "people_exposed": lambda axis: _people(axis, summaries),
    }


def _outcomes(axis: Axes, summaries: Sequence[Summary]) -> None:
    places = np.arange(len(summaries))[::-1]
    left = np.zeros(len(summaries))
    for name, colour, ink in _ENDINGS:
        shares = np.array([getattr(summary, name).share for summary in summaries])
        axis.barh(places, shares, left=left, height=0.62, color=colour, label=name)
        for place, start, share in zip(places, left, shares, strict=True):
            if share >= _LEAST_LABELLED:
                axis.text(start + share / 2, place, _percent(share), ha="center", va="center", color=ink, fontsize=9)
        left += shares
    _rows(axis, summaries, places)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axis.set_xlabel("share of repetitions")
    axis.set_title("How the rollouts ended", pad=26)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2)


def _time_to_verdict(
    axis: Axes, summaries: Sequence[Summary], outcomes: Mapping[tuple[str, str], Sequence[Outcome]]
) -> None:
    last = 0.0
    colours = _colour_of(summaries)
    # Lines that lie on each other stay visible: each policy's are thinner than those drawn before.
    widths = dict(zip(colours, np.linspace(3.4, 1.6, len(colours)), strict=True)) if len(colours) > 1 else {}
    for summary in summaries:
        found = outcomes[summary.policy, summary.arm]
        hours = np.sort([outcome.hours for outcome in found if outcome.ending != "undecided"])
        waiting = 1 - np.arange(1, len(hours) + 1) / len(found)
        last = max(last, float(hours[-1]) if len(hours) else 0.0)
        axis.step(
            np.concatenate([[0], hours, [1e9]]),
            np.concatenate([[1], waiting, [waiting[-1] if len(waiting) else 1]]),
            where="post",
            color=colours[summary.policy],
            linestyle=_DASHES[summary.arm],
            linewidth=widths.get(summary.policy, 2.2),
            label=_label(summary),
        )
    axis.set_xlim(0, last * 1.08 if last else 1)
    axis.set_ylim(-0.02, 1.04)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axis.set_xlabel("hours since the rollout began")
    arms = len(summaries) // len(colours)
    # Columns fill up first, so that each holds one policy.
    axis.set_title("Rollouts still without a verdict", pad=8 + 15 * arms)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(colours), 3), fontsize=8.5, borderaxespad=0.2)


def _people(axis: Axes, summaries: Sequence[Summary]) -> None:
    places = np.arange(len(summaries))[::-1]
    colours = _colour_of(summaries)
    most = max(summary.people.q90 for summary in summaries)
    for place, summary in zip(places, summaries, strict=True):
        people, colour = summary.people, colours[summary.policy]
        axis.plot(
            [people.q10, people.q90], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="round"
        )
        axis.plot([people.median], [place], "o", color=colour, markersize=8)
        axis.text(people.median, place + 0.22, f"{people.median:,.0f}", ha="center", va="bottom", fontsize=9)
    _rows(axis, summaries, places)
    axis.set_xlim(-0.03 * (most or 1), 1.08 * (most or 1))
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlabel("people; dot: median, line: 10 % to 90 % of repetitions")
    axis.set_title("People answered by the candidate before the verdict")


def _rows(axis: Axes, summaries: Sequence[Summary], places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    axis.set_yticks(places, [_label(summary) for summary in summaries])
    axis.set_ylim(-0.6, len(summaries) - 0.2)
    axis.grid(visible=False, axis="y")


def _colour_of(summaries: Sequence[Summary]) -> dict[str, str]:
    names = dict.fromkeys(summary.policy for summary in summaries)
    return {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}


def _label(summary: Summary) -> str:
    return f"{summary.policy}, {summary.words}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
