"""How the signing verbs of ``countenance rollout`` sign, and what they do once the store has moved."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from countenance.commands.rollout_opening import Opened, print_json, signing_key

if TYPE_CHECKING:
    from countenance.rollout.approvals import Act, Approval


def sign(found: Opened, arguments: argparse.Namespace, act: Act, subject: str) -> Approval:
    """An approval by ``--as`` for ``act`` on ``subject``, now by the database's clock.

    Raises:
        RolloutError: there is no key, or it isn't the one that this operator signed with before.
    """
    from countenance.rollout.signed_before import refuse_another_key

    key = signing_key(arguments, found.project)
    if found.project is None:
        refuse_another_key(found.store, key)
        found.keys[key.name] = key
    return key.sign(act, subject=subject, at=found.store.now(), reason=arguments.reason)


def tell(found: Opened, arguments: argparse.Namespace, sentence: str, **facts: Any) -> int:
    """Say what was done, then show it in the registry and tell the operators, where the project has them.

    The move is in the store and holds; what can't be told now waits in the outbox, and is said on the error output.
    """
    if arguments.json:
        print_json({"said": sentence, **facts})
    else:
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
    for line in _told(found):
        sys.stderr.write(f"{line}\n")
    return 0


def _told(found: Opened) -> list[str]:
    from countenance.rollout.notifications.delivering import deliver_due
    from countenance.rollout.registry.reconciling import reconcile

    project = found.project
    if project is None:
        return []
    lines: list[str] = []
    if project.registry is not None:
        lines += reconcile(found.store, project.registry()).lines()
    return [*lines, *deliver_due(found.store, project.channels).failures]
