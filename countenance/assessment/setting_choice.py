"""Telling students apart whose settings are to be chosen: 1:1 accuracy in which every person has one vote.

Sets of faces have few people with many photos, whose comparisons would outvote all others. Here a person counts with
the share of their mated comparisons that are accepted and with the share of their non-mated ones that are refused. The
people are drawn again, the same for every student, so that a difference can be told from the luck of who is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from countenance.assessment.arrays import FloatArray, IntArray, codes_of
from countenance.assessment.held_out import AssessmentConfiguration, compared_faces, embeddings_of, join_outputs
from countenance.assessment.intervals import bootstrap_replicates
from countenance.assessment.pairs import ComparisonPairs

THRESHOLDS = 400


@dataclass(frozen=True, eq=False)
class VotedAccuracy:
    """How well one student does, on the people as they are and on resamples of them.

    Attributes:
        value: the mean of the two shares over people, at the best common threshold: 0.5 is chance.
        drawn: [R] the same on each resample.
        people: who have a mated comparison.
    """

    value: float
    drawn: FloatArray
    people: int

    def surely_above(self, other: VotedAccuracy, share: float) -> bool:
        """Whether it does better than ``other``, and in at least this share of the resamples, too."""
        return self.value > other.value and float((self.drawn > other.drawn).mean()) >= share


def voted_accuracy(manifest: pd.DataFrame, said: pd.DataFrame, configuration: AssessmentConfiguration) -> VotedAccuracy:
    """Score what a student said of the people for validation; of others nothing is read.

    Args:
        manifest: every row.
        said: what a network said, at least of the named faces for validation.
        configuration: faces a person, limit of non-mated comparisons, and resampling.
    """
    asked = manifest[(manifest["split"] == "validation") & manifest["is_face"] & manifest["subject_id"].notna()]
    faces = compared_faces(join_outputs(asked, said, "validation"), configuration)
    subjects, features = faces["subject_id"].to_numpy(), embeddings_of(faces)
    resampling = configuration.resampling
    pairs = ComparisonPairs.enumerate(subjects, limit=configuration.non_mated_limit, generator=resampling.generator())
    people = len(codes_of(subjects)[1])
    scores = pairs.score(features)
    ends = np.quantile(np.concatenate([scores.mated, scores.non_mated]), np.linspace(0, 1, THRESHOLDS))
    kept = _shares_above(scores.mated, pairs.mated_subject, ends, people)
    both = np.concatenate([pairs.non_mated_subject_first, pairs.non_mated_subject_second])
    let_in = _shares_above(np.tile(scores.non_mated, 2), both, ends, people)
    point, drawn = bootstrap_replicates(
        lambda weights: ((_means(kept, weights) + 1 - _means(let_in, weights)) / 2).max(axis=1), people, resampling
    )
    return VotedAccuracy(float(point), drawn, len(np.unique(pairs.mated_subject)))


def _shares_above(scores: FloatArray, person: IntArray, thresholds: FloatArray, people: int) -> FloatArray:
    """[S, T] share of each person's comparisons above each threshold; NaN for somebody without one."""
    level = np.searchsorted(thresholds, scores, side="left")
    counts = np.bincount(person * (len(thresholds) + 1) + level, minlength=people * (len(thresholds) + 1))
    above = counts.reshape(people, -1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    shares = np.full((people, len(thresholds)), np.nan)
    np.divide(above[:, 1:], above[:, :1], out=shares, where=above[:, :1] > 0)
    return shares


def _means(shares: FloatArray, weights: IntArray) -> FloatArray:
    """[R, T] mean over the people that have a share, each counted with its weight in [R, S]."""
    known = ~np.isnan(shares[:, 0])
    counted = weights[:, known]
    return np.asarray(counted @ shares[known] / np.maximum(counted.sum(axis=1, keepdims=True), 1.0))
