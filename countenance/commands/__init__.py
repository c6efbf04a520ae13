"""The console command ``countenance``: a table of verbs, each a module that is imported when it is asked for.

A verb's module has ``add(subparsers)``, which adds its parser, and ``run(arguments) -> int``, which gives the exit
status. Both are light to import; what is heavy is imported within ``run``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from countenance.errors import CountenanceError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "analyze": ("countenance.commands.analyze", "find the faces of photos and read them"),
    "bench": ("countenance.commands.bench", "measure how fast it is on this machine"),
    "embed": ("countenance.commands.embed", "write the embeddings of many faces into one file"),
    "erase-subject": ("countenance.commands.erase_subject", "remove a person from the data and all their versions"),
    "evaluate": ("countenance.commands.evaluate", "how good embeddings or predictions are, as the field measures it"),
    "inspect": ("countenance.commands.inspect", "what an import of a set would find: counts, labels, problems"),
    "protocol": ("countenance.commands.protocol", "check, convert or make a template protocol"),
    "rollout": ("countenance.commands.rollout", "see where a rollout stands, sign for it, stop it, try policies"),
}
"""By verb: the module that knows it, and what it does in a few words."""

INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0, 1 after an error told in one sentence, 2 after wrong usage.

    Args:
        arguments: of the command line, without the program's name; None takes the process's.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    parsed = _parser(given).parse_args(given)
    try:
        status: int = importlib.import_module(COMMANDS[parsed.verb][0]).run(parsed)
        sys.stdout.flush()
        return status
    except CountenanceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough of it; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="countenance", description="Face analysis from one network, assessed honestly and rolled out carefully."
    )
    parser.add_argument("--version", action=_Version)
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    chosen = next((word for word in given if not word.startswith("-")), None)
    for verb, (module, summary) in COMMANDS.items():
        if verb == chosen:
            importlib.import_module(module).add(subparsers)
        else:
            subparsers.add_parser(verb, help=summary)
    return parser


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"countenance {version('countenance')}\n")
        parser.exit()
