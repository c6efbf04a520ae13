"""``countenance evaluate attributes``."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from countenance.commands.arguments import number
from countenance.commands.measurement_table import LINE_WIDTH, add_report_options, measurement_lines, resampling_of
from countenance.commands.output_paths import check_outputs
from countenance.commands.report_output import counted, plot_lines, print_report, write_report

if TYPE_CHECKING:
    from countenance.assessment.attribute_assessment import AttributeConfiguration
    from countenance.assessment.attribute_report import AttributeReport
    from countenance.assessment.results import Measurement
    from countenance.commands.attribute_inputs import AttributeInputs


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.description = (
        "Measure what a model says of labelled faces: gender and smile accuracy, age error and the epsilon-error of "
        "apparent age, head pose, and landmarks by yaw and as a cumulative error curve. What isn't labelled, or of "
        "which the model says nothing, has no value and says why."
    )
    parser.epilog = "Columns and forms of both tables: docs/evaluation.md, heading Attributes."
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        metavar="P",
        help="what the model says: .parquet or .csv with face_id, as the evaluation room writes it; or the JSON of "
        "'countenance analyze --json', joined by photo and box",
    )
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="L", help=".parquet or .csv with face_id, or a face manifest"
    )
    parser.add_argument(
        "--split", metavar="SPLIT", help="of a table that has splits; 'all' takes every face; default: test"
    )
    parser.add_argument(
        "--protocol", metavar="NAME", help="what the labelled set is called; default: the labels' file and split"
    )
    parser.add_argument(
        "--leave-out-beyond",
        type=number(float, least=1.0),
        metavar="DEG",
        help="leave faces with a larger labelled angle out of the pose, e.g. 99 on AFLW2000-3D",
    )
    parser.add_argument(
        "--unanswered-ages-count-as-one",
        action="store_true",
        help="a labelled face without a predicted age has the epsilon-error 1, as in the ChaLearn challenge",
    )
    add_report_options(parser, "the cumulative error curves of landmarks")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print."""
    check_outputs(arguments.out, arguments.plots, (arguments.predictions, arguments.labels))
    from countenance.assessment.attribute_assessment import AttributeConfiguration
    from countenance.commands.attribute_inputs import read_attribute_inputs

    inputs = read_attribute_inputs(
        arguments.predictions,
        arguments.labels,
        split=arguments.split,
        unanswered_ages=arguments.unanswered_ages_count_as_one,
    )
    configuration = AttributeConfiguration(
        resampling=resampling_of(arguments),
        leave_out_beyond_deg=arguments.leave_out_beyond,
        unanswered_count_as_one=arguments.unanswered_ages_count_as_one,
    )
    report = _report(arguments, inputs, configuration)
    write_report(report.to_dict(), arguments.out)
    lines = _lines(report, inputs.not_searched)
    if arguments.plots is not None:
        lines += plot_lines(_draw(report, arguments.plots))
    print_report(report.to_dict(), lines, as_json=arguments.json)
    return 0


def _report(
    arguments: argparse.Namespace, inputs: AttributeInputs, configuration: AttributeConfiguration
) -> AttributeReport:
    from countenance.assessment.arrays import RowError
    from countenance.assessment.attribute_report import report_attributes
    from countenance.commands.attribute_inputs import split_name
    from countenance.errors import AssessmentError

    try:
        return report_attributes(
            inputs.predictions.rows,
            inputs.labels.rows,
            model=arguments.name,
            protocol=arguments.protocol or split_name(inputs.labels, arguments.split),
            configuration=configuration,
            not_found=inputs.not_found,
        )
    except AssessmentError as error:
        wrong = error if isinstance(error, RowError) else error.__cause__
        if not isinstance(wrong, RowError):
            raise
        more = f" (and {wrong.more:,} more like it)" if wrong.more else ""
        raise AssessmentError(
            f"In {inputs.labels.place(wrong.row)}, or in {inputs.predictions.place(wrong.row)}, {wrong.problem}{more}: "
            "mend or drop it."
        ) from error


def _draw(report: AttributeReport, folder: Path) -> tuple[Path, ...]:
    from countenance.assessment.attribute_report import curve_title
    from countenance.reporting.curve_files import CurvePlot, write_curve_plot

    lines = {curve_title(name): (curve.limits, curve.share) for name, curve in report.curves.items()}
    plot = CurvePlot(
        file="landmark_errors",
        title="Cumulative landmark errors",
        x_label="error, as a share of what it is divided by",
        y_label="share of faces with at most this error",
        lines=lines,
    )
    return write_curve_plot(plot, folder)


def _lines(report: AttributeReport, not_searched: int) -> list[str]:
    from countenance.assessment.attribute_report import figure_title
    from countenance.assessment.results import NOT_LABELLED

    protocol = report.protocol
    name = f"{report.model} on " if report.model else ""
    lines = [f"{name}{protocol['name']}: {counted(protocol['faces'], 'faces')}, {protocol['subjects']:,} named people"]
    if report.failures["faces"]:
        lines.append(f"{report.failures['faces']:,} labelled faces were not found, and are in no figure")
    if not_searched:
        lines.append(f"{not_searched:,} labelled faces are in photos that were not looked through")
    shown: dict[str, dict[str, Measurement]] = {}
    unlabelled = list[str]()
    for name, figure in report.figures.items():
        heading, title = figure_title(name)
        if figure.note == NOT_LABELLED:
            # As lines of a table they would only be noise.
            unlabelled.append(f"{heading}: {title}" if heading else title)
        else:
            shown.setdefault(heading, {})[title] = figure
    lines += ["", *measurement_lines(shown, report.options["level"])]
    if unlabelled:
        lines += ["", *textwrap.wrap(f"not labelled: {'; '.join(unlabelled)}", LINE_WIDTH)]
    return lines
