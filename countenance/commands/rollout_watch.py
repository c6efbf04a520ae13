"""``countenance rollout watch``: the status again and again, until somebody has seen enough."""

from __future__ import annotations

import argparse
import sys

from countenance.commands.arguments import number
from countenance.commands.rollout_opening import add_store_options, opened

_CLEAR = "\x1b[H\x1b[2J"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    parser.add_argument("--once", action="store_true", help="print it once and end")
    parser.add_argument(
        "--interval",
        type=number(float, least=0.1),
        default=2.0,
        metavar="SECONDS",
        help="between two looks; default: 2",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it until interrupted; with ``--json`` one line a time."""
    import json
    import time

    from countenance.commands.rollout_tables import status_text
    from countenance.rollout.status import status_of

    with opened(arguments) as found:
        while True:
            status = status_of(found.store)
            if arguments.json:
                sys.stdout.write(json.dumps(status.to_dict(), ensure_ascii=False) + "\n")
            else:
                sys.stdout.write((_CLEAR if sys.stdout.isatty() else "") + status_text(status))
            sys.stdout.flush()
            if arguments.once:
                return 0
            time.sleep(arguments.interval)
