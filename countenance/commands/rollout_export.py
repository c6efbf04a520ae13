"""``countenance rollout export``: the decisions and labels of a rollout, written as the log of a simulation."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from countenance.commands.arguments import number
from countenance.commands.rollout_opening import add_store_options, opened, print_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = (
        "Write the decisions of both models and the labels that came, one row a request, for rollout simulate. A "
        "person stands in it as a routing key (an HMAC) alone."
    )
    add_store_options(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="PARQUET", help="the file to write")
    parser.add_argument("--rollout", type=number(int, least=1), metavar="N", help="default: the newest with decisions")


def run(arguments: argparse.Namespace) -> int:
    """Write and tell."""
    from countenance.commands.output_paths import check_outputs
    from countenance.rollout.simulation.exporting import export_log

    check_outputs(arguments.out, None, [])
    with opened(arguments) as found:
        done = export_log(found.store, arguments.out, rollout=arguments.rollout)
    if arguments.json:
        print_json(asdict(done) | {"out": str(arguments.out)})
        return 0
    sys.stdout.write(
        f"{arguments.out}: {done.decisions:,} decisions of rollout {done.rollout} ('{done.candidate}' beside "
        f"'{done.champion}'), {done.labelled:,} of them with a label.\n"
    )
    return 0
