"""What distillation does to each group of people, beside the same student alone: it must not make the worst one worse.

Both are held at one level of security: the operating FAR over all test people, whatever their group, at a threshold
that is found again in every resample (:mod:`countenance.assessment.group_errors`). Intervals are over people and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from countenance.assessment.arrays import IntArray
from countenance.assessment.fairness import FairnessConfiguration, WorstGroupLimits, group_of_subjects
from countenance.assessment.group_errors import FMR, FNMR, GroupErrorsAtFar
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.method_comparison import Said
from countenance.assessment.seeded import (
    SeededMeasurement,
    SeededReplicates,
    difference,
    measured,
    seed_draws,
    worst_difference,
)
from countenance.errors import AssessmentError
from countenance.progress import track

KEPT, WORSE, OPEN = "kept", "worse", "open"
ALONE, DISTILLED = "student_alone", "student_distilled"


def assess_distillation_by_group(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    outputs: Mapping[str, pd.DataFrame],
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> dict[str, Any]:
    """:func:`assess_method_groups` of a run's two students, one training each; nothing where either wasn't trained.

    Args:
        manifest: every row.
        groups: ``face_id`` and one column an attribute, of the held-out faces.
        outputs: of both students.
        configuration: operating FAR, prices and resampling.
        fairness: as there.
    """
    if outputs[ALONE].empty or outputs[DISTILLED].empty:
        return {}
    return assess_method_groups(
        manifest,
        groups,
        (ALONE, DISTILLED),
        (0,),
        said=lambda row, seed: outputs[row],
        reference=ALONE,
        headline=DISTILLED,
        configuration=configuration,
        fairness=fairness,
    )


def assess_method_groups(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    rows: Sequence[str],
    seeds: Sequence[int],
    *,
    said: Said,
    reference: str,
    headline: str,
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> dict[str, Any]:
    """Error rates of every row by group, how they differ from the reference's, and whether the worst group is worse.

    Args:
        manifest: every row.
        groups: ``face_id`` and one column an attribute, of the held-out faces.
        rows: of the comparison.
        seeds: that each was trained from.
        said: what their networks said, at least of the named test faces.
        reference: the row of the student alone.
        headline: the row that is told first.
        configuration: operating FAR, prices and resampling.
        fairness: the attribute, how many people a group needs, and how much worse the worst one may be.

    Returns:
        ``attribute``, ``far``, ``reference``, ``headline``, ``limits``, ``groups`` (name, people and status of each)
        and ``rows``, by name: ``groups`` with ``fnmr``, ``fmr``, ``fnmr_difference`` and ``fmr_difference`` of each
        shown group, and ``worst`` with ``fnmr`` (difference) and ``fmr_ratio`` of the worst group, a verdict on each
        (``verdicts``) and on both (``verdict``); None where no group is shown.

    Raises:
        AssessmentError: nobody's group of the attribute is known, or a face has no output.
    """
    asked = manifest[manifest["face_id"].isin(said(rows[0], seeds[0])["face_id"])]
    people = _people(join_outputs(asked, said(rows[0], seeds[0]), "test"), groups, fairness)
    rates: dict[str, dict[str, SeededReplicates]] = {}
    for row in track(rows, what="measuring groups", total=len(rows), unit="method"):
        errors = [_errors(asked, said(row, seed), people, configuration, fairness) for seed in seeds]
        rates[row] = _rates(errors, configuration)
    shown = errors[0]  # groups and people are those of every row
    draws, level = seed_draws(len(seeds), configuration.resampling), configuration.resampling.level
    return {
        "attribute": fairness.identity_attribute,
        "far": far_of(configuration),
        "reference": reference,
        "headline": headline,
        "limits": fairness.distillation.model_dump(),
        "groups": [_group(shown, code, fairness) for code in range(len(shown.all_names))],
        "rows": {
            row: _by_group(found, rates[reference], shown.names, draws, level)
            | {"worst": _worst(found, rates[reference], draws, level, fairness.distillation) if shown.names else None}
            for row, found in rates.items()
        },
    }


def verdict_on(found: SeededMeasurement, limit: float, none: float) -> str:
    """``kept`` where the whole interval is within the limit, ``worse`` where it lies above "no change", else ``open``.

    Args:
        found: by how much, or how many times, the worst group's error rate changed.
        limit: how much it may.
        none: the value of no change: 0 of a difference, 1 of a ratio.
    """
    if found.low is None or found.high is None:
        return OPEN
    if found.high <= limit:
        return KEPT
    return WORSE if found.low > none else OPEN


def _people(test: pd.DataFrame, groups: pd.DataFrame, fairness: FairnessConfiguration) -> dict[str, str]:
    attribute = fairness.identity_attribute
    if attribute not in groups.columns:
        raise AssessmentError(
            f"Attribute '{attribute}' has no groups: name it under 'attributes' in parameters_bias.yml."
        )
    return group_of_subjects(test, groups.set_index("face_id")[attribute])


def _errors(
    asked: pd.DataFrame,
    outputs: pd.DataFrame,
    people: Mapping[str, str],
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> GroupErrorsAtFar:
    scores = compare(join_outputs(asked, outputs, "test"), configuration)
    return GroupErrorsAtFar(scores, people, far_of(configuration), fairness.sizes)


def far_of(configuration: AssessmentConfiguration) -> float:
    """The FAR at which students are compared by group: the operating one; the headline's where none is configured."""
    return configuration.headline_far if configuration.operating_far is None else configuration.operating_far


