"""``countenance rollout history``: what happened, who said so, and who answered when."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from countenance.commands.arguments import number
from countenance.commands.rollout_opening import add_store_options, opened, print_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    parser.add_argument("--release", metavar="ID", help="only what is about this release")
    parser.add_argument("--limit", type=number(int, least=1), metavar="N", help="only the newest; default: all")
    parser.add_argument(
        "--at", type=_moment, metavar="MOMENT", help="tell instead who answered whom then; ISO 8601, UTC without a zone"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the chain of events, oldest first, or who answered at a moment."""
    from countenance.commands.rollout_tables import history_text
    from countenance.rollout.answering import answering_at

    with opened(arguments) as found:
        events = [event for event in found.store.events() if event.model == found.store.standing().model]
    if arguments.at is not None:
        answering = answering_at(events, arguments.at)
        if arguments.json:
            print_json(answering.to_dict())
        else:
            sys.stdout.write(f"{answering.sentence()}\n")
        return 0
    about = [event for event in events if arguments.release in (None, event.payload.get("release"))]
    chosen = about[-arguments.limit :] if arguments.limit else about
    if arguments.json:
        print_json(
            [
                {
                    "sequence": event.sequence,
                    "rollout": event.rollout,
                    "at": event.at.isoformat(),
                    "kind": event.kind,
                    "payload": event.payload,
                    "hash": event.hash,
                }
                for event in chosen
            ]
        )
    else:
        sys.stdout.write(history_text(chosen))
    return 0


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no moment such as 2026-01-05T06:00:00") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
