"""``countenance bench distillation``: a step of distillation beside the published algorithm in plain PyTorch."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import TYPE_CHECKING, Any

from countenance.commands.arguments import available_processors, number

if TYPE_CHECKING:
    from countenance.learning.distillation_speed import DistillationSpeed
    from countenance.learning.turns import Timing

TEACHERS = ("iresnet18", "iresnet50", "iresnet100")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Distil a MobileFaceNet on made-up crops: the published algorithm in plain PyTorch, with its teacher in "
        "float32, our step with the teacher's features from a cache, and our step with a live teacher, each in a "
        "process of its own, in turns; then the identity headers alone. Some minutes at the default size."
    )
    parser.add_argument("--batch-size", type=number(int, least=2), default=64, metavar="N", help="default: 64")
    parser.add_argument("--classes", type=number(int, least=2), default=85_742, metavar="C", help="default: 85742")
    parser.add_argument(
        "--input-size", type=number(int, least=32), default=112, metavar="PX", help="a multiple of 16; default: 112"
    )
    parser.add_argument("--teacher", choices=TEACHERS, default="iresnet50", help="default: iresnet50")
    parser.add_argument("--rounds", type=number(int, least=1), default=5, metavar="N", help="turns of each; default: 5")
    parser.add_argument(
        "--threads", type=number(int, least=1), metavar="N", help="default: one for each processor there is"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.input_size % 16:
        arguments.parser.error(f"--input-size {arguments.input_size}: must be a multiple of 16")
    if arguments.classes < arguments.batch_size:
        arguments.parser.error(
            f"--classes {arguments.classes}: must be at least the batch size, {arguments.batch_size}, so that every "
            "image of a batch is of another person"
        )
    from countenance.learning.distillation_speed import DistillationSize, measure_distillation

    size = DistillationSize(
        batch_size=arguments.batch_size,
        classes=arguments.classes,
        input_size=arguments.input_size,
        teacher=arguments.teacher,
    )
    measured = measure_distillation(size, threads=arguments.threads or available_processors(), rounds=arguments.rounds)
    sys.stdout.write(f"{json.dumps(_values(measured), indent=2)}\n" if arguments.json else _tables(measured))
    return 0


def _values(measured: DistillationSpeed) -> dict[str, Any]:
    size = measured.size
    published, *ours = measured.steps
    return {
        "batch_size": size.batch_size,
        "classes": size.classes,
        "input_size": size.input_size,
        "teacher": size.teacher,
        "threads": measured.threads,
        "live_precision": measured.live_precision,
        "steps": {name: _timing(timing, size.batch_size) for name, timing in measured.steps.items()},
        "headers": {
            "published": _timing(measured.published_header, size.batch_size),
            "countenance": _timing(measured.header, size.batch_size),
        },
        "ratios": {name: _ratios(measured.steps[name], measured.steps[published]) for name in ours}
        | {"header": _ratios(measured.header, measured.published_header)},
        "loss_difference": measured.loss_difference,
        "gradient_difference": measured.gradient_difference,
    }


def _timing(timing: Timing, batch_size: int) -> dict[str, Any]:
    return {
        "seconds": list(timing.seconds),
        "images_per_second": batch_size / timing.median,
        "peak_mebibytes": timing.peak_mebibytes,
        "idle_mebibytes": timing.idle_mebibytes,
    }


def _ratios(ours: Timing, published: Timing) -> dict[str, float]:
    ratios = ours.times_as_fast_as(published)
    return {"median": statistics.median(ratios.tolist()), "least": float(ratios.min()), "most": float(ratios.max())}


def _tables(measured: DistillationSpeed) -> str:
    size, rounds = measured.size, len(measured.header.seconds)
    lines = [
        f"Distillation on batches of {size.batch_size} crops of {size.input_size} x {size.input_size} pixels, "
        f"{size.classes:,} classes, MobileFaceNet from {size.teacher},",
        f"{measured.threads} threads, {rounds} rounds; the live teacher computes in {measured.live_precision}",
        "",
        *_table("whole step", measured.steps, size.batch_size),
        "",
        *_table(
            "header alone", {"published": measured.published_header, "countenance": measured.header}, size.batch_size
        ),
        "",
        f"Our header's loss differs by {measured.loss_difference:.1e} of the published one's, its gradient by "
        f"{measured.gradient_difference:.1e}.",
        "Peak memory is the most that each one's process ever held, libraries included.",
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, timings: dict[str, Timing], batch_size: int) -> list[str]:
    published, *_ = timings.values()
    lines = [f"{title:<26}{'ms a step':>10}{'images/s':>10}{'peak MiB':>10}"]
    for name, timing in timings.items():
        line = (
            f"{name:<26}{1000 * timing.median:>10.0f}{batch_size / timing.median:>10.1f}{timing.peak_mebibytes:>10.0f}"
        )
        if timing is not published:
            ratios = _ratios(timing, published)
            line += f"   {ratios['median']:.2f}x as fast ({ratios['least']:.2f} to {ratios['most']:.2f})"
        lines.append(line)
    return lines
