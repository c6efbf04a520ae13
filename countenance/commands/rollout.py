"""``countenance rollout``: see where a rollout stands, sign for it, stop it, and try policies before they are used."""

from __future__ import annotations

import argparse
import importlib
from typing import Any, Final

VERBS: Final[dict[str, tuple[str, str]]] = {
    "status": ("countenance.commands.rollout_status", "who answers whom now, and what a candidate waits for"),
    "watch": ("countenance.commands.rollout_watch", "the same, again and again"),
    "history": ("countenance.commands.rollout_history", "what happened, who said so, and who answered when"),
    "verify": ("countenance.commands.rollout_verify", "whether anything was tampered with"),
    "approve": ("countenance.commands.rollout_approve", "sign for what the rollout waits for"),
    "pause": ("countenance.commands.rollout_command", "keep the candidate where it is"),
    "resume": ("countenance.commands.rollout_command", "go on after a pause or a deadline"),
    "abort": ("countenance.commands.rollout_command", "stop the candidate at once; the champion is untouched"),
    "rollback": ("countenance.commands.rollout_rollback", "return to the previous champion at once"),
    "labels": ("countenance.commands.rollout_labels", "which requests need a label most"),
    "simulate": ("countenance.commands.rollout_simulate", "what policies would do, replayed on logged decisions"),
    "search": ("countenance.commands.rollout_search", "the cheapest policy that meets given error rates"),
    "export": ("countenance.commands.rollout_export", "write logged decisions and labels for simulations"),
    "manifest": ("countenance.commands.rollout_manifest", "write what KServe must be told"),
}
"""By verb: the module that knows it, with ``add_options(parser)`` and ``run(arguments)``, and what it does."""


def add(subparsers: Any) -> None:
    """Add the verb's parser and those of its own verbs."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "rollout",
        help="see where a rollout stands, sign for it, stop it, try policies",
        description="See where a rollout stands, sign for it, stop it, and try policies before they are used.",
    )
    verbs = parser.add_subparsers(dest="rollout_verb", metavar="VERB", required=True)
    for verb, (module, what) in VERBS.items():
        options = verbs.add_parser(verb, help=what, description=f"{what[0].upper()}{what[1:]}.")
        importlib.import_module(module).add_options(options)
        options.set_defaults(parser=options)


def run(arguments: argparse.Namespace) -> int:
    """Do what the verb says."""
    status: int = importlib.import_module(VERBS[arguments.rollout_verb][0]).run(arguments)
    return status
