"""What can be done for a group that is let down, before and after in one table, at one level of security.

Four systems from the same photos: a student trained on faces as they come, the same student on balanced faces, and both
with their scores normalised by a cohort of strangers. All decide at the operating FAR over all test people, whatever
their group, at a threshold that is found again in every resample. Intervals are over people and seeds, and differences
are paired over both. Gates are those of a release, over every comparison, once a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.bias_report import identity_bias
from countenance.assessment.cost import CostModel
from countenance.assessment.differential import worst_over_geometric_mean
from countenance.assessment.exhaustive_pairs import Samples
from countenance.assessment.fairness import FairnessConfiguration, group_of_subjects
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.group_errors import FMR, FNMR, GroupErrorsAtFar
from countenance.assessment.held_out import (
    AssessmentConfiguration,
    compare,
    compared_faces,
    embeddings_of,
    join_outputs,
)
from countenance.assessment.method_comparison import Said
from countenance.assessment.method_groups import far_of
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.score_normalisation import CohortNormalisation, NormalisationConfiguration
from countenance.assessment.seeded import (
    SeededMeasurement,
    SeededReplicates,
    difference,
    measured,
    seed_draws,
)
from countenance.assessment.verification import TarResampler
from countenance.errors import AssessmentError
from countenance.progress import track

NORMALISED: Final = "normalised"
FIGURES: Final[dict[str, str]] = {
    "fmr_disparity": "ratio",
    "worst_fmr": "proportion",
    "fnmr_disparity": "ratio",
    "worst_fnmr": "proportion",
    "tar": "proportion",
    "cost": "",
    "worst_cost": "",
}
"""What is measured of a system, and its unit; "" stands for the prices' own."""


@dataclass(frozen=True)
class MitigationPlan:
    """Which systems are compared.

    Attributes:
        rows: trainings by name, the first of them the one that all are compared with.
        seeds: that each was trained from.
        said: what their networks said of the named held-out faces.
        normalisation: how scores are normalised; the cohort is a face of every validation person.
    """

    rows: Sequence[str]
    seeds: Sequence[int]
    said: Said
    normalisation: NormalisationConfiguration


class SystemErrors:
    """Every figure of one system and seed as one statistic of subject weights: ``FIGURES``, then FMR and FNMR by group.

    Args:
        scores: of the system.
        groups: subject -> group.
        far: of all non-mated comparisons, whatever the groups.
        prices: of errors.
        fairness: how many people a group needs.
    """

    def __init__(
        self,
        scores: ComparisonScores,
        groups: Mapping[str, str],
        far: float,
        prices: CostModel,
        fairness: FairnessConfiguration,
    ) -> None:
        self.by_group = GroupErrorsAtFar(scores, groups, far, fairness.sizes)
        self._tar = TarResampler(scores, far)
        self._far, self._prices = far, prices

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return the figures under each row of ``weights`` [B, S]: [B, 7 + 2 G]; NaN where not measurable."""
        rates, tar = self.by_group(weights), self._tar(weights)
        fmr, fnmr = rates[:, FMR], rates[:, FNMR]
        figures = [
            worst_over_geometric_mean(fmr),
            fmr.max(axis=1),
            worst_over_geometric_mean(fnmr),
            fnmr.max(axis=1),
            tar,
            # The threshold lets in as many strangers as the FAR allows: what differs is who is turned away.
            self._prices.expected_cost(np.full(len(tar), self._far), 1.0 - tar),
            self._prices.expected_cost(fmr, fnmr).max(axis=1),
        ]
        return np.concatenate([np.stack(figures, axis=1), fmr, fnmr], axis=1)


def assess_mitigation(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    plan: MitigationPlan,
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    policy: GatePolicy,
) -> dict[str, Any]:
    """Measure every system and what it changes beside the first.

    Args:
        manifest: every row, with all the people that are held out.
        groups: ``face_id`` and one column an attribute, of the held-out faces.
        plan: which systems.
        configuration: operating FAR, prices and resampling.
        fairness: the attribute, and how many people a group needs.
        policy: limits of the gates; the FMR that they take as nominal is the one at which the systems decide here.

    Returns:
        ``attribute``, ``far``, ``level``, ``unit`` of the cost, ``reference``, ``groups`` (shown ones), ``people`` of
        the test, ``cohort`` (people) and ``systems`` by name: ``figures``, ``differences`` (None of the reference),
        ``groups`` (``fmr``, ``fnmr``, and their differences), ``worst_group`` by seed, and ``gates``: by name, verdict
        and warning of each seed.

    Raises:
        AssessmentError: no group is shown, too few validation people make a cohort, or a face has no output.
    """
    systems = [(row, normalised) for normalised in (False, True) for row in plan.rows]
    found: dict[str, _Measured] = {}
    for row, normalised in track(systems, what="measuring mitigation", total=len(systems), unit="system"):
        looked = [_look(manifest, groups, plan, row, seed, configuration, fairness, normalised) for seed in plan.seeds]
        found[system_name(row, normalised)] = _measure(looked, configuration, fairness, policy)
    reference = system_name(plan.rows[0], False)
    draws, level = seed_draws(len(plan.seeds), configuration.resampling), configuration.resampling.level
    first = found[reference]
    return {
        "attribute": fairness.identity_attribute,
        "far": far_of(configuration),
        "level": level,
        "unit": configuration.cost.unit,
        "reference": reference,
        "groups": list(first.names),
        "people": first.people,
        "cohort": _cohort_size(manifest, plan),
        "seeds": list(plan.seeds),
        "systems": {
            name: _told(own, None if name == reference else first, draws, level, configuration.cost.unit)
            for name, own in found.items()
        },
    }


def system_name(row: str, normalised: bool) -> str:
    """E.g. "balanced, normalised"."""
    return f"{row}, {NORMALISED}" if normalised else row


def mitigation_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that are compared from run to run."""
    return {
        name.replace(", ", "_").replace(" ", "_"): {
            figure: values["value"] for figure, values in system["figures"].items() if values["value"] is not None
        }
        for name, system in report["systems"].items()
    }


