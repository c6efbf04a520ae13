"""``countenance rollout rollback``: return to the previous champion at once."""

from __future__ import annotations

import argparse

from countenance.commands.rollout_opening import add_signing_options, add_store_options, opened
from countenance.commands.rollout_signing import sign, tell


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    add_signing_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Flip the pointer; a running candidate is stopped with it."""
    from countenance.errors import RolloutError
    from countenance.rollout.approvals import Act

    with opened(arguments) as found:
        champion = found.store.champion()
        if champion is None:
            raise RolloutError("There is no champion yet: there is nothing to roll back.")
        returned = found.store.roll_back(None, sign(found, arguments, Act.ROLL_BACK, champion))
        said = f"'{champion}' was taken back: '{returned}' answers everybody again."
        return tell(found, arguments, said, taken_back=champion, champion=returned)
