"""Ways to train one student, on people that none of them saw: 1:1 accuracy, TAR at a FAR, and what each gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import Field

from countenance.assessment.balanced_pairs import AccuracyResampler, BalancedPairs
from countenance.assessment.compatibility import EmbeddingSpaces
from countenance.assessment.held_out import (
    AssessmentConfiguration,
    compared_faces,
    embeddings_of,
    join_outputs,
)
from countenance.assessment.seeded import SeededReplicates, Statistic, difference, measured, seed_draws
from countenance.assessment.verification import TarResampler
from countenance.configuration import Configuration
from countenance.errors import AssessmentError
from countenance.progress import track

METRICS = ("accuracy", "tar")
TEACHER_TAR = "teacher_tar"
"""TAR of a row's probes on references that the teacher made."""
TEACHER = "teacher"

Said = Callable[[str, int], pd.DataFrame]
"""What the network of a row and seed said of the validation and test faces."""


class MethodAssessment(Configuration):
    """How the rows of a comparison are judged.

    Attributes:
        folds: of the 1:1 accuracy.
        pairs_per_fold: of the 1:1 accuracy, half of them mated.
        reference: the row that all others are compared with.
        headline: the row that is told first.
        contrasts: further pairs of rows to compare, candidate first.
    """

    folds: int = Field(default=10, ge=2)
    pairs_per_fold: int = Field(default=600, ge=2)
    reference: str = "alone"
    headline: str = "weighted"
    contrasts: tuple[tuple[str, str], ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """The rows that there must be."""
        return frozenset({self.reference, self.headline, *(row for pair in self.contrasts for row in pair)})


def assess_methods(
    manifest: pd.DataFrame,
    rows: Sequence[str],
    seeds: Sequence[int],
    *,
    said: Said,
    teacher: pd.DataFrame | None,
    judged: MethodAssessment,
    configuration: AssessmentConfiguration,
) -> dict[str, Any]:
    """Measure every row on the same test faces, and compare each with the reference.

    Args:
        manifest: every row, with ``landmarks_5``.
        rows: of the comparison.
        seeds: that each was trained from.
        said: what their networks said, at least of the named test faces.
        teacher: what the teacher said of them, or None.
        judged: pairs, folds and contrasts.
        configuration: headline FAR and resampling.

    Returns:
        ``rows`` (by name: ``accuracy`` and ``tar``, what each gains over the reference: ``accuracy_gain``,
        ``tar_gain``, and where embeddings are as long as the teacher's, ``teacher_tar`` of its probes on the
        teacher's references), ``teacher`` (``accuracy`` and ``tar``, or None), ``contrasts``, ``pairs`` and
        ``subjects``.

    Raises:
        AssessmentError: a row of the judgement isn't there, a face has no output, or there are too few people.
    """
    missing = judged.named - set(rows)
    if missing:
        raise AssessmentError(
            f"The comparison has no row '{min(missing)}': name one of {', '.join(rows)} "
            "in parameters_method_comparison.yml."
        )
    asked = manifest[manifest["face_id"].isin(said(rows[0], seeds[0])["face_id"])]
    pairs = _drawn_pairs(join_outputs(asked, said(rows[0], seeds[0]), "test"), judged, configuration)
    systems = {
        row: _system(asked, [said(row, seed) for seed in seeds], pairs, configuration, teacher)
        for row in track(rows, what="measuring", total=len(rows), unit="method")
    }
    level, draws = configuration.resampling.level, seed_draws(len(seeds), configuration.resampling)

    def gains(candidate: str, reference: str) -> dict[str, Any]:
        new, old = systems[candidate], systems[reference]
        return {f"{name}_gain": difference(new[name], old[name], draws, level=level).to_dict() for name in METRICS}

    return {
        "rows": {row: _values(system, len(seeds), configuration) | gains(row, judged.reference)
                 for row, system in systems.items()},
        "teacher": None if teacher is None
        else _values(_system(asked, [teacher], pairs, configuration), 1, configuration),
        "contrasts": [{"candidate": one, "reference": other, **gains(one, other)} for one, other in judged.contrasts],
        "pairs": len(pairs.fold),
        "subjects": len(pairs.subjects),
    }  # fmt: skip


def _drawn_pairs(rows: pd.DataFrame, judged: MethodAssessment, configuration: AssessmentConfiguration) -> BalancedPairs:
    return BalancedPairs.draw(
        compared_faces(rows, configuration)["subject_id"].to_numpy(),
        folds=judged.folds,
        pairs_per_fold=judged.pairs_per_fold,
        generator=configuration.resampling.generator(),
    )


def _system(
    asked: pd.DataFrame,
    said: Sequence[pd.DataFrame],
    pairs: BalancedPairs,
    configuration: AssessmentConfiguration,
    teacher: pd.DataFrame | None = None,
) -> dict[str, SeededReplicates]:
    faces = [compared_faces(join_outputs(asked, outputs, "test"), configuration) for outputs in said]
    subjects = faces[0]["subject_id"].to_numpy()
    features = {str(seed): embeddings_of(rows) for seed, rows in enumerate(faces)}
    crossed = {} if teacher is None else {
        TEACHER: embeddings_of(compared_faces(join_outputs(asked, teacher, "test"), configuration))
    }  # fmt: skip
    spaces = EmbeddingSpaces(features | crossed, subjects, configuration)
    far = configuration.headline_far
    statistics: dict[str, list[Statistic]] = {
        "accuracy": [AccuracyResampler(pairs, pairs.score(found)) for found in features.values()],
        "tar": [TarResampler(spaces.scores(name, name), far) for name in features],
    }
    if crossed and crossed[TEACHER].shape == features["0"].shape:
        statistics[TEACHER_TAR] = [TarResampler(spaces.scores(name, TEACHER), far) for name in features]
    return {
        name: SeededReplicates.of(found, len(pairs.subjects), configuration.resampling)
        for name, found in statistics.items()
    }


def _values(
    system: Mapping[str, SeededReplicates], seeds: int, configuration: AssessmentConfiguration
) -> dict[str, Any]:
    level, draws = configuration.resampling.level, seed_draws(seeds, configuration.resampling)
    return {name: measured(found, draws, level=level).to_dict() for name, found in system.items()}


def comparison_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a comparison's report that are compared from run to run."""
    numbers: dict[str, Any] = {row: _known(found) for row, found in report["rows"].items()}
    if report["teacher"] is not None:
        numbers[TEACHER] = _known(report["teacher"])
    for contrast in report["contrasts"]:
        numbers[f"{contrast['candidate']} over {contrast['reference']}"] = _known(contrast)
    return numbers


def _known(found: Mapping[str, Any]) -> dict[str, float]:
    return {
        name if part == "value" else f"{name}_{part}": value[part]
        for name, value in found.items()
        if isinstance(value, Mapping)
        for part in ("value", "low", "high")
        if value[part] is not None
    }
