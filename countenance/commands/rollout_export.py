"""``countenance rollout export``: the decisions and labels of a rollout, written as the log of a simulation."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from countenance.commands.arguments import number


def add(subparsers: Any) -> None:
    """Add the verb's parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser("export", help="write a rollout's decisions as Parquet")
    add_options(parser)
    parser.set_defaults(parser=parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = (
        "Write the decisions of both models and the labels that came, one row a request, for rollout simulate. A "
        "person stands in it as a routing key (an HMAC) alone."
    )
    parser.add_argument("--store", required=True, metavar="URL", help="e.g. sqlite:///rollout.db")
    parser.add_argument("--out", type=Path, required=True, metavar="PARQUET", help="the file to write")
    parser.add_argument("--rollout", type=number(int, least=1), metavar="N", help="default: the newest with decisions")
    parser.add_argument("--model", default="countenance", metavar="NAME", help="default: countenance")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write and tell."""
    from countenance.commands.output_paths import check_outputs
    from countenance.rollout.simulation.exporting import export_log

    check_outputs(arguments.out, None, [])
    done = export_log(arguments.store, arguments.out, model=arguments.model, rollout=arguments.rollout)
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(done) | {"out": str(arguments.out)}) + "\n")
        return 0
    sys.stdout.write(
        f"{arguments.out}: {done.decisions:,} decisions of rollout {done.rollout} ('{done.candidate}' beside "
        f"'{done.champion}'), {done.labelled:,} of them with a label.\n"
    )
    return 0
