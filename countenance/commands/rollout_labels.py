"""``countenance rollout labels``: which requests need a label most."""

from __future__ import annotations

import argparse
import sys

from countenance.commands.arguments import number
from countenance.commands.rollout_opening import add_store_options, opened, print_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    parser.add_argument("--limit", type=number(int, least=1), default=20, metavar="N", help="at most; default: 20")


def run(arguments: argparse.Namespace) -> int:
    """List them: those on which the models disagree first, since they say most."""
    from countenance.commands.rollout_tables import table
    from countenance.rollout.decisions.labels import wanted

    with opened(arguments) as found:
        listed = wanted(found.store, arguments.limit)
    if arguments.json:
        print_json(
            [
                {"decision_id": each.decision_id, "at": each.at.isoformat(), "discordant": each.discordant}
                for each in listed
            ]
        )
    elif not listed:
        sys.stdout.write("No request of an active rollout lacks a label that was to be given.\n")
    else:
        rows = [("request", "at", "the models")]
        rows += [
            (each.decision_id, each.at.isoformat(timespec="seconds"), "disagree" if each.discordant else "agree")
            for each in listed
        ]
        sys.stdout.write("\n".join(table(rows, indent=0)) + "\n")
    return 0
