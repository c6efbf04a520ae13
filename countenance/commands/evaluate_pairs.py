"""``countenance evaluate pairs``: accuracy over folds and TAR at FAR on pairs of photos."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.arguments import number
from countenance.commands.output_paths import check_outputs
from countenance.commands.report_output import add_level, add_output_options, plot_lines, print_report, write_report

if TYPE_CHECKING:
    from countenance.assessment.pair_report import PairReport

FORMATS: Final = ("lfw", "bin", "rfw", "bfw", "parquet")
_DESCRIPTION: Final = """\
Compare photos in pairs and tell how often the decision is right: accuracy over folds, each at the
threshold that is best on the other folds, and the true accept rate (TAR) at false accept rates, which
are never exceeded. Where the list has groups (RFW, BFW), also each group's accuracy, and its errors at
one threshold for all. Photos that countenance embed recorded as failures are never matched, and counted.
"""
_EPILOG: Final = """\
Example, LFW with a recogniser of your own:
  countenance embed lfw/photos --points lfw/faces.csv --model model.onnx --out E.npy
  countenance evaluate pairs --embeddings E.npy --rows lfw/faces.csv --pairs lfw/pairs.txt --out report.json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_argument_group("what is evaluated")
    what.add_argument(
        "--embeddings", type=Path, required=True, metavar="E.npy", help="[N, D], or [N, 2, D] with mirror images"
    )
    what.add_argument(
        "--pairs",
        type=Path,
        required=True,
        metavar="FILE",
        help="LFW's pairs.txt, a verification pack (.bin), RFW's <Race>_pairs.txt or their folder, BFW's .csv, or a "
        ".parquet with first, second, mated, fold and perhaps group",
    )
    what.add_argument("--format", choices=FORMATS, help="of the pairs; default: by the name of FILE")
    what.add_argument(
        "--rows",
        type=Path,
        metavar="FILE",
        help="which photo each row of E.npy is of: the file that countenance embed took (a .csv with a photo column, "
        "IJB's *_name_5pts_score.txt, or a name a line); a .bin needs none",
    )
    what.add_argument("--ending", metavar="EXT", help="of the photos' names, for lfw and rfw; default: .jpg")
    what.add_argument("--set", metavar="NAME", help="of the set; default: after the list, or its folder")
    _add_rules(parser)
    add_output_options(parser)
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help="draw DET and ROC curves there, as det and roc .svg and .png"
    )


def _add_rules(parser: argparse.ArgumentParser) -> None:
    rules = parser.add_argument_group("how")
    rules.add_argument(
        "--flip",
        choices=("sum", "first"),
        default="sum",
        help="of [N, 2, D]: add the mirror image's embedding, or take the photo's alone; default: sum",
    )
    rules.add_argument("--folds", type=_folds, metavar="LIST", help="only these, such as 1-5 or 2,4; default: all")
    rules.add_argument(
        "--common-far",
        type=number(float, least=1e-9, most=0.999),
        default=1e-3,
        metavar="FAR",
        help="over all pairs; its threshold is the one at which groups are compared; default: 0.001",
    )
    add_level(rules)


def _folds(text: str) -> list[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*(?:-\s*([1-9][0-9]{0,5}))?\s*", part)
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise argparse.ArgumentTypeError(f"'{text}' is no list of folds: write it such as 1-5 or 2,4")
        numbers |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    return sorted(numbers)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write and print."""
    inputs = (arguments.embeddings, arguments.pairs, arguments.rows)
    check_outputs(arguments.out, arguments.plots, inputs)
    from countenance.commands.pair_tables import pair_lines

    report = _report(arguments).to_dict()
    write_report(report, arguments.out)
    lines = pair_lines(report)
    if arguments.plots is not None:
        from countenance.reporting.verification_plots import write_verification_plots

        lines += plot_lines(write_verification_plots(report, arguments.plots))
    print_report(report, lines, as_json=arguments.json)
    return 0


def _report(arguments: argparse.Namespace) -> PairReport:
    from countenance.assessment.arrays import RowError
    from countenance.assessment.pair_report import PairOptions, assess_pairs
    from countenance.commands import pair_inputs
    from countenance.errors import DataError

    path: Path = arguments.pairs
    form = arguments.format or pair_inputs.pair_format(path)
    _check(arguments, form)
    pairs = pair_inputs.read_pairs(path, form, arguments.ending or pair_inputs.PHOTO_ENDING)
    pairs = pair_inputs.chosen_folds(pairs, arguments.folds, path)
    given = pair_inputs.join_embeddings(pairs, form, path, arguments.embeddings, arguments.rows)
    try:
        return assess_pairs(
            given.embeddings,
            given.first,
            given.second,
            pairs.mated,
            pairs.fold,
            group=pairs.group,
            subjects=given.subjects,
            failed=given.failed,
            options=PairOptions(flip=arguments.flip, common_far=arguments.common_far, level=arguments.level),
            name=arguments.set or pair_inputs.set_name(path),
            sha256=pairs.sha256(),
            model=arguments.name or given.model,
        )
    except RowError as error:
        more = f" (and {error.more:,} more like it)" if error.more else ""
        place = f"{arguments.embeddings}, row {error.row} counted from 0 ({given.names.origin.place(error.row)})"
        raise DataError(
            f"In {place}, {error.problem}{more}: embed the photo again, or have it recorded as a failure "
            "(countenance embed --record-unusable)."
        ) from error


def _check(arguments: argparse.Namespace, form: str) -> None:
    parser: Any = arguments.parser
    if form == "bin" and arguments.rows is not None:
        parser.error("row i of a pack's embeddings is its photo i: leave --rows away")
    if form != "bin" and arguments.rows is None:
        parser.error("--rows FILE must tell which photo each row of the embeddings is of")
    if arguments.ending is not None and form not in ("lfw", "rfw"):
        parser.error(f"the names in a {form} list have endings: leave --ending away")
