"""Identity errors of one model's embeddings by group, over every comparison of its held-out faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from countenance.assessment.cost import CostModel
from countenance.assessment.cost_report import CostReport, cost_report_of
from countenance.assessment.differential import Differential, differential_of
from countenance.assessment.exhaustive_errors import CrossGroupFmr, ExhaustiveErrorCounts, cross_group_fmr
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes, cross_groups
from countenance.assessment.held_out import AssessmentConfiguration, compared_faces, embeddings_of
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Result


@dataclass(frozen=True)
class GroupCells(Result):
    """The cells that one attribute, or two crossed, cut the subjects into.

    Attributes:
        differential: FMR and FNMR of each cell, and how unequal they are.
        matrix: FMR within and between cells.
    """

    differential: Differential
    matrix: CrossGroupFmr


def high_scores(rows: pd.DataFrame, threshold: float, assessment: AssessmentConfiguration) -> HighScores:
    """Compare every named face of joined rows with every other; keep what scores above the threshold."""
    named = compared_faces(rows, assessment)
    return HighScores.above(Samples.of(embeddings_of(named), named["subject_id"].to_numpy(dtype=object)), threshold)


def group_cells(
    high: HighScores,
    groups: Mapping[str, str],
    threshold: float,
    *,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> GroupCells:
    """Measure the errors of every cell and between any two.

    Args:
        high: the highest non-mated scores, down to the threshold or further.
        groups: subject -> cell.
        threshold: accept when score > threshold, in all cells.
        sizes: subjects a cell needs.
        resampling: for the disparities; its level is that of all intervals.
    """
    counts = ExhaustiveErrorCounts(high, groups, threshold, sizes)
    return GroupCells(
        differential_of(counts, sizes=sizes, resampling=resampling), cross_group_fmr(counts, level=resampling.level)
    )


def cost_by_group(
    counts: ExhaustiveErrorCounts,
    model: CostModel,
    *,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> CostReport:
    """Price the errors of every comparison, overall and by group."""
    return cost_report_of(
        counts.overall, counts.subjects, counts.comparisons, counts.threshold, counts, model, sizes, resampling
    )


def crossed_people(*people: Mapping[str, str]) -> dict[str, str]:
    """Subject -> cell of several attributes, e.g. "dark | female"; a subject that lacks one of them is left out."""
    subjects: Sequence[str] = sorted({name for each in people for name in each})
    columns = [np.array([each.get(subject) for subject in subjects], dtype=object) for each in people]
    cells = cross_groups(*columns)
    return {subject: str(cell) for subject, cell in zip(subjects, cells, strict=True) if cell is not None}
