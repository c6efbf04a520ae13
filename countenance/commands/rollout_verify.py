"""``countenance rollout verify``: whether anything was tampered with, in the store, its files or the registry."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countenance.commands.rollout_opening import Opened, add_store_options, opened, print_json

if TYPE_CHECKING:
    from countenance.rollout.registry.shown import Registry


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the verb's options."""
    add_store_options(parser)
    parser.add_argument(
        "--expected-head",
        metavar="HASH",
        help="a head that was noted before, outside the store; without it a history that lost its newest events still "
        "verifies (default: the one that the registry shows)",
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        metavar="FOLDER",
        help="where the evidence files lie, by their names; default: the project's folder of releases",
    )


def run(arguments: argparse.Namespace) -> int:
    """Verify everything there is, and say what was checked; an error names what was tampered with."""
    from dataclasses import asdict

    from countenance.rollout.registry.verification import noted_head, verify_tags
    from countenance.rollout.verification import verify_store

    with opened(arguments) as found:
        files = _files(found, arguments.evidence)
        verified = verify_store(found.store, expected_head=arguments.expected_head, files=files)
        registry, head, shown = _registry(found), arguments.expected_head, None
        if registry is not None:
            shown = verify_tags(found.store, registry)
            head = head or noted_head(registry)
            found.store.verify_chain(expected_head=head)
        newest = found.store.head()
    checked = {**asdict(verified), "registry_values": shown, "expected_head": head, "head": newest}
    if arguments.json:
        print_json(checked)
        return 0
    for line in _lines(checked, files):
        sys.stdout.write(f"{line}\n")
    return 0


def _lines(checked: Mapping[str, Any], files: Mapping[str, Path]) -> list[str]:
    apart = ("registry_values", "expected_head", "head")
    counts = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in checked.items() if name not in apart)
    noted, shown = checked["expected_head"], checked["registry_values"]
    against = "no head that was noted elsewhere" if noted is None else f"the noted head {noted[:16]}"
    return [
        f"Nothing was tampered with: {counts}.",
        f"The history was held against {against}; its own is {checked['head']}.",
        "No registry was asked."
        if shown is None
        else f"{shown} aliases, tags and texts of the registry are as they were told.",
        f"{len(files)} evidence files were read again." if files else "No evidence file was looked at.",
    ]


def _registry(found: Opened) -> Registry | None:
    return None if found.project is None or found.project.registry is None else found.project.registry()


def _files(found: Opened, folder: Path | None) -> dict[str, Path]:
    """Where each attached file must lie."""
    folder = folder or (None if found.project is None else found.project.evidence)
    if folder is None:
        return {}
    rollouts = {event.rollout for event in found.store.events()}
    return {each.name: folder / each.name for number in sorted(rollouts) for each in found.store.attachments(number)}
