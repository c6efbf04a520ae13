"""``countenance erase-subject``: one person's data leave the project, all of its versions, and later imports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.named_opening import named_opening

if TYPE_CHECKING:
    from countenance.erasure.project import Project

_EPILOG: Final = """\
Stop trainings and other commands first. The erasure can be stopped at any moment and run again, and goes on where it
was. Afterwards commit dvc.lock and the file of tombstones, and retire or retrain the models that the receipt lists.
"""


def add(subparsers: Any) -> None:
    """Add the verb's parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "erase-subject",
        help="remove a person from the data, all their versions, and later imports",
        description="Remove a person's crops, rows, embeddings, templates and gallery entries from every store, purge "
        "old versions from DVC's cache and remotes, leave a tombstone that imports respect, search every byte again, "
        "and print a receipt with the data sets and models that the person was in.",
        epilog=_EPILOG,
    )
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "id", nargs="?", metavar="ID", help="of the person, as in the manifest (lfw:NAME); - reads it from the input"
    )
    whom.add_argument("--resume", action="store_true", help="go on with an erasure that was begun, whoever's it is")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be removed; nothing is written")
    parser.add_argument("--json", action="store_true", help="print the receipt as JSON")
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="FOLDER", help="the project's folder; default: this one"
    )


def run(arguments: argparse.Namespace) -> int:
    """Erase the person."""
    import json
    from datetime import UTC, datetime

    from countenance.erasure.erasing import erase_subject
    from countenance.erasure.receipt import as_text

    whom = None if arguments.resume else arguments.id
    if whom == "-":
        whom = sys.stdin.readline().strip()
    project = open_project(arguments.project.resolve())
    receipt, path = erase_subject(project, whom, now=datetime.now(UTC), dry_run=arguments.dry_run)
    sys.stdout.write(json.dumps(receipt, indent=1, ensure_ascii=False) + "\n" if arguments.json else as_text(receipt))
    if path is not None:
        sys.stderr.write(f"The receipt lies in {project.relative(path)}.\n")
    return 0


def open_project(folder: Path) -> Project:
    """The project in a folder, by the function that its ``pyproject.toml`` names.

    Raises:
        ConfigurationError: it names none, or one that can't be imported.
    """
    opened: Project = named_opening(folder, "erasure", purpose="a person could be erased from")(folder)
    return opened
