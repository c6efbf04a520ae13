"""``countenance bench rollout``: what the rollout's sequential tests are worth, by simulation."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.rollout.statistics.benchmark import Measured
    from countenance.rollout.statistics.trial_list import BenchmarkSize


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Make up histories of two models' errors, look at each every hundred requests, and count how often the "
        "rollout's tests raise a false alarm, find what is worse, and after how many requests; between arms, on pairs, "
        "beside a z-test that peeks, and where few people come again and again. Rates have 95 % intervals."
    )
    parser.add_argument(
        "--repetitions", type=number(int, least=20), default=2_000, metavar="N", help="histories; default: 2000"
    )
    rate = number(float, least=1e-4, most=0.5)
    parser.add_argument("--base", type=rate, default=0.02, metavar="P", help="champion's error rate; default: 0.02")
    parser.add_argument("--worse", type=rate, default=0.03, metavar="P", help="a worse candidate's; default: 0.03")
    parser.add_argument("--margin", type=rate, default=0.01, metavar="D", help="of non-inferiority; default: 0.01")
    parser.add_argument("--alpha", type=number(float, least=1e-6, most=0.4), default=0.05, help="default: 0.05")
    parser.add_argument("--look", type=number(int, least=1), default=100, metavar="N", help="default: every 100")
    parser.add_argument(
        "--most", type=number(int, least=1), default=10_000, metavar="N", help="requests an arm; default: 10000"
    )
    parser.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="default: 0")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw both tests as a picture (.png)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from countenance.rollout.statistics.benchmark import measure
    from countenance.rollout.statistics.trial_list import BenchmarkSize

    names = ("repetitions", "base", "worse", "margin", "alpha", "look", "most", "seed")
    size = BenchmarkSize(**{name: getattr(arguments, name) for name in names})
    _refuse_odd(size, arguments)
    measured = measure(size)
    if arguments.plot:
        from countenance.commands.bench_rollout_plot import write_plot

        write_plot(size, measured, arguments.plot)
    values = {"size": asdict(size), "trials": [trial.to_dict() for trial in measured]}
    sys.stdout.write(f"{json.dumps(values, indent=2)}\n" if arguments.json else _table(size, measured))
    return 0


def _refuse_odd(size: BenchmarkSize, arguments: argparse.Namespace) -> None:
    if size.worse <= size.base:
        arguments.parser.error("--worse must be above --base")
    if size.look > size.most:
        arguments.parser.error("--look must be at most --most")
    if arguments.plot and (arguments.plot.suffix != ".png" or not arguments.plot.parent.is_dir()):
        arguments.parser.error("--plot must name a .png in a folder that is there")


def _table(size: BenchmarkSize, measured: tuple[Measured, ...]) -> str:
    lines = [
        f"{size.repetitions:,} histories each, a look every {size.look:,} requests (an arm) up to {size.most:,}, "
        f"alpha {size.alpha:g}, margin {size.margin:g}, seed {size.seed}",
        "",
        f"{'test':<22}{'truth':<42}{'says':<17}{'':<13}{'rate %':>7}  {'95 % interval':<15}{'median sample':>13}",
    ]
    for trial in measured:
        median = f"{trial.median_sample:,}" if trial.median_sample is not None else "-"
        interval = f"[{100 * trial.low:.1f}, {100 * trial.high:.1f}]"
        kind = "wrongly" if trial.wrong else "rightly"
        lines.append(
            f"{trial.test:<22}{trial.truth:<42}{trial.asks:<17}{kind:<13}{100 * trial.rate:>7.1f}  {interval:<15}"
            f"{median:>13}"
        )
    lines += [
        "",
        "Median sample: requests of the candidate's arm, or pairs, by which half of all histories were stopped.",
        "z-test: two proportions, one-sided 5 %. Sticky and few people: they come again and again, errors of one",
        "person are correlated by 0.1, and a test on requests doesn't reckon with it.",
    ]
    return "\n".join(lines) + "\n"
