"""A dry run in words and as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from countenance.data.dry_run import TASKS, DryRun

_GROUPS_NAMED: Final = 8
_FEW_TO_JUDGE: Final = 20


def as_text(found: DryRun) -> str:
    """Several lines for a terminal: counts, labels, what is left out, problems, and whether an import would stop."""
    lines = [
        f"{found.source}: {_many(found.photos, 'photo')}, {_many(found.faces, 'face')}, "
        f"{_many(found.subjects, 'named subject')}",
        f"licence: {found.license}; purpose: {found.purpose}",
        "",
        *_table(("labelled for", "faces", "share"), [_coverage_row(found, task) for task in TASKS]),
    ]
    lines += [f"{attribute}: {_listed(groups, _GROUPS_NAMED)}" for attribute, groups in found.groups.items()]
    if found.left_out:
        lines += ["", f"left out on purpose: {_listed(found.left_out)}"]
    lines += [
        line
        for line in (_agreement("yaw", found.yaw_agreement), _agreement("roll", found.roll_agreement))
        if line is not None
    ]
    lines += ["", *_problem_lines(found), "", _verdict(found)]
    return "\n".join(lines)


def as_values(found: DryRun) -> dict[str, Any]:
    """Plain values for JSON; every task with its count and its share of the faces."""
    shares = {task: {"faces": count, "share": count / max(found.faces, 1)} for task, count in found.coverage.items()}
    verdict = {"corrupt_share": found.corrupt_share, "would_stop": found.would_stop}
    return {**asdict(found), "coverage": shares, **verdict}


def _coverage_row(found: DryRun, task: str) -> tuple[str, str, str]:
    count = found.coverage[task]
    return task, f"{count:,}", _percent(count, found.faces) if count else "not labelled"


def _problem_lines(found: DryRun) -> list[str]:
    counted = f"{_many(found.photos, 'photo')} read, {found.decoded:,} of them decoded"
    if not found.reasons:
        return [f"no problem found ({counted})"]
    lines = [f"problems ({counted}): {_listed(found.reasons)}"]
    rows = [(problem.photo, problem.reason, problem.detail) for problem in found.problems]
    return [*lines, *_table(("photo", "reason", "detail"), rows, right=())]


def _verdict(found: DryRun) -> str:
    estimate = "" if found.decoded == found.photos else ", estimated from the decoded photos"
    corrupt = (
        f"{found.corrupt_share:.2%} of the photos are corrupt{estimate} (at most {found.largest_share:.2%} may be)"
    )
    verdict = "would stop" if found.would_stop else "would go through"
    return f"an import {verdict}: {corrupt}; {found.seconds:.1f} s"


def _agreement(angle: str, agreement: tuple[int, int]) -> str | None:
    """One line where there are faces enough to tell whether an angle has the sign that landmarks show."""
    agreeing, considered = agreement
    if considered < _FEW_TO_JUDGE:
        return None
    line = (
        f"{angle} agrees with the landmarks in {_percent(agreeing, considered)} of {_many(considered, 'turned face')}"
    )
    return line if 2 * agreeing > considered else f"{line}: CHECK ITS SIGN"


def _listed(counts: Mapping[str, int], most: int | None = None) -> str:
    named = list(counts.items())[:most]
    rest = len(counts) - len(named)
    return ", ".join(f"{name} {count:,}" for name, count in named) + (f" and {rest} more" if rest else "")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (1, 2)) -> list[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _percent(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.1%}"
