"""``countenance bench controller``: a controller's step on a store with many decisions, its time and its memory."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from countenance.rollout.decisions.benchmark import StepTimes

SIZES: Final = (10_000, 100_000, 1_000_000)
_HEADING: Final = (
    f"{'decisions':>10} {'median ms':>10} {'max ms':>8} {'new rows':>10} {'catching up s':>14} {'peak MiB':>9}\n"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.description = (
        "Fill a rollout store up to each size in turn, let the controller catch up in steps of bounded size, then time "
        "steps between which 100 to 1,000 new decisions and their labels come."
    )
    parser.add_argument("--decisions", type=int, nargs="+", default=list(SIZES), metavar="N", help="sizes of the store")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="steps timed at each size (default 20)")
    parser.add_argument("--url", help="an empty PostgreSQL database to fill; without it, an SQLite file for the while")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="of all that arrives (default 7)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object a size")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    import tempfile

    from countenance.rollout.decisions.benchmark import ControllerBenchmark

    sys.stdout.write("" if arguments.json else _HEADING)
    with tempfile.TemporaryDirectory(prefix="countenance-controller-") as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'rollouts.db'}"
        with ControllerBenchmark(url, seed=arguments.seed) as benchmark:
            for size in sorted(arguments.decisions):
                found = benchmark.measure(size, steps=arguments.steps)
                sys.stdout.write(f"{json.dumps(asdict(found))}\n" if arguments.json else _line(found))
                sys.stdout.flush()
    return 0


def _line(found: StepTimes) -> str:
    return (
        f"{found.decisions:>10,} {found.median_ms:>10.1f} {found.worst_ms:>8.1f} {found.new_rows:>10} "
        f"{found.catching_up_s:>14.1f} {found.peak_mebibytes:>9.0f}\n"
    )
