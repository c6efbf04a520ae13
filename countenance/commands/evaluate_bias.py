"""``countenance evaluate bias``: errors by group, from embeddings, from predictions, or from both."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.assessment.arrays import AnyArray
    from countenance.assessment.bias_report import IdentityBias, TaskBias
    from countenance.assessment.cost import CostModel
    from countenance.assessment.groups import GroupSizes
    from countenance.assessment.intervals import Resampling
    from countenance.assessment.label_table import LabelTable

AS_THEY_ARE: Final = "scores as they are"
NORMALISED: Final = "scores normalised by the cohort"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Compare every face with every other and count false matches within and between groups at one threshold, "
        "false non-matches by group, and errors of gender, smile and age by group, each with its interval over "
        "subjects. Rows of embeddings and predictions are those of the labels, in the same order."
    )
    parser.add_argument("--labels", type=Path, required=True, metavar="CSV", help="a row a face, with a header")
    parser.add_argument(
        "--group",
        action="append",
        required=True,
        metavar="COLUMN",
        help="the attribute whose groups are compared; given twice, the cells of both",
    )
    parser.add_argument(
        "--subject", dest="person", default="subject_id", metavar="COLUMN", help="who it is; default: subject_id"
    )
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="NPY",
        help="[N, D], or [N, 2, D] of images and their mirror images, which are added up; zeros or NaN = not extracted",
    )
    parser.add_argument(
        "--cohort",
        type=Path,
        metavar="NPY",
        help="embeddings of other people: measure identity a second time, with scores normalised by them",
    )
    parser.add_argument(
        "--neighbours", type=number(int, least=2), default=100, metavar="N", help="of the cohort; default: 100"
    )
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        "--rate",
        type=number(float, least=1e-9, most=0.5),
        default=None,
        metavar="R",
        help="FMR over all comparisons at which the common threshold is set; default: 0.001",
    )
    threshold.add_argument(
        "--threshold", type=number(float, least=-1e6, most=1e6), metavar="T", help="the common threshold itself"
    )
    parser.add_argument(
        "--faces-per-subject", type=number(int, least=1), metavar="N", help="compare the first N of each; default: all"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="CSV",
        help="with any of the labels' columns gender, smiling and age_years, as a model says them",
    )
    parser.add_argument(
        "--adjust",
        action="append",
        default=[],
        metavar="COLUMN",
        help="of the labels, a number that gaps are also shown without, e.g. yaw_deg; any number of times",
    )
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="YML",
        help="of wrong decisions, for money by group: the keys of a use case in conf/base/parameters_evaluation.yml",
    )
    parser.add_argument("--minimum", type=number(int, least=1), default=10, metavar="N",
                        help="subjects under which nothing is shown of a group; default: 10")  # fmt: skip
    parser.add_argument("--sufficient", type=number(int, least=1), default=100, metavar="N",
                        help="subjects under which a group is insufficient; default: 100")  # fmt: skip
    parser.add_argument("--resamples", type=number(int, least=10), default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="default: 0")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the report there")
    parser.add_argument("--json", action="store_true", help="print the report as JSON in place of tables")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write and print."""
    if arguments.embeddings is None and arguments.predictions is None:
        arguments.parser.error("give --embeddings, --predictions or both")
    if arguments.cohort is not None and (arguments.embeddings is None or arguments.threshold is not None):
        arguments.parser.error("--cohort changes the scores of --embeddings: give a --rate in place of a threshold")
    if len(arguments.group) > 2:
        arguments.parser.error("--group can be given twice at most: cells of three attributes hold hardly anybody")
    from countenance.assessment.groups import GroupSizes
    from countenance.assessment.intervals import Resampling
    from countenance.assessment.label_table import LabelTable

    labels = LabelTable(arguments.labels)
    sizes = GroupSizes(minimum=arguments.minimum, sufficient=arguments.sufficient)
    resampling = Resampling(seed=arguments.seed, resamples=arguments.resamples)
    identity = {} if arguments.embeddings is None else _identity(arguments, labels, sizes, resampling)
    tasks = {} if arguments.predictions is None else _tasks(arguments, labels, sizes, resampling)
    report = {
        "kind": "bias",
        "version": 1,
        "groups": " x ".join(arguments.group),
        "identity": identity[AS_THEY_ARE].to_dict() if identity else None,
        "normalised": identity[NORMALISED].to_dict() if NORMALISED in identity else None,
        "tasks": {name: found.to_dict() for name, found in tasks.items()},
    }
    if arguments.out is not None:
        _write(arguments.out, report)
    from countenance.commands.bias_tables import bias_tables

    text = json.dumps(report, indent=2) if arguments.json else bias_tables(" x ".join(arguments.group), identity, tasks)
    sys.stdout.write(f"{text}\n")
    return 0


