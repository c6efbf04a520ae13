"""``countenance evaluate``: how good embeddings or predictions are, by the protocols of the field."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, Final

SUBJECTS: Final[dict[str, tuple[str, str]]] = {
    "ijb": ("countenance.commands.evaluate_ijb", "templates: 1:1 and 1:N as IJB-B and IJB-C report them"),
    "pairs": ("countenance.commands.evaluate_pairs", "pairs of photos: LFW, verification packs, RFW, BFW"),
    "attributes": ("countenance.commands.evaluate_attributes", "age, gender, smile, head pose and landmarks"),
    "detection": ("countenance.commands.evaluate_detection", "found faces, by the rules of WIDER FACE and FDDB"),
    "bias": ("countenance.commands.evaluate_bias", "errors by group, from embeddings or predictions"),
    "compare": ("countenance.commands.evaluate_compare", "reports of several models and published figures on one page"),
}
"""By subject: the module that evaluates it, with ``add_options(parser)`` and ``run(arguments)``, and what it is."""


def add(subparsers: Any) -> None:
    """Add the verb's parser and those of what can be evaluated."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="how good embeddings or predictions are, as the field measures it",
        description="Evaluate embeddings or predictions by the protocols of the field.",
    )
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for subject, (module, what) in SUBJECTS.items():
        options = subjects.add_parser(subject, help=what)
        importlib.import_module(module).add_options(options)
        options.set_defaults(parser=options)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    status: int = importlib.import_module(SUBJECTS[arguments.subject][0]).run(arguments)
    return status