@dataclass(frozen=True, eq=False)
class _Looked:
    """One system and seed: the comparisons that are drawn, and the samples behind every one."""

    scores: ComparisonScores
    samples: Samples
    people: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Measured:
    """One system of every seed."""

    replicates: SeededReplicates
    names: tuple[str, ...]
    people: int
    gates: dict[str, list[dict[str, str]]]


def _look(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    plan: MitigationPlan,
    row: str,
    seed: int,
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    normalised: bool,
) -> _Looked:
    said = plan.said(row, seed)
    asked = manifest[manifest["face_id"].isin(said["face_id"])]
    test = join_outputs(asked, said, "test")
    people = group_of_subjects(test, groups.set_index("face_id")[fairness.identity_attribute])
    named = compared_faces(test, configuration)
    samples = Samples.of(embeddings_of(named), named["subject_id"].to_numpy(dtype=object))
    scores = compare(test, configuration)
    if normalised:
        cohort = _cohort(join_outputs(asked, said, "validation"), configuration)
        samples = samples.normalised(CohortNormalisation(cohort, plan.normalisation))
        pairs = scores.pairs
        scores = replace(
            scores,
            mated=samples.scores(pairs.mated_first, pairs.mated_second),
            non_mated=samples.scores(pairs.non_mated_first, pairs.non_mated_second),
        )
    return _Looked(scores, samples, people)


def _cohort(rows: pd.DataFrame, configuration: AssessmentConfiguration) -> FloatArray:
    """A face of every validation person: strangers to all that are compared, and to the training."""
    named = compared_faces(rows, configuration)
    # Face ids are hashes, so the first is as good as any.
    return embeddings_of(named.sort_values("face_id").drop_duplicates("subject_id"))


def _cohort_size(manifest: pd.DataFrame, plan: MitigationPlan) -> int:
    asked = manifest["face_id"].isin(plan.said(plan.rows[0], plan.seeds[0])["face_id"])
    return int(manifest.loc[asked & (manifest["split"] == "validation") & manifest["is_face"], "subject_id"].nunique())


def _measure(
    looked: Sequence[_Looked],
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
    policy: GatePolicy,
) -> _Measured:
    far, prices = far_of(configuration), configuration.cost
    errors = [SystemErrors(one.scores, one.people, far, prices, fairness) for one in looked]
    by_group = errors[0].by_group
    if not by_group.names:
        raise AssessmentError(
            f"No group of '{fairness.identity_attribute}' has enough test people to be shown: hold out more people."
        )
    far_policy = {"nominal_fmr": far, "attribute_gaps": {}, "model_bytes": None, "latency_ms": None}
    verdicts: dict[str, list[dict[str, str]]] = {}
    for one in looked:
        bias = identity_bias(
            one.samples,
            one.people,
            rate=far,
            prices=prices,
            policy=policy.model_copy(update=far_policy),
            sizes=fairness.sizes,
            resampling=configuration.resampling,
        )
        for gate in bias.gates:
            verdicts.setdefault(gate.name, []).append({"verdict": gate.verdict, "warning": gate.warning})
    return _Measured(
        SeededReplicates.of(errors, by_group.subjects, configuration.resampling),
        by_group.names,
        by_group.subjects,
        verdicts,
    )


def _told(own: _Measured, reference: _Measured | None, draws: IntArray, level: float, unit: str) -> dict[str, Any]:
    def value(column: int, unit: str) -> dict[str, Any]:
        return _with_unit(measured(_column(own.replicates, column), draws, level=level), unit)

    def change(column: int, unit: str) -> dict[str, Any] | None:
        if reference is None:
            return None
        two = _column(own.replicates, column), _column(reference.replicates, column)
        return _with_unit(difference(*two, draws, level=level), unit)

    def all_of(tell: Callable[[int, str], dict[str, Any] | None]) -> dict[str, Any]:
        return {name: tell(column, kind or unit) for column, (name, kind) in enumerate(FIGURES.items())}

    fmr, fnmr, groups = len(FIGURES), len(FIGURES) + len(own.names), range(len(own.names))
    return {
        "figures": all_of(value),
        "differences": None if reference is None else all_of(change),
        "groups": {
            own.names[at]: {
                "fmr": value(fmr + at, "proportion"),
                "fnmr": value(fnmr + at, "proportion"),
                "fmr_difference": change(fmr + at, "proportion"),
                "fnmr_difference": change(fnmr + at, "proportion"),
            }
            for at in groups
        },
        "worst_group": [worst_group(own.names, row[fmr:fnmr]) for row in own.replicates.point],
        "gates": own.gates,
    }


def worst_group(names: Sequence[str], rates: FloatArray) -> str:
    """The group of the highest rate, [G]; "not measurable" where none has one."""
    return "not measurable" if np.isnan(rates).all() else names[int(np.nanargmax(rates))]


def _column(found: SeededReplicates, column: int) -> SeededReplicates:
    return SeededReplicates(found.point[:, column], found.drawn[:, :, column])


def _with_unit(found: SeededMeasurement, unit: str) -> dict[str, Any]:
    return replace(found, unit=unit).to_dict()
