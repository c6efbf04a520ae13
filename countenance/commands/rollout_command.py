"""``countenance rollout pause``, ``resume`` and ``abort``: signed commands to the rollout that runs."""

from __future__ import annotations

import argparse

from countenance.commands.rollout_opening import add_signing_options, add_store_options, opened, print_json
from countenance.commands.rollout_signing import sign, tell


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    add_signing_options(parser)
    parser.add_argument("--release", metavar="ID", help="only if it is this one that runs")


def run(arguments: argparse.Namespace) -> int:
    """Carry it out at once; to abort where nothing runs does nothing and is no error."""
    from countenance.errors import RolloutError
    from countenance.rollout.approvals import Act

    act = Act(arguments.rollout_verb)
    with opened(arguments) as found:
        active = found.store.active()
        other = active is not None and arguments.release not in (None, active.state.release)
        if active is None or other:
            runs = "Nothing runs" if active is None else f"'{arguments.release}' does not run"
            if act is not Act.ABORT:
                raise RolloutError(f"{runs}: there is nothing to {act}.")
            return _nothing(arguments, f"{runs}: there is nothing to abort.")
        release = active.state.release
        record = found.store.command(sign(found, arguments, act, release))
        if record is None:
            return _nothing(arguments, f"The rollout of '{release}' has just ended: there is nothing to abort.")
        state = record.state
        said = f"The rollout of '{release}' is {state.stage} at {state.share:.0%} of the traffic: {state.reason}"
        return tell(found, arguments, said, release=release, stage=str(state.stage), share=state.share)


def _nothing(arguments: argparse.Namespace, sentence: str) -> int:
    import sys

    if arguments.json:
        print_json({"said": sentence, "release": None})
    else:
        sys.stdout.write(f"{sentence}\n")
    return 0
