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
_COLUMNS: Final = ("decisions", "median ms", "max ms", "cpu ms", "new rows", "catching up s", "peak MiB")


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

    sys.stdout.write("" if arguments.json else _line(_COLUMNS))
    with tempfile.TemporaryDirectory(prefix="countenance-controller-") as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'rollouts.db'}"
        with ControllerBenchmark(url, seed=arguments.seed) as benchmark:
            for size in sorted(arguments.decisions):
                found = benchmark.measure(size, steps=arguments.steps)
                sys.stdout.write(f"{json.dumps(asdict(found))}\n" if arguments.json else _line(_told(found)))
                sys.stdout.flush()
    return 0


def _told(found: StepTimes) -> tuple[str, ...]:
    times = (f"{value:.1f}" for value in (found.median_ms, found.worst_ms, found.processor_ms))
    return (
        f"{found.decisions:,}",
        *times,
        found.new_rows,
        f"{found.catching_up_s:.1f}",
        f"{found.peak_mebibytes:.0f}",
    )


def _line(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:>13}" for cell in cells) + "\n"
