"""A report on pairs as lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

from countenance.commands.report_output import counted, failure_line, percent, table, verification_lines

_WIDTH: Final = 116
_NOTHING: Final = "-"


def pair_lines(report: Mapping[str, Any]) -> list[str]:
    """The lines that tell a report on pairs.

    Args:
        report: as ``PairReport.to_dict`` gives it.
    """
    protocol, options = report["protocol"], report["options"]
    flip = {"sum": "added", "first": "left away", None: "none given"}[options["flip"]]
    lines = [
        f"{protocol['name']}: {protocol['pairs']:,} pairs ({protocol['mated_pairs']:,} mated) of "
        f"{protocol['photos']:,} photos in {counted(protocol['folds'], 'folds')}; mirror images: {flip}",
        *([f"Model: {report['model']}"] if report["model"] else []),
        failure_line(report["failures"]),
        "",
        *_accuracy(report["accuracy"], options["level"]),
        "",
        *verification_lines(report["verification"], options["level"]),
    ]
    if report["groups"]:
        lines += ["", *_groups(report["groups"], report["common_threshold"], options["level"])]
    return [*lines, "", *textwrap.wrap(report["note"], _WIDTH)]


def _accuracy(accuracy: Mapping[str, Any], level: float) -> list[str]:
    if accuracy["mean"] is None:
        return [f"Accuracy over folds: {accuracy['note']}"]
    rows = [
        [f"fold {number + 1}", percent(share), f"{threshold:.4f}"]
        for number, share, threshold in zip(accuracy["folds"], accuracy["by_fold"], accuracy["thresholds"], strict=True)
    ]
    told = f"Accuracy over folds: {percent(accuracy['mean'])}"
    if accuracy["low"] is not None:
        told += f" ({100 * level:g} % interval {_interval(accuracy)})"
    lines = [told, *table(["", "accuracy", "threshold"], rows)]
    return [*lines, *textwrap.wrap(f"{accuracy['note']}.", _WIDTH)] if accuracy["note"] else lines


def _groups(groups: Mapping[str, Any], common: Mapping[str, Any], level: float) -> list[str]:
    titles = ["group", "pairs", "mated", "accuracy", f"{100 * level:g} % interval"]
    titles += ["FMR", "interval", "of non-mated", "FNMR", "interval", "of mated"]
    rows, notes = [], []
    for name, group in groups.items():
        accuracy = group["accuracy"]
        row = [name, f"{group['pairs']:,}", f"{group['mated_pairs']:,}", percent(accuracy["mean"]), _interval(accuracy)]
        rows.append([*row, *_rate(group["fmr"]), *_rate(group["fnmr"])])
        if accuracy["note"]:
            notes += textwrap.wrap(f"Accuracy of {name}: {accuracy['note']}.", _WIDTH)
    if common["threshold"] is None:
        told = f"no common threshold, since FAR {common['far']:g} of all pairs is not measurable"
    else:
        told = f"errors at the threshold of FAR {common['far']:g} of all pairs, {common['threshold']:.4f}"
    return [f"By group: accuracy at thresholds of its own; {told}.", *table(titles, rows), *notes]


def _rate(rate: Mapping[str, Any] | None) -> list[str]:
    if rate is None or rate["value"] is None:
        return [_NOTHING] * 3
    return [percent(rate["value"]), _interval(rate), f"{rate['errors']:,} of {rate['comparisons']:,}"]


def _interval(measured: Mapping[str, Any]) -> str:
    return _NOTHING if measured["low"] is None else f"{100 * measured['low']:.2f} to {100 * measured['high']:.2f}"
