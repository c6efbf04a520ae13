"""``countenance bench training``: the training loop beside plain PyTorch loops."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from countenance.commands.arguments import available_processors, number

if TYPE_CHECKING:
    from countenance.learning.throughput import Throughput


def add_options(training: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    training.description = "Train on made-up crops, by our loop and by a plain PyTorch loop in turns, and compare."
    training.add_argument("--seconds", type=number(float, least=1.0), default=60.0, help="for all turns; default: 60")
    training.add_argument("--batch-size", type=number(int, least=2), default=128, metavar="N", help="default: 128")
    training.add_argument(
        "--input-size", type=number(int, least=32), default=64, metavar="PX", help="a multiple of 16; default: 64"
    )
    training.add_argument(
        "--threads", type=number(int, least=1), metavar="N", help="default: one for each processor there is"
    )
    training.add_argument("--json", action="store_true", help="print JSON in place of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.input_size % 16:
        arguments.parser.error(f"--input-size {arguments.input_size}: must be a multiple of 16")
    from countenance.learning.throughput import measure_training

    measured = measure_training(
        seconds=arguments.seconds,
        batch_size=arguments.batch_size,
        input_size=arguments.input_size,
        threads=arguments.threads or available_processors(),
    )
    sys.stdout.write(f"{json.dumps(_values(measured), indent=2)}\n" if arguments.json else _table(measured))
    return 0


def _values(measured: Throughput) -> dict[str, Any]:
    return {
        "batch_size": measured.batch_size,
        "input_size": measured.input_size,
        "threads": measured.threads,
        "images_per_second": {name: list(speeds) for name, speeds in measured.images_per_second.items()},
        "ratio": {name: measured.ratio(name) for name in measured.others()},
        "data_wait_share": measured.data_wait_share,
    }


def _table(measured: Throughput) -> str:
    rounds = len(next(iter(measured.images_per_second.values())))
    lines = [
        f"Training on batches of {measured.batch_size} crops of {measured.input_size} x {measured.input_size} pixels, "
        f"{measured.threads} threads, {rounds} rounds",
        f"{'loop':<24}{'images/s':>10}   countenance is",
    ]
    for name, speeds in measured.images_per_second.items():
        median = sorted(speeds)[rounds // 2]
        against = ""
        if name in measured.others():
            ratios = measured.ratios(name)
            against = f"{measured.ratio(name):.2f}x as fast ({ratios.min():.2f} to {ratios.max():.2f})"
        lines.append(f"{name:<24}{median:>10.0f}   {against}".rstrip())
    lines.append(f"Waiting for data: {100 * measured.data_wait_share:.1f} % of the step time")
    return "\n".join(lines) + "\n"
