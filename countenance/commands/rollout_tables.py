"""The status and history of rollouts as plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from countenance.rollout.ledger import Event
from countenance.rollout.status import CandidateStatus, Status, Waiting

_WIDTH: Final = 110
_LABEL: Final = 14


def status_text(status: Status) -> str:
    """The whole status, a line or a table for each thing that an operator asks."""
    lines = [
        _line("model", f"{status.model}, {_moment(status.now)} by the database's clock"),
        _line("champion", _champion(status)),
    ]
    if status.candidate is None:
        lines.append(_line("candidate", "none: nothing runs"))
        if status.last is not None:
            ended = f"{status.last.release} {status.last.stage}, {_moment(status.last.at)}: {status.last.reason}"
            lines.append(_line("last rollout", ended))
    else:
        lines += _candidate(status.candidate, status.now)
    if status.queued:
        lines.append(_line("queue", ", ".join(status.queued)))
    lines.append(_line("outbox", _outbox(status.waiting, status.now)))
    beat = status.heartbeat
    lines.append(_line("heartbeat", "none yet" if beat is None else f"{_ago(beat.at, status.now)}, epoch {beat.epoch}"))
    held = status.lease
    if held is None:
        lines.append(_line("lease", "nobody has held it yet"))
    else:
        until = f"until {_moment(held.expires_at)}" if held.running else f"ran out {_ago(held.expires_at, status.now)}"
        lines.append(_line("lease", f"{held.holder}, {until}"))
    lines.append(_line("history", f"{status.events} events, head {status.head[:16]}"))
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Rows of one length as aligned columns; the last one isn't padded."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        (" " * indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def _champion(status: Status) -> str:
    if status.champion is None:
        return "none yet: bootstrap a release first"
    since = "" if status.champion_since is None else f" since {_moment(status.champion_since)}"
    before = "nobody before it" if status.previous is None else f"previous {status.previous}"
    return f"{status.champion}{since}; {before}"


def _candidate(candidate: CandidateStatus, now: datetime) -> list[str]:
    aside = "" if candidate.stage == candidate.base else f" (from {candidate.base})"
    step = f", step {candidate.step + 1} of {len(candidate.steps)}" if candidate.base in ("CANARY", "BAKING") else ""
    left = candidate.deadline_at - now
    when = f"in {_span(left)}" if left > timedelta(0) else f"passed {_span(-left)} ago"
    lines = [
        _line("candidate", f"{candidate.release} against {candidate.champion}, rollout {candidate.rollout}"),
        _line("stage", f"{candidate.stage}{aside}{step}, since {_moment(candidate.since)}"),
        _line("share", f"{candidate.share:.2%} of the traffic; {candidate.exposed_requests:,} requests answered by it"),
        _line("why", candidate.reason),
        *_listed("waits for", candidate.waits_for or ("nothing: the next step goes forward",)),
        _line("deadline", f"{_moment(candidate.deadline_at)}, {when}"),
    ]
    if candidate.signed_by:
        lines.append(_line("signed", f"{', '.join(candidate.signed_by)}; {candidate.approvers} must"))
    money = candidate.money
    lines.append(
        _line(
            "money",
            "no budget is set"
            if money is None
            else f"{money.left:,.2f} of {money.amount:,.2f} {money.currency} left, {money.spent:,.2f} may be gone",
        )
    )
    looked = "no look yet" if candidate.looked_at is None else f"look {candidate.looks}, {_moment(candidate.looked_at)}"
    rows = [("what", "found", "held against", "so")]
    rows += [(reading.name, reading.found, reading.limit, reading.verdict) for reading in candidate.evidence]
    return [*lines, _line("evidence", looked), *table(rows)]


def _outbox(waiting: Waiting, now: datetime) -> str:
    if waiting.oldest_at is None:
        return "empty"
    what = f"{waiting.aliases} alias moves, {waiting.messages} messages; the oldest {_ago(waiting.oldest_at, now)}"
    return what if waiting.error is None else f"{what}; tried {waiting.attempts} times: {waiting.error}"


def _listed(label: str, sentences: Sequence[str]) -> list[str]:
    return [_line(label if position == 0 else "", sentence) for position, sentence in enumerate(sentences)]


def _line(label: str, text: str) -> str:
    rest = " " * _LABEL
    return textwrap.fill(
        text, _WIDTH, initial_indent=label.ljust(_LABEL), subsequent_indent=rest, break_on_hyphens=False
    )


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")


def _ago(moment: datetime, now: datetime) -> str:
    return f"{_span(now - moment)} ago" if moment <= now else f"in {_span(moment - now)}"


def _span(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= 2 * unit or unit == 1:
            count = seconds // unit
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable")


def history_text(events: Sequence[Event]) -> str:
    """One line for each event, and its sentence below."""
    lines = []
    for event in events:
        lines.append(f"{event.sequence:>6}  {_moment(event.at)}  {_what(event)}")
        sentence = event.payload.get("reason") or event.payload.get("message")
        if sentence:
            lines.append(textwrap.fill(sentence, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8))
    return "\n".join(lines) + "\n" if lines else "Nothing has happened yet.\n"


def _what(event: Event) -> str:
    told, kind = event.payload, event.kind.replace("_", " ")
    if event.kind == "approved":
        return f"{told['actor']} signed to {told['act'].replace('_', ' ')} {told['subject']}"
    if "stage" in told:
        origin = f"{told['from']} → " if told.get("from") not in (None, told["stage"]) else ""
        return f"{kind}: {told['release']} {origin}{told['stage']} at {told['share']:.0%}"
    return f"{kind}: {told.get('release') or told.get('name') or ''}".rstrip(": ")
