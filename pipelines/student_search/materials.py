"""What every trial of a student search shares, and how a student is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement
from countenance.assessment.verification import measure_tar_at_far, tar_at_far
from countenance.configuration import narrow
from countenance.errors import AssessmentError
from countenance.learning.fingerprint import fingerprint
from countenance.learning.outputs import network_outputs
from countenance.learning.people_apart import with_people_set_apart
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.soft_reading import soft_table
from countenance.learning.soft_targets import SoftTable
from countenance.learning.student_search import StudentSearchConfiguration, search_digest, try_student
from countenance.learning.teacher_features import teaching
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingRecord
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration


@dataclass(frozen=True)
class SearchMaterials:
    """What every trial shares."""

    manifest: pd.DataFrame
    crops: Any
    teacher: TeacherFeatures
    soft: SoftTable | None
    distillation: DistillationConfiguration
    evaluation: AssessmentConfiguration
    configuration: StudentSearchConfiguration

    def digest(self) -> str:
        """Of all that the trials and their scores depend on."""
        evaluation = self.evaluation
        of_scores = (evaluation.headline_far, evaluation.faces_per_subject, evaluation.non_mated_limit)
        return fingerprint(
            search_digest(self.manifest, self.crops, self.teacher, self.soft, self.distillation, self.configuration),
            list(of_scores),
            evaluation.resampling,
        )

    def train(
        self, network: NetworkConfiguration, look: Callable[[int, AllInOneNetwork], None]
    ) -> tuple[AllInOneNetwork, TrainingRecord]:
        """Distil a candidate briefly; ``look`` may give it up."""
        return try_student(
            network,
            self.manifest,
            self.crops,
            self.teacher,
            self.distillation,
            self.configuration,
            soft=self.soft,
            look=look,
        )

    def score(self, network: AllInOneNetwork) -> float:
        """TAR at the headline FAR on the people for validation.

        Raises:
            AssessmentError: there are too few of them to measure it.
        """
        scores = self._compared(network)
        (point,) = tar_at_far(scores.mated, scores.non_mated, [self.evaluation.headline_far])
        return self._measurable(point.tar, scores)

    def measure(self, network: AllInOneNetwork) -> Measurement:
        """The same with its interval over subjects.

        Raises:
            AssessmentError: likewise.
        """
        scores = self._compared(network)
        measured = measure_tar_at_far(scores, self.evaluation.headline_far, self.evaluation.resampling)
        self._measurable(measured.value, scores)
        return measured

    def _measurable(self, tar: float | None, scores: ComparisonScores) -> float:
        if tar is None:
            raise AssessmentError(
                f"A student can't be scored at FAR {self.evaluation.headline_far:g} on {len(scores.non_mated)} "
                "comparisons of the people for validation: raise 'headline_far' or the validation split."
            )
        return tar

    def _compared(self, network: AllInOneNetwork) -> ComparisonScores:
        # Never the test people: who chooses by them has nobody left to judge the choice by.
        rows = self.manifest[self.manifest["split"] == "validation"]
        named = rows[rows["is_face"] & rows["subject_id"].notna()]
        return compare(join_outputs(named, network_outputs(network, named, self.crops), "validation"), self.evaluation)


def materials_of(
    manifest: pd.DataFrame,
    crops: Any,
    features: TeacherFeatures,
    soft: pd.DataFrame,
    trained: AllInOneNetwork,
    distillation: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    search: Mapping[str, Any],
) -> SearchMaterials:
    """Narrow the parameters and open the tables."""
    recipe = narrow(DistillationConfiguration, distillation, where="parameters_distillation.yml")
    configuration = narrow(StudentSearchConfiguration, search, where="parameters_student_search.yml")
    return SearchMaterials(
        manifest=with_people_set_apart(manifest, configuration.people_share, recipe.seed),
        crops=crops,
        teacher=teaching(features, recipe, trained),
        soft=soft_table(soft),
        distillation=recipe,
        evaluation=narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml"),
        configuration=configuration,
    )
