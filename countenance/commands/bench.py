"""``countenance bench``: how fast it is here, as a ratio to something known that runs in turns with it."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, Final

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "training": ("countenance.commands.bench_training", "the training loop beside a plain PyTorch loop"),
    "distillation": (
        "countenance.commands.bench_distillation",
        "a step of distillation beside the published algorithm in plain PyTorch",
    ),
    "ijb": ("countenance.commands.bench_ijb", "evaluation at IJB-C's size beside a plain float64 script"),
    "bias": ("countenance.commands.bench_bias", "errors between groups over every comparison of a large set"),
    "rollout": ("countenance.commands.bench_rollout", "false alarms of the rollout's tests, and what they find"),
    "rollback": ("countenance.commands.bench_rollback", "from an abort to planes that expose nobody"),
    "controller": ("countenance.commands.bench_controller", "a rollout's controller on a store with many decisions"),
}
"""By subject: the module that measures it, with ``add_options(parser)`` and ``run(arguments)``, and what it is."""


def add(subparsers: Any) -> None:
    """Add the verb's parser and those of what can be measured."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "bench", help="measure how fast it is here", description="Measure how fast it is on this machine."
    )
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for subject, (module, what) in SUBJECTS.items():
        options = subjects.add_parser(subject, help=what)
        importlib.import_module(module).add_options(options)
        options.set_defaults(parser=options)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    status: int = importlib.import_module(SUBJECTS[arguments.subject][0]).run(arguments)
    return status
