"""``countenance bench rollback``: from the decision to planes that expose nobody."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.rollout.planes.rollback_benchmark import RollbackSpeed


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Start canaries that answer a quarter of the traffic, abort each with a signed command, and time from the "
        "command to the moment at which the routing snapshot of a plane gives the candidate nothing: of a plane in "
        "this process, and of one in another process that follows the store. The store's commit is part of it."
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="of a rollout store (postgresql+psycopg://USER@HOST/DATABASE); the rollouts stay in it under a model of "
        "their own; default: an SQLite file that is thrown away",
    )
    parser.add_argument("--repetitions", type=number(int, least=1), default=30, metavar="N", help="default: 30")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    import tempfile

    from countenance.rollout.planes.rollback_benchmark import measure_rollback

    with ExitStack() as stack:
        url = arguments.url
        if url is None:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/rollouts.db"
        measured = measure_rollback(url, repetitions=arguments.repetitions)
    sys.stdout.write(f"{json.dumps(measured.to_dict(), indent=2)}\n" if arguments.json else _table(measured))
    return 0


def _table(measured: RollbackSpeed) -> str:
    told = measured.to_dict()
    lines = [
        f"From an abort to a canary of 0 % in the routing snapshot, {told['database']}, {told['repetitions']} times",
        "",
        f"{'milliseconds':<20}{'median':>10}{'most':>10}",
    ]
    for name, values in told["milliseconds"].items():
        label = "of it the commit" if name == "commit" else name
        lines.append(f"{label:<20}{values['median']:>10.1f}{values['most']:>10.1f}")
    return "\n".join(lines) + "\n"
