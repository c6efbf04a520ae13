"""What a model says of photos, in a table, held against a table of labels: gender, smile and age."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from countenance.assessment.arrays import AnyArray
from countenance.assessment.label_table import FIRST_LINE, LabelTable
from countenance.assessment.row_scores import RowScores, absolute_errors, right_decisions
from countenance.errors import AssessmentError

GENDERS = ("male", "female")
YES_NO = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def scored_tasks(labels: LabelTable, said: LabelTable) -> dict[str, RowScores]:
    """Score each task that both tables have a column for: ``gender``, ``smiling``, ``age_years``.

    A photo without a label is in no metric; a labelled one without a prediction is an error.

    Raises:
        AssessmentError: the tables differ in length or share no task, or a cell is no answer; the text names the line.
    """
    if len(labels) != len(said):
        raise AssessmentError(
            f"{said.path} has {len(said):,} rows and {labels.path} {len(labels):,}: give one row a photo in both, "
            "in the same order."
        )
    scored: dict[str, RowScores] = {}
    if _both(labels, said, "gender"):
        truth, guess = (_chosen(table, "gender", {gender: gender for gender in GENDERS}) for table in (labels, said))
        _refuse_silence(said, "gender", truth, guess)
        scored["gender"] = right_decisions(truth, guess, GENDERS)
    if _both(labels, said, "smiling"):
        truth, guess = (_chosen(table, "smiling", YES_NO) for table in (labels, said))
        _refuse_silence(said, "smiling", truth, guess)
        scored["smile"] = right_decisions(truth, guess, (True, False))
    if _both(labels, said, "age_years"):
        _refuse_silence(said, "age_years", labels.words("age_years"), said.words("age_years"))
        scored["age"] = absolute_errors(labels.numbers("age_years"), said.numbers("age_years"), unit="years")
    if not scored:
        raise AssessmentError(
            f"{labels.path} and {said.path} share none of the columns gender, smiling and age_years: add one to both."
        )
    return scored


def _both(labels: LabelTable, said: LabelTable, column: str) -> bool:
    return column in labels.columns and column in said.columns


def _chosen(table: LabelTable, column: str, answers: Mapping[str, object]) -> AnyArray:
    words = table.words(column)
    chosen = np.full(len(words), None, dtype=object)
    for row, word in enumerate(words):
        if word is None:
            continue
        if word.lower() not in answers:
            raise AssessmentError(
                f"{table.path}, line {row + FIRST_LINE}: column '{column}' is none of {', '.join(answers)}: mend it."
            )
        chosen[row] = answers[word.lower()]
    return chosen


def _refuse_silence(said: LabelTable, column: str, truth: AnyArray, guess: AnyArray) -> None:
    for row, (label, word) in enumerate(zip(truth, guess, strict=True)):
        if label is not None and word is None:
            raise AssessmentError(
                f"{said.path}, line {row + FIRST_LINE}: column '{column}' is empty though the photo is labelled: "
                "let the model answer for every labelled photo."
            )
