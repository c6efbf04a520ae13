"""``countenance bench bias``: the matrix of FMR between groups over every comparison of a large set."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.assessment.bias_benchmark import BiasSpeed


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Make up embeddings of people in groups, compare every image with every other, choose the common threshold, "
        "and count false matches within and between all groups, each rate with its interval over subjects; print "
        "processor seconds and memory, and check the counts against float64, pair by pair, at a smaller size."
    )
    parser.add_argument("--images", type=number(int, least=16), default=20_000, metavar="N", help="default: 20000")
    parser.add_argument("--subjects", type=number(int, least=8), default=1_000, metavar="N", help="default: 1000")
    parser.add_argument("--groups", type=number(int, least=2), default=8, metavar="N", help="default: 8")
    parser.add_argument("--dimension", type=number(int, least=2), default=512, metavar="N", help="default: 512")
    parser.add_argument(
        "--rate", type=number(float, least=1e-8, most=0.1), default=1e-3, metavar="R", help="FMR; default: 0.001"
    )
    parser.add_argument("--threads", type=number(int, least=1), default=1, metavar="N", help="default: 1")
    parser.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="default: 0")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from countenance.assessment.bias_benchmark import CrowdSize, measure_bias

    size = CrowdSize(
        images=arguments.images,
        subjects=arguments.subjects,
        groups=arguments.groups,
        dimension=arguments.dimension,
        rate=arguments.rate,
    )
    measured = measure_bias(size, seed=arguments.seed, threads=arguments.threads)
    sys.stdout.write(f"{json.dumps(measured.to_dict(), indent=2)}\n" if arguments.json else _tables(measured))
    return 0


def _tables(measured: BiasSpeed) -> str:
    size, matrix = measured.size, measured.matrix
    threads = "1 thread" if measured.threads == 1 else f"{measured.threads} threads"
    lines = [
        f"{size.images:,} images of {size.subjects:,} subjects in {size.groups} groups, {size.dimension} dimensions: "
        f"{measured.pairs:,} non-mated pairs, {threads}",
        "",
        f"{'processor seconds':<20}{measured.seconds:>10.2f}",
        f"{'seconds that passed':<20}{measured.passed:>10.2f}",
        f"{'peak memory, MiB':<20}{measured.peak_mebibytes:>10,.0f}",
        f"{'of it before':<20}{measured.idle_mebibytes:>10,.0f}",
        "",
        f"FMR between groups at the common threshold {matrix.threshold:.4f}, thousandths",
        f"{'':<12}" + "".join(f"{name:>12}" for name in matrix.groups),
    ]
    for name, rates in zip(matrix.groups, matrix.rates, strict=True):
        lines.append(f"{name:<12}" + "".join(f"{1000 * (rate.value or 0.0):>12.3f}" for rate in rates))
    same = "identical" if measured.identical else "NOT identical"
    lines += ["", f"At {measured.checked:,} images counts are {same} to those of float64, pair by pair."]
    return "\n".join(lines) + "\n"
