"""``countenance bench ijb``: evaluation of templates at IJB-C's size beside a plain float64 script."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.assessment.template_benchmark import Run, TemplateSpeed

DEFAULT_SHARE = 1 / 16


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Make up embeddings and a protocol of IJB-C's shape, evaluate them by a plain float64 script and by ours, each "
        "in a process of its own, and compare processor time, memory and counts. The plain script loops over templates "
        "and media, gathers two rows for every pair and sorts every score, step for step as public scripts and "
        "scikit-learn's roc_curve do. A minute at the default size."
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--share",
        type=number(float, least=1e-4, most=1.0),
        default=DEFAULT_SHARE,
        metavar="S",
        help="of IJB-C's images and pairs, and of its templates the root; default: 0.0625",
    )
    size.add_argument("--full", action="store_true", help="as large as IJB-C: minutes, and 4 GB of memory")
    parser.add_argument("--growth", action="store_true", help="also ours at a quarter and at half of the size")
    parser.add_argument(
        "--threads",
        type=number(int, least=1),
        default=1,
        metavar="N",
        help="of matrix products; more than one wait for each other, which counts as processor time; default: 1",
    )
    parser.add_argument(
        "--repeats",
        type=number(int, least=1),
        default=2,
        metavar="N",
        help="runs of each way, in turns, of which the one that took least is told; default: 2",
    )
    parser.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="for temporary files, 1.3 GB at full size; default: the system's"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.folder is not None and not arguments.folder.is_dir():
        arguments.parser.error(f"--folder {arguments.folder}: there is no such folder")
    from countenance.assessment.made_up_protocol import ProtocolSize
    from countenance.assessment.template_benchmark import measure_templates

    size = ProtocolSize() if arguments.full else ProtocolSize().scaled(arguments.share)
    measured = measure_templates(
        size,
        seed=arguments.seed,
        threads=arguments.threads,
        repeats=arguments.repeats,
        growth=arguments.growth,
        folder=arguments.folder,
    )
    sys.stdout.write(f"{json.dumps(_values(measured), indent=2)}\n" if arguments.json else _tables(measured))
    return 0


def _values(measured: TemplateSpeed) -> dict[str, Any]:
    from countenance.assessment.template_benchmark import STAGES

    return measured.to_dict() | {
        "ratios": {stage: measured.ratio(stage) for stage in STAGES} | {"total": measured.total_ratio},
        "identical_counts": measured.identical,
    }


def _tables(measured: TemplateSpeed) -> str:
    from countenance.assessment.template_benchmark import IDENTIFICATION, VERIFICATION_STAGES

    size, plain, ours = measured.size, measured.plain, measured.ours
    lines = [
        f"{size.images:,} embeddings of {size.dimension}, {size.templates:,} templates, {size.pairs:,} pairs "
        f"({size.mated:,} mated), {measured.threads} {'thread' if measured.threads == 1 else 'threads'}, "
        f"{'one run' if measured.repeats == 1 else f'the quickest of {measured.repeats} runs'} of each",
        "",
        f"{'processor seconds':<20}{'plain':>10}{'ours':>10}{'plain / ours':>15}",
    ]
    for stage in (*VERIFICATION_STAGES, "total", IDENTIFICATION):
        one, other = (way.total if stage == "total" else way.seconds[stage] for way in (plain, ours))
        lines.append(f"{stage:<20}{one:>10.2f}{other:>10.3f}{one / other:>15.1f}")
    lines += [
        f"{'peak memory, MiB':<20}{plain.peak_mebibytes:>10,.0f}{ours.peak_mebibytes:>10,.0f}",
        f"{'of it libraries':<20}{plain.idle_mebibytes:>10,.0f}{ours.idle_mebibytes:>10,.0f}",
        "",
        *_counts(measured),
    ]
    if measured.growth:
        lines += ["", *_growth(measured)]
    return "\n".join(lines) + "\n"


def _counts(measured: TemplateSpeed) -> list[str]:
    from countenance.assessment.identification import FPIRS, RANKS
    from countenance.assessment.template_verification import FARS

    plain, ours = measured.plain, measured.ours
    lines = [f"{'accepted at FAR':<20}{'plain, mated':>14}{'non-mated':>12}{'ours, mated':>14}{'non-mated':>12}"]
    for position, far in enumerate(FARS):
        counts = [(way.accepted[position], way.false_accepts[position]) for way in (plain, ours)]
        lines.append(f"{far:<20g}" + "".join(f"{_count(one):>14}{_count(other):>12}" for one, other in counts))
    lines.append("")
    titles = [f"rank {rank}" for rank in RANKS] + [f"FPIR {fpir:g}" for fpir in FPIRS]
    lines.append(f"{'found in 1:N at':<20}" + "".join(f"{title:>12}" for title in titles))
    for name, way in (("plain", plain), ("ours", ours)):
        for gallery, counts_of_gallery in enumerate(_searched(way), start=1):
            row = "".join(f"{_count(count):>12}" for count in counts_of_gallery)
            lines.append(f"{f'{name}, gallery {gallery}':<20}{row}")
    lines += ["", f"Counts are {'identical' if measured.identical else 'NOT identical'}."]
    return lines


def _searched(way: Run) -> list[tuple[int | None, ...]]:
    return [(*found, *identified) for found, identified in zip(way.found, way.identified, strict=True)]


def _count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _growth(measured: TemplateSpeed) -> list[str]:
    from countenance.assessment.template_benchmark import IDENTIFICATION

    _, whole = measured.growth[-1]
    lines = [f"{'ours at':<12}{'seconds':>10}{'of all':>9}{'1:N':>10}{'of all':>9}{'peak MiB':>10}"]
    for share, way in measured.growth:
        search = way.seconds[IDENTIFICATION]
        lines.append(
            f"{share:<12g}{way.total:>10.3f}{way.total / whole.total:>9.2f}"
            f"{search:>10.3f}{search / whole.seconds[IDENTIFICATION]:>9.2f}{way.peak_mebibytes:>10,.0f}"
        )
    return lines
