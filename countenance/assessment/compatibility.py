"""Embedding compatibility: may a model's probes be compared with the templates that another model made?

Templates of one model mean nothing to another unless it is shown. A probe goes through one model and its reference
through another, on the same comparisons as within each of the two models, by the same threshold rule. An exchange of
models then has two prices that one can weigh: of keeping the stored templates, and of enrolling everybody again (Shen
et al., "Towards Backward-Compatible Representation Learning", CVPR 2020, call a new model backward-compatible when its
probes do better on the old templates than the old model's own).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from countenance.assessment.arrays import FloatArray
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.held_out import AssessmentConfiguration, compared_faces, embeddings_of, join_outputs
from countenance.assessment.intervals import Rate
from countenance.assessment.non_inferiority import PairedDifference, paired_tar_difference
from countenance.assessment.pairs import ComparisonPairs, ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.assessment.verification import (
    TarAtFar,
    false_match_rate,
    false_non_match_rate,
    measure_tar_at_far,
    tar_at_far,
)
from countenance.errors import AssessmentError


@dataclass(frozen=True)
class CrossTar(Result):
    """TAR at each FAR where probes go through one model and references through another, or the same.

    Attributes:
        probes: the probes' model.
        references: the references' model.
        tar: at each configured FAR, with the threshold that these comparisons' own non-mated scores give.
        headline: at the headline FAR, with its interval over subjects.
    """

    probes: str
    references: str
    tar: tuple[TarAtFar, ...]
    headline: Measurement


@dataclass(frozen=True)
class KeptThreshold(Result):
    """What becomes of the threshold in use when the probes' model is exchanged and nothing else is.

    Attributes:
        threshold: of the references' model on its own comparisons, at the headline FAR.
        fmr: of the new model's probes against the kept references, at that threshold.
        fnmr: likewise.
    """

    threshold: float
    fmr: Rate
    fnmr: Rate


@dataclass(frozen=True)
class Compatibility(Result):
    """A model beside another one whose templates are in use.

    Attributes:
        model: whose probes are to be compared.
        other: who made the templates.
        note: why nothing could be compared; empty where it could.
        comparisons: model to model, model to other, other to model, other to other (probes first); empty where nothing
            could be compared, and everything below is then None.
        agreement: mean cosine between the two models' embeddings of one and the same photo.
        over_other: TAR of the model's probes on the other's templates, less the other's own: above 0, exchanging the
            probes' model is a gain without enrolling anybody again.
        under_own: TAR of the model's probes on the other's templates, less on its own: below 0, that is what
            enrolling everybody again would win.
        kept_threshold: error rates if the threshold is kept, too; None where the headline FAR isn't measurable.
    """

    model: str
    other: str
    note: str
    comparisons: tuple[CrossTar, ...]
    agreement: Measurement | None
    over_other: PairedDifference | None
    under_own: PairedDifference | None
    kept_threshold: KeptThreshold | None


class EmbeddingSpaces:
    """Several models' embeddings of the same faces, compared within and across the models.

    Args:
        features: by model, unit embeddings [N, D] of the same N faces in the same order.
        subjects: of each face, [N].
        configuration: rates, limit of the non-mated comparisons, and resampling.
    """

    def __init__(
        self, features: Mapping[str, FloatArray], subjects: np.ndarray[Any, Any], configuration: AssessmentConfiguration
    ) -> None:
        self._features, self._subjects, self._configuration = features, subjects, configuration
        self._pairs = ComparisonPairs.enumerate(
            subjects, limit=configuration.non_mated_limit, generator=configuration.resampling.generator()
        )
        self._scores: dict[tuple[str, str], ComparisonScores] = {}
        self._measured: dict[tuple[str, str], CrossTar] = {}

    def compatibility(self, model: str, other: str) -> Compatibility:
        """How the probes of ``model`` do on the templates of ``other``, beside both alone and the other way round."""
        dimensions = [self._features[name].shape[1] for name in (model, other)]
        if dimensions[0] != dimensions[1]:
            note = f"not comparable: the embeddings have {dimensions[0]} and {dimensions[1]} dimensions"
            return Compatibility(model, other, note, (), None, None, None, None)
        far, resampling = self._configuration.headline_far, self._configuration.resampling
        across = self.scores(model, other)
        return Compatibility(
            model=model,
            other=other,
            note="",
            comparisons=tuple(
                self.tar(probes, references) for probes in (model, other) for references in (model, other)
            ),
            agreement=self._agreement(model, other),
            over_other=paired_tar_difference(across, self.scores(other, other), far, resampling),
            under_own=paired_tar_difference(across, self.scores(model, model), far, resampling),
            kept_threshold=self._kept_threshold(model, other),
        )

    def scores(self, probes: str, references: str) -> ComparisonScores:
        """Scores of all comparisons, probes through one model and references through another or the same."""
        if (probes, references) not in self._scores:
            other = None if probes == references else self._features[references]
            self._scores[probes, references] = self._pairs.score(self._features[probes], other)
        return self._scores[probes, references]

    def tar(self, probes: str, references: str) -> CrossTar:
        """TAR of these comparisons."""
        if (probes, references) not in self._measured:
            scores, configuration = self.scores(probes, references), self._configuration
            self._measured[probes, references] = CrossTar(
                probes=probes,
                references=references,
                tar=tar_at_far(scores.mated, scores.non_mated, configuration.fars),
                headline=measure_tar_at_far(scores, configuration.headline_far, configuration.resampling),
            )
        return self._measured[probes, references]

    def _agreement(self, model: str, other: str) -> Measurement:
        cosines = np.einsum("nd,nd->n", self._features[model], self._features[other]).astype(np.float64)
        scores = RowScores(cosines, "cosine", higher_is_better=True, proportion=False)
        return mean_over_subjects(scores, self._subjects, resampling=self._configuration.resampling)

    def _kept_threshold(self, model: str, other: str) -> KeptThreshold | None:
        kept, level = self.scores(other, other), self._configuration.resampling.level
        (point,) = tar_at_far(kept.mated, kept.non_mated, [self._configuration.headline_far])
        if point.at.threshold is None:
            return None
        across, threshold = self.scores(model, other), point.at.threshold
        return KeptThreshold(
            threshold=threshold,
            fmr=false_match_rate(across, threshold, level=level),
            fnmr=false_non_match_rate(across, threshold, level=level),
        )


def assess_compatibility(
    manifest: pd.DataFrame, outputs: Mapping[str, pd.DataFrame], configuration: AssessmentConfiguration
) -> list[dict[str, Any]]:
    """The configured pairs of models on the test people; a pair whose models were not both trained is left out.

    Args:
        manifest: every row.
        outputs: by model, with ``face_id`` and ``embedding``; of a model that was never trained, no row.
        configuration: ``compatible_with`` names the pairs.

    Raises:
        AssessmentError: a name is no model's, or a face has no embedding.
    """
    wanted = [(model, other) for model, others in configuration.compatible_with.items() for other in others]
    unknown = {name for pair in wanted for name in pair} - set(outputs)
    if unknown:
        raise AssessmentError(
            f"'compatible_with' in parameters_evaluation.yml names '{min(unknown)}': that's no model."
        )
    pairs = [(model, other) for model, other in wanted if len(outputs[model]) and len(outputs[other])]
    if not pairs:
        return []
    faces = {
        name: compared_faces(join_outputs(manifest, outputs[name], "test"), configuration)
        for name in sorted({name for pair in pairs for name in pair})
    }
    subjects = next(iter(faces.values()))["subject_id"].to_numpy()
    spaces = EmbeddingSpaces({name: embeddings_of(rows) for name, rows in faces.items()}, subjects, configuration)
    return [spaces.compatibility(model, other).to_dict() for model, other in pairs]


def compatibility_numbers(compatibility: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers that are compared from run to run, by model and other: TAR across, and what crossing gains."""
    numbers: dict[str, Any] = {}
    for found in compatibility:
        if not found["comparisons"]:
            continue
        _, across, _, _ = found["comparisons"]
        values = {"tar": across["headline"]["value"]} | {
            name: found[name]["difference"] for name in ("over_other", "under_own")
        }
        known = {name: value for name, value in values.items() if value is not None}
        numbers.setdefault(found["model"], {})[found["other"]] = known
    return numbers