def _rates(errors: Sequence[GroupErrorsAtFar], configuration: AssessmentConfiguration) -> dict[str, SeededReplicates]:
    both = SeededReplicates.of(errors, errors[0].subjects, configuration.resampling)
    return {
        name: SeededReplicates(both.point[:, error], both.drawn[:, :, error])
        for name, error in (("fnmr", FNMR), ("fmr", FMR))
    }


def _group(counts: GroupErrorsAtFar, code: int, fairness: FairnessConfiguration) -> dict[str, Any]:
    size = int(counts.members[code])
    status = fairness.sizes.status(size)
    shown = counts.all_names[code] in counts.names
    return {"group": counts.all_names[code], "status": status, "subjects": size if shown else None}


def _by_group(
    found: Mapping[str, SeededReplicates],
    reference: Mapping[str, SeededReplicates],
    names: Sequence[str],
    draws: IntArray,
    level: float,
) -> dict[str, Any]:
    shown: dict[str, dict[str, Any]] = {name: {} for name in names}
    for column, name in enumerate(names):
        for error in ("fnmr", "fmr"):
            new, old = _of_group(found[error], column), _of_group(reference[error], column)
            shown[name][error] = measured(new, draws, level=level).to_dict()
            shown[name][f"{error}_difference"] = difference(new, old, draws, level=level).to_dict()
    return {"groups": shown}


def _of_group(found: SeededReplicates, column: int) -> SeededReplicates:
    return SeededReplicates(found.point[:, column], found.drawn[:, :, column])


def _worst(
    found: Mapping[str, SeededReplicates],
    reference: Mapping[str, SeededReplicates],
    draws: IntArray,
    level: float,
    limits: WorstGroupLimits,
) -> dict[str, Any]:
    fnmr = worst_difference(found["fnmr"], reference["fnmr"], draws, level=level)
    fmr = worst_difference(found["fmr"], reference["fmr"], draws, level=level, ratio=True)
    verdicts = {
        "fnmr": verdict_on(fnmr, limits.fnmr_increase, 0.0),
        "fmr": verdict_on(fmr, limits.fmr_ratio, 1.0),
    }
    both = set(verdicts.values())
    verdict = WORSE if WORSE in both else OPEN if OPEN in both else KEPT
    return {"fnmr": fnmr.to_dict(), "fmr_ratio": fmr.to_dict(), "verdicts": verdicts, "verdict": verdict}
