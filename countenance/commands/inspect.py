"""``countenance inspect``: what an import of a set would find, without importing it."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from countenance.commands.arguments import number

_PHOTOS: Final = 200


def add(subparsers: Any) -> None:
    """Add the verb's parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect",
        help="what an import of a set would find: counts, labels, licence, problems",
        description="Read a set of faces without importing it: counts, what is labelled, licence, the first problems. "
        "The exit status is 1 where an import would stop because too much is corrupt.",
        epilog="Sources and their options: docs/importers.md.",
    )
    parser.add_argument("source", metavar="SOURCE", help="the kind of set, e.g. celeba or record_io")
    parser.add_argument("folder", metavar="FOLDER", help="where it lies")
    parser.add_argument(
        "--photos", type=_photos, default=_PHOTOS, metavar="N|all", help=f"photos to decode; default: {_PHOTOS}"
    )
    parser.add_argument(
        "--problems", type=number(int, least=0), default=10, metavar="N", help="problems to list; default: 10"
    )
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the source, as in parameters_ingestion.yml; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")


def run(arguments: argparse.Namespace) -> int:
    """Inspect the set; 1 if an import of it would stop."""
    from countenance.data.dry_run import dry_run
    from countenance.data.dry_run_text import as_text, as_values
    from countenance.data.sources import build_importer

    importer = build_importer(arguments.source, arguments.folder, dict(arguments.option), where="--option")
    found = dry_run(importer, arguments.photos, problems=arguments.problems)
    if arguments.json:
        import json

        sys.stdout.write(json.dumps(as_values(found), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_text(found) + "\n")
    return 1 if found.would_stop else 0


def _photos(text: str) -> int | None:
    return None if text == "all" else number(int, least=0)(text)


def _option(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is not KEY=VALUE")
    return key, value
