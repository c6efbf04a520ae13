"""``countenance protocol``: check a template protocol, convert it, or make one of any set whose people are known."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.data.protocols.template_protocol import TemplateProtocol

_DUPLICATED: Final = "a comparison that is listed twice: stop there, or count both; default: refuse"


def add(subparsers: Any) -> None:
    """Add the verb's parser and those of its actions."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "protocol",
        help="check, convert or make a template protocol",
        description="Check a template protocol, convert IJB-B's or IJB-C's lists to Parquet, or make a protocol of "
        "their shape from any set whose people are known.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_check(actions)
    _add_convert(actions)
    _add_make(actions)


def _add_check(actions: Any) -> None:
    check = actions.add_parser(
        "check",
        help="count what a protocol holds, or say what is wrong with it and where",
        description="Read a protocol of either form, and print how large it is, or its first problem with file "
        "and line.",
    )
    check.add_argument("folder", type=Path, metavar="DIR", help="IJB-B's or IJB-C's lists, or a Parquet protocol")
    check.add_argument("--duplicated-pairs", choices=("refuse", "keep"), default="refuse", help=_DUPLICATED)
    check.add_argument("--json", action="store_true", help="print JSON in place of a table")


def _add_convert(actions: Any) -> None:
    convert = actions.add_parser(
        "convert",
        help="write IJB-B's or IJB-C's lists as Parquet, once, which is read in a moment",
        description="Read and check the published lists of IJB-B or IJB-C, and write them as Parquet tables.",
    )
    convert.add_argument(
        "folder", type=Path, metavar="DIR", help="with the published lists, in it or in its folder meta"
    )
    convert.add_argument("out", type=Path, metavar="OUT", help="the folder to write; a protocol there is replaced")
    convert.add_argument("--duplicated-pairs", choices=("refuse", "keep"), default="refuse", help=_DUPLICATED)
    convert.add_argument("--json", action="store_true", help="print JSON in place of a table")


def _add_make(actions: Any) -> None:
    make = actions.add_parser(
        "make",
        help="make a protocol of IJB's shape from a manifest of faces whose people are known",
        description="Split the people with two or more photos over two galleries, each with a gallery template and "
        "probe templates of other photos. Samples are named by their face_id (of a .csv: their photo).",
    )
    at_least_one = number(int, least=1)
    make.add_argument(
        "manifest",
        type=Path,
        metavar="MANIFEST",
        help="a manifest of faces (.parquet), or a .csv with photo, subject_id and perhaps five points x1 y1 ... x5 y5",
    )
    make.add_argument("out", type=Path, metavar="OUT", help="the folder to write; a protocol there is replaced")
    make.add_argument("--split", default="test", metavar="NAME", help="of the manifest, or 'all'; default: test")
    make.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="of all draws; default: 0")
    make.add_argument("--name", default="made", help="of the protocol; default: made")
    make.add_argument("--samples-per-template", type=at_least_one, default=4, metavar="N", help="at most; default: 4")
    make.add_argument("--probes-per-subject", type=at_least_one, default=3, metavar="N", help="at most; default: 3")
    make.add_argument(
        "--non-mated-pairs", type=at_least_one, default=1_000_000, metavar="N", help="drawn of all; default: 1,000,000"
    )
    make.add_argument(
        "--medium",
        default="photo_sha256",
        metavar="COLUMN",
        help="whose equal values are one medium, e.g. a column that names videos; default: photo_sha256",
    )
    make.add_argument(
        "--frames-per-video",
        type=at_least_one,
        default=1,
        metavar="N",
        help="above 1, every second medium of a template is a video of up to so many of its photos; default: 1",
    )
    make.add_argument(
        "--leave-out-single-media", action="store_true", help="people with one photo only; default: non-mated probes"
    )
    make.add_argument("--json", action="store_true", help="print JSON in place of a table")


def run(arguments: argparse.Namespace) -> int:
    """Check, convert or make."""
    counts = _ACTIONS[arguments.action](arguments)
    sys.stdout.write(json.dumps(counts, indent=1) + "\n" if arguments.json else _text(counts))
    return 0


def _check(arguments: argparse.Namespace) -> dict[str, Any]:
    from countenance.data.protocols.parquet_protocol import open_protocol

    protocol = open_protocol(arguments.folder, duplicated_pairs=arguments.duplicated_pairs)
    return _counts(protocol)


def _counts(protocol: TemplateProtocol) -> dict[str, Any]:
    from countenance.assessment.template_protocol_lists import why_not_searched

    counts = protocol.counts()
    note = why_not_searched(len(counts["galleries"]), counts["probes"])
    return {"name": protocol.name, **counts, "identification_note": note}


def _convert(arguments: argparse.Namespace) -> dict[str, Any]:
    from countenance.data.protocols.parquet_protocol import convert

    protocol = convert(arguments.folder, arguments.out, duplicated_pairs=arguments.duplicated_pairs)
    return _counts(protocol)


def _make(arguments: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from countenance.data.protocols.identity_lists import read_identities, with_listed_points
    from countenance.data.protocols.made_protocol import made_protocol
    from countenance.data.protocols.parquet_protocol import write_parquet_protocol
    from countenance.storage import file_sha256

    protocol = made_protocol(
        read_identities(arguments.manifest, split=arguments.split, medium=arguments.medium),
        generator=np.random.default_rng(arguments.seed),
        name=arguments.name,
        samples_per_template=arguments.samples_per_template,
        probes_per_subject=arguments.probes_per_subject,
        non_mated_pairs=arguments.non_mated_pairs,
        medium=arguments.medium,
        frames_per_video=arguments.frames_per_video,
        single_medium_probes=not arguments.leave_out_single_media,
    ).protocol
    if arguments.manifest.suffix.lower() == ".csv":
        protocol = with_listed_points(protocol, arguments.manifest)
    sources = {arguments.manifest.name: file_sha256(arguments.manifest)}
    write_parquet_protocol(protocol, arguments.out, sources=sources)
    return _counts(protocol)


_ACTIONS: Final[dict[str, Callable[[argparse.Namespace], dict[str, Any]]]] = {
    "check": _check,
    "convert": _convert,
    "make": _make,
}


def _text(counts: Mapping[str, Any]) -> str:
    lines = [f"{'protocol':<12}{counts['name']:>12}"]
    for name in ("samples", "templates", "pairs", "mated_pairs"):
        lines.append(f"{name.replace('_', ' '):<12}{counts[name]:>12,}")
    lines += [f"{f'gallery {name}':<12}{count:>12,}" for name, count in counts["galleries"].items()]
    lines.append(f"{'probes':<12}{counts['probes']:>12,}")
    if counts["identification_note"]:
        lines.append(f"{counts['identification_note']}.")
    return "\n".join(lines) + "\n"
