"""The picture of ``countenance bench rollout --plot``: the share of histories stopped, as requests come in."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from countenance.reporting.plot_files import LINES
from countenance.reporting.plots import drawing, panels
from countenance.rollout.statistics.benchmark import Measured
from countenance.rollout.statistics.trial_list import BenchmarkSize
from countenance.storage import write_aside

_TESTS = (
    (
        "Between arms",
        "requests an arm",
        (("arms", "e-process"), ("z-test at every look", "z-test at every look")),
        0.38,
    ),
    ("On pairs", "requests both models score", (("paired", "e-process"),), 0.1),
)
"""A panel each: title, unit, tests with what they are called, and how high the legend lies, clear of the lines."""
_INK, _GREY, _PALE = "#1b1b1b", "#5f5f5f", "#dcdcdc"


def write_plot(size: BenchmarkSize, measured: tuple[Measured, ...], path: Path) -> None:
    """Draw harm trials between arms and on pairs, with alpha as a line; written aside, then renamed, as PNG."""
    with drawing():
        figure, axes = panels(9.0, 3.6, columns=2, sharey=True)
        figure.set_facecolor("white")
        for axis, (title, unit, tests, height) in zip(axes, _TESTS, strict=True):
            colours = iter(LINES)
            for test, name in tests:
                for trial in (each for each in measured if each.test == test and each.asks == "harm"):
                    _draw(axis, size, trial, f"{name}: {trial.truth}", next(colours))
            axis.axhline(100 * size.alpha, color=_GREY, linewidth=1, linestyle=":")
            axis.annotate(
                f"alpha {size.alpha:.0%}",
                (size.most, 100 * size.alpha),
                (0, 3),
                textcoords="offset points",
                ha="right",
                color=_GREY,
                fontsize=8,
            )
            axis.set(title=title, xlabel=unit, xlim=(0, size.most), ylim=(0, 102))
            axis.tick_params(colors=_INK)
            axis.grid(color=_PALE)
            for spine in axis.spines.values():
                spine.set_color(_GREY)
            axis.xaxis.label.set_color(_INK)
            axis.yaxis.label.set_color(_INK)
            axis.title.set_color(_INK)
            axis.legend(fontsize=7.5, labelcolor=_INK, loc="lower right", bbox_to_anchor=(1, height))
        axes[0].set_ylabel("histories called harmful so far, %")
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110, metadata={"Software": None})
    with write_aside(path) as aside:
        aside.write_bytes(drawn.getvalue())


def _draw(axis: Axes, size: BenchmarkSize, trial: Measured, label: str, colour: str) -> None:
    requests = size.look * np.arange(len(trial.by_look) + 1)
    shares = [0.0, *(100 * share for share in trial.by_look)]
    axis.plot(requests, shares, color=colour, label=label, linestyle="--" if trial.wrong else "-", linewidth=1.6)
