"""``countenance evaluate detection``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from countenance.commands.measurement_table import add_report_options, measurement_lines, resampling_of
from countenance.commands.output_paths import check_outputs
from countenance.commands.report_output import counted, plot_lines, print_report, write_report

if TYPE_CHECKING:
    from countenance.assessment.detection_report import DetectionReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = (
        "Measure which faces a detector found, and with how many false ones: by WIDER FACE's rules on its validation "
        "part, by FDDB's, or on the photos of a manifest of our own."
    )
    parser.epilog = "The files of each set: docs/evaluation.md, heading Detection."
    parser.add_argument("--set", choices=tuple(_SETS), required=True, help="whose files and rules")
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="T",
        help="wider: the folder with wider_face_val.mat and wider_easy_val.mat ..., or wider_face_val_bbx_gt.txt; "
        "fddb: the folder FDDB-folds; manifest: a face manifest",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="P",
        help="wider: the folder with EVENT/PHOTO.txt; fddb: a text file or a folder of them; manifest: the table of "
        "found faces that the evaluation room writes, or the JSON of 'countenance analyze --json'",
    )
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="fddb: originalPics; areas then end at each photo's border"
    )
    parser.add_argument(
        "--one-thousand-thresholds",
        action="store_true",
        help="wider: read the curve at 1,000 thresholds as the published code does, not at every score",
    )
    parser.add_argument("--split", metavar="SPLIT", help="manifest: whose photos; default: test")
    add_report_options(parser, "precision against recall, or the rates against false faces,")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    _check(arguments)
    check_outputs(arguments.out, arguments.plots, (arguments.predictions, arguments.truth, arguments.photos))
    report = _SETS[arguments.set](arguments)
    write_report(report.to_dict(), arguments.out)
    lines = _lines(report)
    if arguments.plots is not None:
        lines += plot_lines(_draw(report, arguments.plots))
    print_report(report.to_dict(), lines, as_json=arguments.json)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    for option, given, of in (
        ("--photos", arguments.photos, "fddb"),
        ("--one-thousand-thresholds", arguments.one_thousand_thresholds, "wider"),
        ("--split", arguments.split, "manifest"),
    ):
        if given and arguments.set != of:
            arguments.parser.error(f"{option} belongs to --set {of}")


def _wider(arguments: argparse.Namespace) -> DetectionReport:
    from countenance.assessment.detection_report import report_wider_face
    from countenance.data.protocols.wider_face import read_wider_face_found, read_wider_face_labels

    labels = read_wider_face_labels(arguments.truth)
    found = read_wider_face_found(arguments.predictions, labels.photos)
    return report_wider_face(
        labels.regions,
        labels.subsets,
        found.regions,
        found.scores,
        model=arguments.name,
        thresholds="one_thousand" if arguments.one_thousand_thresholds else "every_score",
        resampling=resampling_of(arguments),
    )


def _fddb(arguments: argparse.Namespace) -> DetectionReport:
    from countenance.assessment.detection_report import report_fddb
    from countenance.data.protocols.fddb import read_fddb_found, read_fddb_labels, read_fddb_photo_sizes

    labels = read_fddb_labels(arguments.truth)
    found = read_fddb_found(arguments.predictions, labels.photos)
    sizes = None if arguments.photos is None else read_fddb_photo_sizes(arguments.photos, labels.photos)
    return report_fddb(
        labels.regions,
        found.regions,
        found.scores,
        model=arguments.name,
        photo_sizes=sizes,
        resampling=resampling_of(arguments),
    )


def _manifest(arguments: argparse.Namespace) -> DetectionReport:
    from countenance.assessment.detection_report import report_found_boxes
    from countenance.commands.detection_inputs import read_detection_inputs

    inputs = read_detection_inputs(arguments.predictions, arguments.truth, split=arguments.split)
    return report_found_boxes(
        inputs.labelled,
        inputs.found,
        inputs.scores,
        model=arguments.name,
        protocol=inputs.name,
        subjects=inputs.subjects,
        unread=inputs.unread,
        resampling=resampling_of(arguments),
    )


_SETS: Final[dict[str, Callable[[argparse.Namespace], DetectionReport]]] = {
    "wider": _wider,
    "fddb": _fddb,
    "manifest": _manifest,
}


def _draw(report: DetectionReport, folder: Path) -> tuple[Path, ...]:
    from countenance.reporting.curve_files import CurvePlot, Line, write_curve_plot

    lines: dict[str, Line] = {}
    for name, curve in report.curves.items():
        if "precision" in curve:
            lines[name] = (curve["recall"], curve["precision"])
        elif "discrete" in curve:
            lines |= {score: (curve["false_faces"], curve[score]) for score in ("discrete", "continuous")}
        else:
            lines["all faces"] = (curve["false_per_photo"], curve["recall"])
    words = {
        "WIDER FACE": ("precision_recall", "Precision and recall", "recall", "precision"),
        "FDDB": ("rates", "Found faces", "false faces", "true positive rate"),
    }
    other = ("recall", "Found faces", "false faces a photo", "recall")
    file, title, x_label, y_label = words.get(report.options["rule"], other)
    plot = CurvePlot(file=file, title=title, x_label=x_label, y_label=y_label, lines=lines)
    return write_curve_plot(plot, folder)


def _lines(report: DetectionReport) -> list[str]:
    from countenance.assessment.detection_report import figure_title

    protocol = report.protocol
    name = f"{report.model} on " if report.model else ""
    lines = [
        f"{name}{protocol['name']}: {counted(protocol['photos'], 'photos')}, "
        f"{counted(protocol['faces'], 'labelled faces')}"
    ]
    if report.failures["photos"]:
        lines.append(f"{counted(report.failures['photos'], 'photos')} could not be analysed: nothing was found there")
    figures = {figure_title(name): figure for name, figure in report.figures.items()}
    lines += ["", *measurement_lines({"": figures}, report.options["level"])]
    for score, rates in report.rates.items():
        for at in rates:
            limit = "no threshold" if at.threshold is None else f"threshold {at.threshold:g}"
            lines.append(
                f"{score}, at most {at.allowed:,} false faces: {limit}, {at.false_faces:,} false, "
                f"{at.true_positives:,.6g} of {at.faces:,}"
            )
    return lines