def _identity(
    arguments: argparse.Namespace, labels: LabelTable, sizes: GroupSizes, resampling: Resampling
) -> dict[str, IdentityBias]:
    import numpy as np
    import pandas as pd

    from countenance.assessment.bias_report import identity_bias
    from countenance.assessment.embedding_file import read_embeddings
    from countenance.assessment.exhaustive_pairs import Samples
    from countenance.assessment.score_normalisation import CohortNormalisation, NormalisationConfiguration
    from countenance.errors import AssessmentError

    rows, subjects = read_embeddings(arguments.embeddings), labels.words(arguments.person)
    if len(rows) != len(labels):
        raise AssessmentError(
            f"{arguments.embeddings} has {len(rows):,} rows and {arguments.labels} {len(labels):,}: "
            "give one row a face in both, in the same order."
        )
    named = np.array([name is not None for name in subjects], dtype=np.bool_)
    if arguments.faces_per_subject is not None:
        named &= pd.Series(subjects).groupby(subjects).cumcount().to_numpy() < arguments.faces_per_subject
    rate = 1e-3 if arguments.rate is None and arguments.threshold is None else arguments.rate
    groups = labels.groups_of_subjects(arguments.person, arguments.group)
    ways = {AS_THEY_ARE: Samples.of(rows[named], subjects[named])}
    if arguments.cohort is not None:
        near = NormalisationConfiguration(neighbours=arguments.neighbours)
        cohort = CohortNormalisation(read_embeddings(arguments.cohort), near)
        ways[NORMALISED] = ways[AS_THEY_ARE].normalised(cohort)
    prices = None if arguments.prices is None else _prices(arguments.prices)
    return {
        way: identity_bias(
            samples,
            groups,
            rate=rate,
            threshold=arguments.threshold,
            prices=prices,
            sizes=sizes,
            resampling=resampling,
        )
        for way, samples in ways.items()
    }


def _prices(path: Path) -> CostModel:
    import yaml

    from countenance.assessment.cost import CostModel
    from countenance.configuration import narrow
    from countenance.errors import AssessmentError

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise AssessmentError(f"{path} cannot be read as YAML: write the prices as 'key: value' lines.") from error
    if not isinstance(values, dict):
        raise AssessmentError(f"{path} holds no prices: write them as 'key: value' lines.")
    return narrow(CostModel, values, where=str(path))


def _tasks(
    arguments: argparse.Namespace, labels: LabelTable, sizes: GroupSizes, resampling: Resampling
) -> dict[str, TaskBias]:
    from countenance.assessment.bias_report import task_bias
    from countenance.assessment.label_table import LabelTable
    from countenance.assessment.predicted_tasks import scored_tasks

    said = LabelTable(arguments.predictions)
    scored = scored_tasks(labels, said)
    subjects: AnyArray | None = labels.words(arguments.person) if arguments.person in labels.columns else None
    covariates = {column: labels.numbers(column) for column in arguments.adjust}
    groups = labels.cells(arguments.group)
    return {
        name: task_bias(scores, groups, subjects=subjects, covariates=covariates, sizes=sizes, resampling=resampling)
        for name, scores in scored.items()
    }


def _write(path: Path, report: dict[str, Any]) -> None:
    from countenance.storage import write_aside

    with write_aside(path) as aside:
        aside.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
