"""``countenance evaluate ijb``: templates, 1:1 and 1:N, as IJB-B and IJB-C report them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from countenance.commands.arguments import number
from countenance.commands.output_paths import check_outputs
from countenance.commands.report_output import (
    add_level,
    add_output_options,
    counted,
    failure_line,
    percent,
    plot_lines,
    print_report,
    table,
    verification_lines,
    write_report,
)

_EPILOG: Final = """\
DIR holds the published lists of IJB-B or IJB-C (*_face_tid_mid.txt, *_template_pair_label.txt and, where they are at
hand, *_name_5pts_score.txt, *_1N_gallery_*.csv, *_1N_probe_mixed.csv), in it or in its folder meta, or what countenance
protocol convert or make wrote. Row i of E.npy is sample i of it. What E.npy.json records as failures is left out of its
template; a template without any sample left never matches, and stays in all counts.
"""
_SIZES: Final = ("templates", "mated_probes", "non_mated_probes")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Make templates of embeddings and compare and search them as IJB-B and IJB-C say: TAR at FAR 1e-6 to 1e-1 with "
        "counts and intervals over subjects, and ranks and TPIR at FPIR of each gallery by itself and on average."
    )
    parser.epilog = _EPILOG
    parser.add_argument(
        "--embeddings",
        type=Path,
        required=True,
        metavar="E.npy",
        help="float32 [N, D], or [N, 2, D] with mirror images",
    )
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR", help="which samples and comparisons")
    parser.add_argument(
        "--duplicated-pairs",
        choices=("refuse", "keep"),
        default="refuse",
        help="a comparison that is listed twice: stop there, or count both; default: refuse",
    )
    _add_template_options(parser)
    _add_reading(parser)
    add_output_options(parser)
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="write DET and ROC curves there, as det and roc .svg and .png"
    )


def _add_template_options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how")
    how.add_argument(
        "--flip",
        choices=("sum", "first"),
        default="sum",
        help="of a row of two embeddings, add both, or take that of the image alone; default: sum",
    )
    how.add_argument(
        "--normalise-samples",
        action="store_true",
        help="scale each embedding to unit length before the mean; default: its norm weighs it",
    )
    how.add_argument(
        "--no-detector-score", action="store_true", help="don't weigh embeddings by the protocol's detector scores"
    )
    how.add_argument(
        "--rule",
        choices=("threshold", "insightface_compat"),
        default="threshold",
        help="where TAR is read: at the threshold that keeps the FAR at or under its target (default), or, to compare "
        "with published figures, at the nearest ROC point, which may exceed it",
    )
    add_level(how)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    reading = parser.add_argument_group("reading")
    reading.add_argument(
        "--follow", action="store_true", help="read along while countenance embed is still writing E.npy"
    )
    reading.add_argument(
        "--give-up-after",
        type=number(float, least=0.0),
        metavar="SECONDS",
        help="with --follow: stop when nothing was finished for so long; default: never",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write and print."""
    if arguments.give_up_after is not None and not arguments.follow:
        arguments.parser.error("--give-up-after is for --follow")
    check_outputs(arguments.out, arguments.plots, (arguments.embeddings, arguments.protocol))
    from countenance.assessment.template_report import assess_templates
    from countenance.assessment.templates import TemplateOptions
    from countenance.commands.protocol_embeddings import open_embeddings, templates_of
    from countenance.data.protocols.parquet_protocol import open_protocol, samples_origin

    options = TemplateOptions(
        flip=arguments.flip,
        normalise_samples=arguments.normalise_samples,
        weigh_by_detector_score=not arguments.no_detector_score,
    )
    embeddings = open_embeddings(arguments.embeddings, follow=arguments.follow, give_up_after_s=arguments.give_up_after)
    protocol = open_protocol(arguments.protocol, duplicated_pairs=arguments.duplicated_pairs)
    templates = templates_of(embeddings, protocol, samples_origin(arguments.protocol), options)
    report = assess_templates(
        templates,
        protocol,
        options=options,
        rule=arguments.rule,
        level=arguments.level,
        model=arguments.name or embeddings.model,
    ).to_dict()
    write_report(report, arguments.out)
    lines = report_lines(report)
    if arguments.plots is not None:
        from countenance.reporting.verification_plots import write_verification_plots

        lines += plot_lines(write_verification_plots(report, arguments.plots))
    print_report(report, lines, as_json=arguments.json)
    return 0


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report as tables."""
    size, options = report["protocol"], report["options"]
    length = "scaled to unit length" if options["normalise_samples"] else "as long as given"
    mirror = "the image alone" if options["flip"] == "first" else "image and mirror image added, where there are both"
    lines = [
        f"{report['model'] or 'embeddings'} on {size['name']}: {counted(size['samples'], 'samples')}, "
        f"{counted(size['templates'], 'templates')}, {counted(size['pairs'], 'pairs')} ({size['mated_pairs']:,} mated)",
        f"Templates: {mirror}; samples {length}, "
        f"{'' if options['weigh_by_detector_score'] else 'not '}weighed by detector score.",
        failure_line(report["failures"]),
        "",
        f"1:1 by the rule '{options['rule']}'",
        *verification_lines(report["verification"], options["level"]),
    ]
    if report["identification"] is not None:
        lines += ["", "1:N, each gallery by itself", *_identification_lines(report["identification"])]
    else:
        lines += ["", f"{report['identification_note']}."]
    return lines


def _identification_lines(found: Mapping[str, Any]) -> list[str]:
    titles = ["gallery", "templates", "mated probes", "non-mated"]
    titles += [f"rank {one['rank']}" for one in found["ranks"]]
    titles += [f"TPIR at FPIR {one['fpir']:g}" for one in found["tpirs"]]
    rows = [
        [gallery["gallery"], *(f"{gallery[name]:,}" for name in _SIZES), *_rates(gallery)]
        for gallery in found["galleries"]
    ]
    rows.append(["average", "", "", "", *_rates(found)])
    return [*table(titles, rows), *_not_measurable(found["galleries"])]


def _rates(found: Mapping[str, Any]) -> list[str]:
    return [percent(one["rate"]) for one in found["ranks"]] + [percent(one["tpir"]) for one in found["tpirs"]]


def _not_measurable(galleries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why a dash stands where it stands."""
    notes = []
    for gallery in galleries:
        if not gallery["mated_probes"]:
            notes.append(f"{gallery['gallery']}: not measurable, as no probe is mated in it.")
            continue
        notes += [
            f"{gallery['gallery']}: not measurable at FPIR {one['fpir']:g}, which is below 1 in "
            f"{gallery['non_mated_probes']:,} non-mated probes."
            for one in gallery["tpirs"]
            if one["tpir"] is None
        ]
    return notes
