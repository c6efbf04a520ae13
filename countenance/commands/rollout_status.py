"""``countenance rollout status``: who answers whom now, and what a candidate waits for."""

from __future__ import annotations

import argparse
import sys

from countenance.commands.rollout_opening import add_store_options, opened, print_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from countenance.commands.rollout_tables import status_text
    from countenance.rollout.status import status_of

    with opened(arguments) as found:
        status = status_of(found.store)
    if arguments.json:
        print_json(status.to_dict())
    else:
        sys.stdout.write(status_text(status))
    return 0
