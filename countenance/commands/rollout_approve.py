"""``countenance rollout approve``: sign for what the rollout waits for."""

from __future__ import annotations

import argparse

from countenance.commands.rollout_opening import add_signing_options, add_store_options, opened
from countenance.commands.rollout_signing import sign, tell


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    add_signing_options(parser)
    parser.add_argument("--release", metavar="ID", help="only if it is this one that waits")


def run(arguments: argparse.Namespace) -> int:
    """Sign; the controller's next step acts on it."""
    from countenance.errors import RolloutError

    with opened(arguments) as found:
        active = found.store.active()
        if active is None:
            raise RolloutError("No rollout is active: there is nothing to approve.")
        state = active.state
        if state.awaited is None:
            raise RolloutError(
                f"The rollout of '{state.release}' is {state.stage} and "
                "waits for no signature: sign when one is asked for."
            )
        if arguments.release not in (None, state.release):
            raise RolloutError(
                f"'{state.release}' waits for a signature, not '{arguments.release}': name the one that does."
            )
        found.store.approve(sign(found, arguments, state.awaited, state.release))
        act = str(state.awaited).replace("_", " ")
        said = f"{arguments.signer} signed to {act} '{state.release}': the controller's next step acts on it."
        return tell(found, arguments, said, release=state.release, act=str(state.awaited), signer=arguments.signer)
