"""The timeline of a rollout: how much of the traffic it answered, and what the evidence said meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes

from countenance.reporting.plots import BAND, INK, LIMIT, MUTED, SERIES, drawing, finished, panels
from countenance.reporting.rollout_words import is_bootstrap, outcome_of, stage_words

FLOOR: Final = -3.0
"""Evidence below a thousandth is drawn at a thousandth: it all says "none"."""

CEILING: Final = 6.0
"""Evidence above a million is drawn at a million, so that the limits stay readable."""

Look = Mapping[str, Any]


def rollout_plot(story: Mapping[str, Any], *, name: str, heading: str) -> Markup | None:
    """Share, harm and non-inferiority over time; None where nothing was looked at.

    Args:
        story: as :meth:`countenance.rollout.story.RolloutStory.to_dict` tells it.
        name: unique on the page.
        heading: of the candidate.
    """
    looks = [look for look in story["looks"] if look["verdict"]]
    if not looks or is_bootstrap(story):
        return None
    clock, unit = _clock(story)
    with drawing():
        figure, axes = panels(8.6, 6.2, rows=3, sharex=True, height_ratios=(1.3, 1.4, 1.2))
        end = max(clock(looks[-1]["at"]), clock(story["moved_at"]))
        _draw_share(axes[0], story, clock, end)
        _draw_harm(axes[1], looks, clock)
        _draw_non_inferiority(axes[2], looks, clock)
        for axis in axes[1:]:
            _bands(axis, story, clock, end)
        axes[2].set_xlabel(f"{unit} since the rollout began")
        axes[2].set_xlim(0, end * 1.01 if end else 1)
        alt = (
            f"Rollout of {heading} over time: share of the traffic by stage, evidence of harm and of non-inferiority. "
            "The moves are in the table below."
        )
        return finished(figure, name=name, alt=alt)


def _clock(story: Mapping[str, Any]) -> tuple[Callable[[str], float], str]:
    """A function from ISO times to time since the start, and its unit."""
    start = datetime.fromisoformat(story["started_at"])
    times = [story["moved_at"], *(look["at"] for look in story["looks"])]
    longest = max((datetime.fromisoformat(text) - start).total_seconds() for text in times)
    seconds, unit = (86_400, "days") if longest > 3 * 86_400 else (3600, "hours")
    return lambda text: (datetime.fromisoformat(text) - start).total_seconds() / seconds, unit


def _spans(
    story: Mapping[str, Any], clock: Callable[[str], float], end: float
) -> list[tuple[float, float, Mapping[str, Any]]]:
    starts = [clock(moment["at"]) for moment in story["moments"]]
    return list(zip(starts, [*starts[1:], end], story["moments"], strict=True))


def _bands(axis: Axes, story: Mapping[str, Any], clock: Callable[[str], float], end: float) -> None:
    for at, (left, right, _) in enumerate(_spans(story, clock, end)):
        if at % 2:
            axis.axvspan(left, right, color=BAND, linewidth=0, zorder=0)
        axis.axvline(left, color=MUTED, linewidth=0.6, alpha=0.6, zorder=0.5)


def _draw_share(axis: Axes, story: Mapping[str, Any], clock: Callable[[str], float], end: float) -> None:
    spans = _spans(story, clock, end)
    _bands(axis, story, clock, end)
    times = [left for left, _, _ in spans] + [end]
    shares = [moment["share"] * 100 for _, _, moment in spans]
    axis.step(times, [*shares, shares[-1]], where="post", color=SERIES[1], linewidth=2.4)
    axis.fill_between(times, [*shares, shares[-1]], step="post", color=SERIES[1], alpha=0.18, linewidth=0)
    exposed = [value for value, (_, _, moment) in zip(shares, spans, strict=True) if moment["stage"] != "PROMOTED"]
    top = max(10.0, 1.9 * max(exposed, default=0.0))
    axis.set_ylim(0, top)
    axis.set_title("Share of the traffic that it answered, %")
    wide = [span for span in spans if span[1] - span[0] > 0.04 * end]
    for left, right, moment in wide:
        axis.text(
            (left + right) / 2, top * 0.97, stage_words(moment).replace(" at ", "\n"), ha="center", va="top", fontsize=9
        )
    last = story["moments"][-1]
    if last["stage"] in ("PROMOTED", "ROLLED_BACK", "ABORTED", "REJECTED"):
        words = f"{outcome_of(story)[0]} "
        axis.axvline(clock(last["at"]), color=INK, linewidth=1.6)
        axis.text(clock(last["at"]), top * 0.62, words, ha="right", va="center", fontweight="bold", fontsize=9.5)


def _draw_harm(axis: Axes, looks: Sequence[Look], clock: Callable[[str], float]) -> None:
    alpha = looks[-1]["verdict"]["alpha"]
    lines = [("whole traffic", [look["verdict"]["log_harm"] for look in looks], SERIES[0], "-", 2.0)]
    groups = [group["name"] for group in looks[-1]["verdict"]["groups"]]
    if groups:
        lines.append(("any group", [look["verdict"]["log_group_harm"] for look in looks], SERIES[2], "-", 2.4))
    for at, name in enumerate(groups):
        values = [_group(look, name) for look in looks]
        lines.append((f"group {name}", values, SERIES[(3 + at) % 6], ("--", "-.", ":")[at % 3], 1.3))
    _evidence(axis, looks, clock, lines)
    overall, group = alpha["overall_harm"], alpha["group_harm"]
    if group in (0.0, overall):
        _limit(axis, 1 / overall, "stop")
    else:  # the lines lie so near each other that one label must do for both
        axis.axhline(-math.log10(overall), color=SERIES[0], linewidth=1.0, linestyle=(0, (5, 3)))
        _limit(axis, 1 / group, f"stop: whole traffic {1 / overall:.0f}, any group")
    axis.set_title("Evidence of harm (e-value; at the line the rollout is stopped)")


def _group(look: Look, name: str) -> float | None:
    return next((group["log_harm"] for group in look["verdict"]["groups"] if group["name"] == name), None)


def _draw_non_inferiority(axis: Axes, looks: Sequence[Look], clock: Callable[[str], float]) -> None:
    values = [look["verdict"]["log_non_inferiority"] for look in looks]
    _evidence(axis, looks, clock, [("not worse by the margin", values, SERIES[1], "-", 2.2)])
    _limit(axis, 1 / looks[-1]["verdict"]["alpha"]["non_inferiority"], "shown")
    axis.set_title("Evidence that it is not worse (e-value; from the line on it is shown)")


def _evidence(
    axis: Axes,
    looks: Sequence[Look],
    clock: Callable[[str], float],
    lines: Sequence[tuple[str, Sequence[float | None], str, str, float]],
) -> None:
    """Lines of log e-values (natural) on a scale of powers of ten, clipped at both ends."""
    times = [0.0, *(clock(look["at"]) for look in looks)]
    top = 2.4
    for label, values, colour, dash, width in lines:
        tens = [0.0, *(min(CEILING, max(FLOOR, (value or 0.0) / math.log(10))) for value in values)]
        top = max(top, *tens)
        axis.plot(times, tens, color=colour, linestyle=dash, linewidth=width, label=label)
    top = math.ceil(top)
    axis.set_ylim(FLOOR - (1.8 if top > 4 else 1.4), top + 0.4)  # room for the legend
    ticks = [-3, 0, 3, 6] if top > 4 else list(range(int(FLOOR), top + 1))
    axis.set_yticks(ticks, [_power(tick) for tick in ticks])
    axis.legend(loc="lower left", fontsize=8.5, ncols=4)


def _power(tick: int) -> str:
    bound = "≤ " if tick == FLOOR else "≥ " if tick == CEILING else ""
    return f"{bound}{10.0**tick:,.{max(0, -tick)}f}"


def _limit(axis: Axes, limit: float, word: str) -> None:
    axis.axhline(math.log10(limit), color=LIMIT, linewidth=1.4, linestyle=(0, (6, 3)))
    axis.text(
        0.005,
        math.log10(limit),
        f"{word}: {limit:,.0f}",
        transform=axis.get_yaxis_transform(),
        ha="left",
        va="bottom",
        color=LIMIT,
        fontsize=9,
    )
